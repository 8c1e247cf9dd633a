"""What may stand as a persona, what a model is asked, and the writer without a model."""

from collections import Counter

from personalab.backends.chat import Answer, Reply
from personalab.backends.llm import LLM
from personalab.zipp.persona import chats, compose, describe, screen
from personalab.zipp.verbalise import Context


def shown(*texts: str, subreddit: str = "bread") -> Context:
    return Context([(subreddit, text) for text in texts], 0, Counter(), {subreddit: 1.0})


def scripted(answers, **card) -> LLM:
    """A model that gives these answers in order, and remembers what it was asked."""
    given, asked = iter(answers), []

    def route(wanted):
        asked.extend(wanted)
        yield [Reply(i, Answer(next(given))) for i in range(len(wanted))]

    model = LLM("scripted", {"model": "scripted", **card}, route)
    model.was_asked = asked
    return model


def test_each_user_is_asked_once_and_answers_stay_in_order():
    model = scripted(["You are one.", "Nobody.", "You are three."])
    got = describe(model, [shown("a loaf"), shown(), shown("a boat"), shown("a cat", "[removed]\0")])
    assert [answer.text for answer in got.answers] == ["You are one.", None, None, "You are three."]
    assert [answer.reason for answer in got.answers] == [
        None,
        "nothing to show",
        "does not begin with 'You are'",
        None,
    ]
    assert got.counts == {"described": 2, "nothing to show": 1, "does not begin with 'You are'": 1}
    assert len(model.was_asked) == 3 and "a boat" in model.was_asked[1].messages[-1][1]


def test_missing_answers_keep_their_reason_and_are_counted_without_their_numbers():
    got = screen(
        [
            Answer(None, "cut at 128 tokens"),
            Answer(None, "cut at 99 tokens"),
            Answer("You are on r/x. You are one."),
        ]
    )
    assert got.answers[0].reason == "cut at 128 tokens" and got.answers[2].text == "You are one."
    assert got.counts == {"cut at n tokens": 2, "described": 1, "cut: platform or community": 1}


def test_the_card_chooses_the_variant_and_posts_are_capped():
    (brief,) = chats(scripted([], prompts="brief"), [shown("word " * 300)], longest=50)
    assert brief.messages[-1] == ("user", "before: " + ("word " * 10).strip())
    (full,) = chats(scripted([]), [shown("a loaf", "a boat")], repeat=2)
    assert "\n- a loaf\n- a boat\n" in full.messages[-1][1] and full.repeat == 2


def test_the_composer_strings_together_what_tells_a_user_from_the_others():
    contexts = [
        shown("Here we go again, a red boat, in fog", "Here we go again, low sun, a red boat"),
        shown("Here we go again, a grey cat", "a grey cat, rain"),
    ]
    first, second = (answer.text for answer in compose(contexts, most=2).answers)
    assert first == "You are somebody who keeps coming back to a red boat, in fog."
    assert second == "You are somebody who keeps coming back to a grey cat, rain."
    assert compose(contexts) == compose(contexts) and "Here we go" in compose(contexts).answers[0].text


def test_the_composer_leaves_out_phrases_that_are_no_prose():
    (answer,) = compose([shown("[url], **bold**, 42, = = =, see [name], a loaf")]).answers
    assert answer.text == "You are somebody who keeps coming back to a loaf."


def test_the_composer_passes_the_same_screening():
    got = compose([shown("my reddit friends, a loaf"), shown(), shown("fog")])
    assert [answer.text for answer in got.answers] == [
        None,
        None,
        "You are somebody who keeps coming back to fog.",
    ]
    assert got.counts["cut: platform or community"] == 1 and got.counts["nothing to show"] == 1
