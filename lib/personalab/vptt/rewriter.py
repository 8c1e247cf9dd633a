"""A language model as the rewriter of the five methods (VPTT 4.1, 4.2.3): requests in, prompts p' out.

The words of the question stand in params/prompts; the model is passed in. The word limit is held the same way for
every method, see backends.limits.
"""

from collections.abc import Sequence
from dataclasses import fields
from itertools import compress

from ..backends.chat import Answer, Chat
from ..backends.composer import Request
from ..backends.limits import within
from ..backends.llm import LLM
from ..backends.templates import render


class Rewriter:
    """Stands where Composer stands: `name` and `complete(requests)`.

    Args:
        llm: the model; its card's `prompts` ("full" if it says nothing) chooses the variant of the prompt.
        template: a file in params/prompts, or a path to one.
        repeat: which of several answers to the same requests.

    Attributes:
        reasked, shortened: distinct questions whose first answer was too long; of those the answers that had to be cut.
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
        held = within(self._llm, chats, [request.max_words for request in requests])
        self.reasked += len(set(compress(chats, held.again)))
        self.shortened += len(set(compress(chats, held.cut)))
        return held.answers

    def _chat(self, request: Request) -> Chat:
        shown = {field.name: getattr(request, field.name) for field in fields(request)}
        return Chat(render(self._template, self._variant, **shown), self._repeat)
