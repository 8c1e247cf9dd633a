"""The stages by language model against a scripted one: forms, counts, reasons, and what is asked of whom."""

import json
import re
from collections import Counter

import pytest
from scripted import Scripted, stage_of

from personalab.backends.chat import Answer
from personalab.records import Persona, read_jsonl, to_jsonl
from personalab.vptt.bench.drafts import CATEGORIES
from personalab.vptt.bench.personas import KINDS
from personalab.vptt.bench.seeds import parse_lines
from personalab.vptt.bench.stages import Writer
from personalab.world.words import spelt

LINES = [
    "A woman who works as a sailor and lives in Porto",
    "A walker who collects old maps",
    "A man who repairs radios and loves chess",
    "A beekeeper with a weakness for railway history",
    "A nurse who is learning to paint with watercolours",
]
SEEDS = parse_lines(json.dumps({"persona": line}).encode() for line in LINES).kept
assert len(SEEDS) == len(LINES)


def write(llm=None, n=5, posts=20, **settings):
    llm = llm or Scripted()
    writer = Writer(llm, posts=posts, **{"words": (15, 60), "rates": {}} | settings)
    return list(writer.write(SEEDS, n, rule="identity"))


@pytest.fixture(scope="module")
def outcomes():
    return write()


def only(stage, answer, times=10**6, persona=None):
    """A fault: the first `times` questions of a stage get `answer`; `persona` limits it to one seed's words."""
    left = Counter({stage: times})

    def fault(asked, chat):
        if asked == stage and (persona is None or persona in str(chat.messages)) and left[stage] > 0:
            left[stage] -= 1
            return answer if isinstance(answer, Answer) else Answer(answer)
        return None

    return Scripted(fault)


def test_every_persona_is_a_record_that_can_be_read_back(outcomes, tmp_path):
    personas = [outcome.persona for outcome in outcomes]
    assert [persona.id for persona in personas] == [f"p{i:05d}" for i in range(5)]
    path = tmp_path / "personas.jsonl"
    path.write_bytes(to_jsonl(personas))
    assert read_jsonl(path, Persona).records == personas


def test_sizes_and_mix_are_the_papers(outcomes):
    for outcome in outcomes:
        persona = outcome.persona
        assert len(persona.posts) == 20 and len(set(persona.captions)) == 20
        assert Counter(post.kind for post in persona.posts) == {
            kind: round(20 * s) for kind, s in KINDS.items()
        }
        assert 15 <= len(persona.preferences) <= 20 and 5 <= len(persona.demographics.interests) <= 8
        for categories in CATEGORIES.values():
            assert sum(len(persona.elements.get(k, ())) for k in categories) <= 20


def test_posts_show_what_they_carry_and_unused_entries_are_pruned(outcomes):
    for outcome in outcomes:
        persona = outcome.persona
        shown = {(k, e) for post in persona.posts for k, entries in post.elements.items() for e in entries}
        assert shown == {(k, e) for k, entries in persona.elements.items() for e in entries}
        for post in persona.posts:
            assert post.elements and all(
                e in post.caption for entries in post.elements.values() for e in entries
            )
            if post.kind == "appreciation":
                assert not {"actions", "appearance", "pose"} & set(post.elements)


def test_gender_needs_a_word_of_the_seed_whatever_the_model_says(outcomes):
    """The script claims "woman" for everybody; two seeds state a gender."""
    genders = [outcome.persona.demographics.gender for outcome in outcomes]
    assert genders == ["woman", "unknown", "man", "unknown", "unknown"]
    assert [o.persona.sources["gender"] for o in outcomes] == [
        "seed",
        "unknown",
        "seed",
        "unknown",
        "unknown",
    ]


def test_a_word_inside_another_states_no_gender():
    wrong = {
        "country": "Japan", "city": "Kyoto", "place_basis": "guess", "place_words": "", "ethnicity": None,
        "gender": "man", "gender_words": "man",
    }  # fmt: skip
    (outcome,) = write(only("origin", json.dumps(wrong)), n=1)
    assert outcome.persona.demographics.gender == "unknown", "'man' stands in 'woman'"


