"""Another draw of an answer that will not do, the same way for whoever asks.

An answer without words, or one that ran into the limit of tokens, may come out otherwise with another seed, and so may
one that is off the form its reader wants; a refusal and a prompt that is too long will not. Nothing of an answer is read
or repaired here.
"""

from collections.abc import Callable, Sequence

from .chat import CUT, WORDLESS, Answer, Chat
from .llm import LLM

#: Moves the number of an answer that is drawn again away from those of the answers wanted.
_STEP = 1000


def redrawn(chat: Chat, turn: int = 1) -> Chat:
    """The same question for its `turn`-th further draw: another repeat, and so another seed if the card has one."""
    return chat._replace(repeat=chat.repeat + _STEP * turn)


def may_change(answer: Answer) -> bool:
    """Whether a missing answer may be there at another draw."""
    return answer.reason == WORDLESS or (answer.reason or "").startswith(CUT)


def in_form(
    llm: LLM, chats: Sequence[Chat], good: Callable[[int, str], bool], turns: int = 2
) -> tuple[list[Answer], int]:
    """Ask n chats, and those whose answer will not do at most `turns` times more.

    Args:
        good: whether a text answers chat number i in form.

    Returns:
        n answers, the last drawn of each: one that never came in form is handed out as it is; and how many distinct
        questions were asked again, each turn counted.
    """
    answers, again = llm.complete(chats), 0
    for turn in range(1, turns + 1):
        poor = [
            i
            for i, answer in enumerate(answers)
            if (may_change(answer) if answer.text is None else not good(i, answer.text))
        ]
        moved = [redrawn(chats[i], turn) for i in poor]
        again += len(set(moved))
        for i, answer in zip(poor, llm.complete(moved), strict=True):
            answers[i] = answer
    return answers, again
