"""A language model as the rewriter of the five methods (VPTT 4.1, 4.2.3): requests in, prompts p' out.

The words of the question stand in params/prompts; the model is passed in. The word limit is held the same way for
every method: an answer that is too long is asked for once more with the limit repeated, and if it still is too long
it ends with its last whole sentence under the limit. Nothing else of an answer is changed.
"""

import re
from collections.abc import Sequence
from dataclasses import fields

from ..backends.chat import Answer, Chat
from ..backends.composer import Request
from ..backends.llm import LLM
from ..backends.templates import render

_SENTENCE_END = re.compile(r"[.!?…。！？]['\"”’)\]]*(?=\s|$)")


class Rewriter:
    """Stands where Composer stands: `name` and `complete(requests)`.

    Args:
        llm: the model; its card's `prompts` ("full" if it says nothing) chooses the variant of the prompt.
        template: a file in params/prompts, or a path to one.
        repeat: which of several answers to the same requests.

    Attributes:
        reasked, shortened: distinct questions whose first answer was too long; those of them that had to be cut.
    """

    def __init__(self, llm: LLM, template: str = "vptt_rewrite", *, repeat: int = 0):
        self.name, self.reasked, self.shortened = llm.name, 0, 0
        self._llm, self._template, self._repeat = llm, template, repeat
        self._variant = llm.card.get("prompts", "full")

    def chats(self, requests: Sequence[Request]) -> list[Chat]:
        """The first question of every request, for `llm.estimate` and for reading."""
        return [self._chat(request) for request in requests]

    def complete(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer per request, in order, none longer than its `max_words`."""
        chats = self.chats(requests)
        limits = [request.max_words for request in requests]
        answers = self._asked(chats)
        long = {
            i: self._again(chats[i], answers[i], limits[i])
            for i, answer in enumerate(answers)
            if _words(answer) > limits[i]
        }
        self.reasked += len(set(long.values()))
        still_long = set()
        for (i, chat), second in zip(long.items(), self._asked(list(long.values())), strict=True):
            answers[i] = answers[i] if second.text is None else second
            if _words(answers[i]) > limits[i]:
                answers[i] = _cut(answers[i], limits[i])
                still_long.add(chat)
        self.shortened += len(still_long)
        return answers

    def _asked(self, chats: list[Chat]) -> list[Answer]:
        answers = self._llm.complete(chats)
        return [answer._replace(text=answer.text and answer.text.strip()) for answer in answers]

    def _chat(self, request: Request) -> Chat:
        shown = {field.name: getattr(request, field.name) for field in fields(request)}
        return Chat(render(self._template, self._variant, **shown), self._repeat)

    def _again(self, chat: Chat, answer: Answer, limit: int) -> Chat:
        """The first question, its answer, and the limit once more."""
        more = render("shorten", self._variant, words=_words(answer), max_words=limit)
        return chat._replace(messages=(*chat.messages, ("assistant", answer.text or ""), *more))


def whole_sentences(text: str, limit: int) -> str:
    """The text up to its last sentence end within `limit` words; "" if there is none."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[: max((end for end in ends if len(text[:end].split()) <= limit), default=0)]


def _cut(answer: Answer, limit: int) -> Answer:
    text = whole_sentences(answer.text or "", limit)
    return Answer(text) if text else Answer(None, f"no whole sentence within {limit} words")


def _words(answer: Answer) -> int:
    return len((answer.text or "").split())