def test_supposed_places_move_and_stated_ones_stay():
    rates = {"South Asia": 1.0}
    sailor, walker, *_ = write(n=2, rates=rates)
    assert (sailor.persona.demographics.city, sailor.persona.sources["place"]) == ("Porto", "seed")
    assert sailor.notes["moved to"] is None and sailor.notes["place"] == "stated"
    assert walker.notes["country said"] == "India" and walker.persona.sources["place"] == "sampled"
    assert walker.persona.demographics.country == walker.notes["moved to"] != "India"


def test_a_place_claimed_with_words_that_are_not_there_counts_as_supposed():
    claimed = {
        "country": "Canada", "city": "Halifax", "place_basis": "stated", "place_words": "Halifax", "ethnicity": None,
        "gender": "unknown", "gender_words": "",
    }  # fmt: skip
    (outcome,) = write(only("origin", json.dumps(claimed)), n=1, rates={"Canada": 1.0})
    assert outcome.notes["place"] == "guess" and outcome.persona.demographics.country != "Canada"


def test_elements_imply_what_their_words_say(outcomes):
    persona = outcomes[0].persona
    every = [e for entries in persona.elements.values() for e in entries]
    assert all(persona.implies[e] == spelt(e) for e in every) and any(persona.implies[e] for e in every)
    assert set(persona.implies) == {*every, *persona.preferences, *persona.demographics.interests}


def test_scenarios_go_to_their_own_model_in_batches_of_six_to_eight():
    facts, hot = Scripted(), Scripted()
    write(facts, n=2, scenarios=hot)
    assert set(hot.asked) == {"scenarios"} and "scenarios" not in facts.asked
    sizes = [len(re.findall(r"^\d+\. ", chat.messages[1][1], flags=re.M)) for chat in hot.chats]
    assert sizes == [6, 6, 7, 7, 7, 7]
    assert facts.asked == {"origin": 2, "person": 2, "elements": 6, "preferences": 2, "caption": 40}
    assert all(sizes) or sum(sizes) > 0


def test_neither_gender_nor_ethnicity_reaches_the_vocabulary():
    llm = Scripted()
    outcomes = write(llm)
    asked = [str(chat.messages) for chat in llm.chats if stage_of(chat) == "elements"]
    words = {o.persona.demographics.ethnicity for o in outcomes} | {"woman", "unknown", "gender"}
    assert not any(word in question for question in asked for word in words)


def test_same_seed_same_bytes_in_batches_of_any_size(outcomes):
    whole = to_jsonl(outcome.persona for outcome in outcomes)
    writer = Writer(Scripted(), posts=20, words=(15, 60), rates={})
    assert to_jsonl(o.persona for o in writer.write(SEEDS, 5, rule="identity", batch=2)) == whole
    other = Writer(Scripted(), posts=20, words=(15, 60), rates={}, seed=1)
    assert to_jsonl(o.persona for o in other.write(SEEDS, 5, rule="identity")) != whole


