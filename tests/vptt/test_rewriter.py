"""A language model as rewriter: what it is asked, and how its answers are held to the word limit."""

import json
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab.backends.chat import Answer, Chat, Reply
from personalab.backends.composer import Composer, Request
from personalab.backends.limits import whole_sentences
from personalab.backends.llm import LLM
from personalab.vptt.rewriter import Rewriter

SHOWN = Request(
    "A quay.",
    summary="A cook of Bergen. Rows at dawn.",
    captions=("Fog lifts over the mill.",),
    elements={"objects": ["an oar"], "mood": []},
    max_words=6,
)
LONG = "One two three. Four five six seven. Eight nine."
SHORT = "A red boat."


def rewriter(*said: Callable[[Chat], str | Answer], **card: object) -> Rewriter:
    """A rewriter whose model says `said[i]` to the i-th question of a conversation; `.asked` holds the chats."""
    asked: list[Chat] = []

    def route(chats: Sequence[Chat]) -> Iterator[list[Reply]]:
        for i, chat in enumerate(chats):
            asked.append(chat)
            answer = said[sum(role == "assistant" for role, _ in chat.messages)](chat)
            yield [Reply(i, answer if isinstance(answer, Answer) else Answer(answer))]

    made = Rewriter(LLM("fake", {"model": "fake"} | card, route))
    made.asked = asked
    return made


def always(answer: str | Answer) -> Callable[[Chat], str | Answer]:
    return lambda chat: answer


def test_it_stands_where_the_composer_stands():
    ours, composer = rewriter(always(SHORT)), Composer()
    assert ours.name == "fake" and composer.name == "composer"
    requests = [SHOWN, Request("Another."), SHOWN]
    assert ours.complete(requests) == [Answer(SHORT)] * 3
    assert len(composer.complete(requests)) == 3 and ours.complete([]) == []
    assert len(ours.asked) == 2, "the same request is one question"


def test_the_question_holds_what_the_method_shows():
    ours = rewriter(always(SHORT))
    ours.complete([SHOWN])
    (chat,) = ours.asked
    assert chat == ours.chats([SHOWN])[0]
    text = chat.messages[-1][1]
    assert [role for role, _ in chat.messages] == ["system", "user"]
    for part in (
        "A quay.",
        "A cook of Bergen. Rows at dawn.",
        "Fog lifts over the mill.",
        "objects: an oar",
        "at most 6 words",
    ):
        assert part in text
    assert "mood" not in text


def test_the_card_chooses_the_variant():
    brief = rewriter(always(SHORT), prompts="brief").chats([SHOWN])[0].messages
    assert len(json.dumps(brief)) < 0.3 * len(json.dumps(rewriter(always(SHORT)).chats([SHOWN])[0].messages))
    assert brief[-1][1].endswith("prompt: A quay.")


def test_the_repeat_is_passed_on():
    model = rewriter(always(SHORT))._llm
    assert [chat.repeat for chat in Rewriter(model, repeat=3).chats([SHOWN, SHOWN])] == [3, 3]


def test_a_long_answer_is_asked_for_once_more_with_the_limit():
    ours = rewriter(always(LONG), always(SHORT))
    assert ours.complete([SHOWN, SHOWN]) == [Answer(SHORT)] * 2
    first, second = ours.asked
    assert second.messages[:3] == (*first.messages, ("assistant", LONG))
    role, content = second.messages[3]
    assert role == "user" and "9 words" in content and "at most 6" in content
    assert (ours.reasked, ours.shortened) == (1, 0)


def test_an_answer_that_stays_long_ends_with_its_last_whole_sentence():
    ours = rewriter(always("x " * 50), always(LONG))
    assert ours.complete([SHOWN]) == [Answer("One two three.")]
    assert (ours.reasked, ours.shortened) == (1, 1) and len(ours.asked) == 2


def test_if_there_is_no_second_answer_the_first_is_shortened():
    ours = rewriter(always(LONG), always(Answer(None, "prompt of 90 tokens, model takes 80")))
    assert ours.complete([SHOWN]) == [Answer("One two three.")]
    assert (ours.reasked, ours.shortened) == (1, 1)


def test_a_long_answer_without_a_sentence_that_fits_is_missing():
    ours = rewriter(always(LONG), always("one two three four five six seven. eight"))
    assert ours.complete([SHOWN]) == [Answer(None, "no whole sentence within 6 words")]


def test_a_missing_answer_stays_missing_and_is_not_asked_again():
    ours = rewriter(always(Answer(None, "refused: no")))
    assert ours.complete([SHOWN]) == [Answer(None, "refused: no")]
    assert (len(ours.asked), ours.reasked, ours.shortened) == (1, 0, 0)


def test_an_answer_that_ran_into_the_limit_of_tokens_is_drawn_once_more():
    drawn: list[int] = []

    def circling(chat: Chat) -> Answer:
        drawn.append(chat.repeat)
        return Answer(SHORT) if len(drawn) == 2 else Answer(None, "cut at 128 tokens")

    ours = rewriter(circling)
    assert ours.complete([SHOWN]) == [Answer(SHORT)] and ours.reasked == 1
    assert len(set(drawn)) == 2, "another draw, not the same one"
    assert rewriter(always(Answer(None, "cut at 9 tokens"))).complete([SHOWN]) == [
        Answer(None, "cut at 9 tokens")
    ]


def test_only_the_long_ones_are_asked_again_and_answers_keep_their_places():
    prompts = [f"Prompt {i}." for i in range(6)]

    def first(chat: Chat) -> str:
        number = next(i for i, prompt in enumerate(prompts) if prompt in chat.messages[-1][1])
        return f"Answer {number}." if number % 2 else f"Answer {number}. " + "more " * 20

    ours = rewriter(first, always("second one"))
    answers = ours.complete([Request(prompt, max_words=6) for prompt in prompts])
    assert [answer.text for answer in answers] == [
        "second one",
        "Answer 1.",
        "second one",
        "Answer 3.",
        "second one",
        "Answer 5.",
    ]
    assert len(ours.asked) == 9 and ours.reasked == 3


def test_white_space_around_an_answer_is_no_part_of_it():
    assert rewriter(always(f"\n {SHORT}  \n")).complete([SHOWN]) == [Answer(SHORT)]


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (2, ""),
        (3, "One two three."),
        (6, "One two three."),
        (7, "One two three. Four five six seven."),
        (9, LONG),
    ],
)
def test_whole_sentences_by_hand(limit, text):
    assert whole_sentences(LONG, limit) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('He said "go." She went on and on and on', 'He said "go."'),
        ("At 3.30 the bell rings and rings and rings", ""),
        ("Fog lifts!\n\nWho rows the boat across the bay", "Fog lifts!"),
        ("Wait… then it all begins again in earnest", "Wait…"),
    ],
)
def test_where_a_sentence_ends(text, kept):
    assert whole_sentences(text, 6) == kept


@given(
    st.lists(st.sampled_from(["one", "two.", "three!", "\n", "4.5", "e.g.", '"five."']), max_size=30),
    st.integers(0, 12),
)
def test_no_answer_is_ever_longer_than_allowed(words, limit):
    text = " ".join(words).strip() or "x"
    (answer,) = rewriter(always(text), always(text)).complete([Request("A quay.", max_words=limit)])
    if answer.text is None:
        assert answer.reason == f"no whole sentence within {limit} words"
    else:
        assert len(answer.text.split()) <= limit and text.startswith(answer.text)
