"""Answers drawn again: which may come out otherwise, how often they are asked for, and under which number."""

from collections.abc import Iterator, Sequence

import pytest

from personalab.backends.chat import CUT, WORDLESS, Answer, Chat, Reply
from personalab.backends.llm import LLM
from personalab.backends.redraw import in_form, may_change, redrawn

CHATS = [Chat((("user", name),)) for name in ("good", "late", "never", "refused")]


def model(asked: list[Chat]) -> LLM:
    """Good at once, in form at the second further draw, never in form, and a refusal."""

    def route(chats: Sequence[Chat]) -> Iterator[list[Reply]]:
        asked.extend(chats)
        for i, chat in enumerate(chats):
            name = chat.messages[0][1]
            fine = name == "good" or (name == "late" and chat.repeat == redrawn(CHATS[1], 2).repeat)
            text = None if name == "refused" else "yes" if fine else "perhaps"
            yield [Reply(i, Answer(text, None if text else "refused: no"))]

    return LLM("fake", {"model": "fake"}, route)


def test_only_what_is_off_form_is_asked_for_again_and_never_more_often_than_allowed():
    asked: list[Chat] = []
    answers, again = in_form(model(asked), CHATS, lambda _, text: text == "yes")
    assert [answer.text for answer in answers] == ["yes", "yes", "perhaps", None]
    assert again == 4 and len(asked) == 8 and len(set(asked)) == 8, (
        "late and never twice, each draw its own number"
    )


def test_no_further_turns_ask_once():
    asked: list[Chat] = []
    _, again = in_form(model(asked), CHATS, lambda _, text: text == "yes", turns=0)
    assert again == 0 and asked == CHATS


@pytest.mark.parametrize(
    "reason, may", [(WORDLESS, True), (f"{CUT} 9 tokens", True), ("refused: no", False), (None, False)]
)
def test_a_refusal_stays_one(reason, may):
    assert may_change(Answer(None if reason else "text", reason)) == may