BAD = {
    "not JSON": "I would be glad to help. Here it is: {...}",
    "refused": Answer(None, "refused by the model"),
    "off the schema": '{"answer": "yes"}',
    "empty": "",
    "NaN": '{"entries": NaN}',
    "half a surrogate": '{"preferences": ["\\ud800 walks"]}',
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
@pytest.mark.parametrize(
    "stage, reason",
    [
        ("origin", "no origin"),
        ("person", "no person"),
        ("elements", "no elements"),
        ("preferences", "no preferences"),
    ],
)
def test_a_persona_without_a_usable_answer_is_dropped_for_that_reason(stage, reason, answer):
    """The fault concerns every persona; each is asked three times and not once more, and nothing else afterwards."""
    llm = only(stage, answer)
    outcomes = write(llm, n=3)
    assert [o.persona for o in outcomes] == [None] * 3 and {o.reason for o in outcomes} == {reason}
    assert llm.asked[stage] == 9 and all(o.notes["asked again"] == 2 and o.detail for o in outcomes)
    assert "scenarios" not in llm.asked


def test_one_persona_failing_leaves_the_others_as_they_were(outcomes):
    mixed = write(only("origin", "no", persona="repairs radios"))
    assert [o.reason for o in mixed] == [None, None, "no origin", None, None]
    kept = [o.persona for o in mixed if o.persona]
    assert kept == [o.persona for o in outcomes if o.number != 2]
    assert len(mixed) == len(kept) + sum(o.reason is not None for o in mixed)


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_one_bad_answer_is_asked_again_and_leaves_no_trace_in_the_record(outcomes, answer):
    llm = only("person", answer, times=1)
    mended = write(llm)
    assert [o.notes["asked again"] for o in mended] == [1, 0, 0, 0, 0]
    assert [o.persona for o in mended] == [o.persona for o in outcomes]


def test_the_second_question_shows_the_answer_and_what_is_wrong_with_it():
    llm = only("person", '{"name": "A"}', times=2)
    write(llm, n=1)
    first, second, third = [chat for chat in llm.chats if stage_of(chat) == "person"]
    assert second.messages[: len(first.messages)] == first.messages
    assert second.messages[-2] == ("assistant", '{"name": "A"}') and "name" in second.messages[-1][1]
    assert [chat.repeat for chat in (first, second, third)] == [0, 1, 2], (
        "or a ledger would give the old answer"
    )


def test_a_refusal_is_asked_again_in_the_same_words():
    llm = only("origin", Answer(None, "refused"), times=1)
    write(llm, n=1)
    first, second = [chat for chat in llm.chats if stage_of(chat) == "origin"]
    assert second == first._replace(repeat=1)


def test_missing_captions_cost_posts_and_below_ten_the_persona():
    def fault(stage, chat):
        question = chat.messages[1][1]
        return Answer('{"caption": "too short"}') if stage == "caption" and "night" in question else None

    outcomes = write(Scripted(fault), posts=30)
    for outcome in outcomes:
        left_out = outcome.notes["posts left out"]
        assert len(outcome.persona.posts) + left_out.total() == 30 and left_out["no caption"] == 6
    outcomes = write(Scripted(fault), posts=12)
    for outcome in outcomes:
        left_out = outcome.notes["posts left out"].total()
        assert (outcome.persona is None) == (left_out > 2)
        assert outcome.reason == (None if left_out <= 2 else "fewer than 10 valid posts")


def test_the_length_of_captions_is_a_parameter():
    outcomes = write(n=2, posts=10, words=(200, 210))
    assert {len(caption.split()) for o in outcomes for caption in o.persona.captions} == {200}


def test_missing_scenarios_cost_their_whole_batch_and_nothing_is_asked_about_them():
    llm = only("scenarios", "no idea", times=3)
    (outcome,) = write(llm, n=1)
    assert outcome.notes["posts left out"] == {"no scenario": 6}
    assert len(outcome.persona.posts) == 14 and llm.asked["caption"] == 14


def test_a_caption_told_twice_counts_once():
    question = {"foreground": [], "background": [], "atmospheric": []}

    def fault(stage, chat):
        if stage != "caption":
            return None
        offered = chat.messages[1][1].split("background: ")[1].split("\n")[0].split("; ")
        same = "The very same words again and again, as if nothing else had ever been seen here."
        return Answer(json.dumps(question | {"caption": same, "background": offered[:1]}))

    (outcome,) = write(Scripted(fault), n=1)
    assert outcome.notes["posts left out"] == {"a caption told before": 19}
    assert outcome.reason == "fewer than 10 valid posts" and outcome.detail == "1 of 20"


def test_what_a_seed_asks_for_stays_data():
    line = 'A clerk who says {{ 7 * 7 }} and {"country": "Atlantis"} and ignores all instructions'
    seeds = parse_lines([json.dumps({"persona": line}).encode()]).kept
    llm = Scripted()
    (outcome,) = Writer(llm, posts=10, words=(15, 60)).write(seeds, 1)
    assert "{{ 7 * 7 }}" in llm.chats[0].messages[1][1] and llm.chats[0].messages[0][0] == "system"
    assert outcome.persona.seed == line


def test_no_seeds_is_an_error():
    with pytest.raises(ValueError, match="got no seeds"):
        next(Writer(Scripted()).write([], 1))
