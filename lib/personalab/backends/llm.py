"""Language models by card: chats in, answers out, one batched method `complete`.

A card in params/backends says which model and how it decodes: behind any OpenAI-compatible endpoint, in vLLM's
offline engine, or in transformers. Every answer goes into a ledger as soon as it is there, under a key of all that
changes it (model, revision, weights, messages, images, decoding, seed, repeat), so a run that was killed goes on where it
stood and no answer is paid for twice. A missing answer is None with a reason. Nothing here reads or repairs answers.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tqdm.auto import tqdm

from . import budget, endpoint, engine, local, tokens, weights
from .chat import Answer, Chat, Reply, Route, decoding, media_type, refuse_images
from .embed import card as read_card
from .ledger import Entry, Ledger

#: settings of a card that change how fast, how dear or where, but not what is answered
OPERATION = (
    "base_url", "batch_size", "concurrency", "key", "key_variable", "prompts", "timeout", "tokens_per_image",
    "dollars_per_million_input", "dollars_per_million_output",
    "enforce_eager", "gpu_memory_utilization", "kv_cache_gib", "tensor_parallel_size",
)  # fmt: skip
#: kinds of card whose models are shown text alone
_BLIND = ("transformers", "vllm")


class Estimate(NamedTuple):
    """What is still to be asked, before anything is: distinct calls, prompt tokens, answer tokens at most, dollars."""

    calls: int
    prompt_tokens: int
    answer_tokens: int
    dollars: float


class LLM:
    """Chats to answers, each asked once.

    Args:
        name: the card's name, under which the ledger keeps its answers.
        card: settings; all that changes an answer goes into the keys.
        route: n chats to a generator of lists of replies, see chat.Route.
        ledger: where answers are kept, or None to keep nothing beyond one call.
        identity: what else tells this model from others under the same card, say a hash of its weights.
        money: what calls may cost; a card with prices needs one with a cap.
        count: tokens of a chat's prompt, for estimates.

    Attributes:
        asked, found: distinct chats answered by the model, and taken from the ledger.
    """

    def __init__(
        self,
        name: str,
        card: dict[str, Any],
        route: Route,
        *,
        ledger: Ledger | None = None,
        identity: dict[str, str] | None = None,
        money: budget.Budget | None = None,
        count: Callable[[Chat], int] = tokens.estimate,
    ):
        self.name, self.card = name, card
        self.asked, self.found = 0, 0
        self._route, self._ledger, self._count = route, ledger, count
        self._money = money or budget.Budget(card)
        kept = {key: value for key, value in card.items() if key not in OPERATION}
        self._identity = json.dumps(kept | (identity or {}), sort_keys=True, default=str)

    @property
    def spent(self) -> float:
        """Dollars, with what the ledger held of this card from the start."""
        return self._money.spent

    def complete(self, chats: Sequence[Chat]) -> list[Answer]:
        """One answer per chat, in order; chats that are alike in messages and repeat are asked once.

        Raises:
            TypeError: one Chat instead of a list.
            ValueError: a card with prices and no cap, a chat without messages, or one with images that are none or that
                the card cannot show.
            CapReached: the cap does not allow the next call. What was answered by then is in the ledger, here as after
                any other error of the route.
        """
        wanted = self._wanted(chats)
        known = self._known(wanted)
        self.found += len(known)
        missing = {key: chat for key, chat in wanted.items() if key not in known}
        if missing:
            self._check_money(missing)
            known |= self._ask(missing)
        return [known[self._key(chat)] for chat in chats]

    def estimate(self, chats: Sequence[Chat]) -> Estimate:
        """What `complete` would ask and what that may cost, nothing being sent.

        Prompt tokens are the model's own count if its tokenizer lies in a local folder, and otherwise tokens.estimate,
        which is on the high side; answers are taken to run to `max_tokens`.
        """
        wanted = self._wanted(chats)
        known = self._known(wanted)
        return self._estimated([chat for key, chat in wanted.items() if key not in known])

    def _estimated(self, chats: Sequence[Chat]) -> Estimate:
        read = sum(map(self._count, chats))
        written = len(chats) * self.card.get("call", {}).get("max_tokens", 0)
        return Estimate(len(chats), read, written, budget.price(self.card, read, written))

    def _wanted(self, chats: Sequence[Chat]) -> dict[str, Chat]:
        if isinstance(chats, Chat):
            raise TypeError("got one Chat, expected a list of them; write [chat]")
        if not all(chat.messages for chat in chats):
            raise ValueError("a chat has no messages; expected at least one (role, content)")
        self._check_images([chat for chat in chats if chat.images])
        return {self._key(chat): chat for chat in chats}

    def _check_images(self, chats: Sequence[Chat]) -> None:
        """Of chats that have some."""
        if self.card.get("kind") in _BLIND:
            refuse_images(chats, f"card {self.name} (kind {self.card['kind']})")
        if chats and budget.is_paid(self.card) and "tokens_per_image" not in self.card:
            raise ValueError(
                f"card {self.name} has prices and is to be shown images, but does not say what one costs; expected "
                "`tokens_per_image`, the most tokens that its service bills for one"
            )
        for chat in chats:
            if "user" not in dict(chat.messages):
                raise ValueError("a chat with images has no user message; expected one to show them in")
            for image in chat.images:
                media_type(image)

    def _key(self, chat: Chat) -> str:
        parts = [self._identity, [list(message) for message in chat.messages], chat.repeat]
        if chat.images:  # a chat without keeps the key it had before there were any
            parts.append([digest for digest, _ in _hashed(chat)])
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _known(self, wanted: dict[str, Chat]) -> dict[str, Answer]:
        return self._ledger.get(list(wanted)) if self._ledger else {}

    def _check_money(self, missing: dict[str, Chat]) -> None:
        if budget.is_paid(self.card) and self._money.cap is None:
            calls, *_, dollars = self._estimated(list(missing.values()))
            raise ValueError(
                f"{self.name} costs money and there is no cap: {calls} calls, about {dollars:.2f} dollars at most; "
                "allow them by load(..., cap=<dollars>)"
            )

    def _ask(self, missing: dict[str, Chat]) -> dict[str, Answer]:
        keys, chats, got = list(missing), list(missing.values()), dict[str, Answer]()
        bar = tqdm(total=len(chats), desc=self.name, unit="answer", disable=len(chats) < 2)
        with bar, closing(self._route(chats)) as groups:
            for group in groups:
                self._keep([(keys[reply.index], chats[reply.index], reply) for reply in group])
                got |= {keys[reply.index]: reply.answer for reply in group}
                self.asked += len(group)
                bar.update(len(group))
        if len(got) < len(keys):
            raise RuntimeError(f"{self.name} answered {len(got)} of {len(keys)} chats; expected all of them")
        return got

    def _keep(self, group: list[tuple[str, Chat, Reply]]) -> None:
        if self._ledger:
            self._ledger.put(
                [
                    Entry(key, self.name, self._question(chat), reply.answer, reply.usage)
                    for key, chat, reply in group
                ]
            )

    def _question(self, chat: Chat) -> str:
        """All that the answer depends on, to be read by people."""
        asked = {"messages": chat.messages, "repeat": chat.repeat, "call": decoding(self.card, chat)}
        if chat.images:
            asked["images"] = [{"sha256": digest, "bytes": size} for digest, size in _hashed(chat)]
        return json.dumps(asked | {"model": self.card["model"], "revision": self.card.get("revision")})


def _hashed(chat: Chat) -> list[tuple[str, int]]:
    """SHA-256 and size of each image."""
    return [(hashlib.sha256(image).hexdigest(), len(image)) for image in chat.images]


def load(
    name: str, *, device: str = "cpu", ledger: Path | str | None = None, cap: float | None = None
) -> LLM:
    """The language model of card `name` (in params/backends, or a path that ends in .yaml).

    Args:
        device: "cpu" or "cuda", for kind transformers; services and engines have their own.
        ledger: the SQLite file of answers, or None to keep nothing. Several cards and processes may share one.
        cap: dollars that the card may cost in all, with what the ledger holds of it already; a card with prices asks
            nothing without one.

    Raises:
        FileNotFoundError, ValueError: a card that is not there, or that says what cannot be.
    """
    card, name = read_card(name), Path(name).name.removesuffix(".yaml")
    book = Ledger(ledger) if ledger else None
    spent = book.tokens(name) if book else None
    money = budget.Budget(
        card, cap, budget.price(card, spent.prompt_tokens, spent.answer_tokens) if spent else 0.0
    )
    budget.is_paid(card)
    count, identity = tokens.counter(card), {}
    match card.get("kind"):
        case "openai-chat":
            route = partial(endpoint.answers, card, budget=money, count=count)
        case "transformers":
            route, identity = local.route(card, device), weights.identity(card)
        case "vllm":
            route, identity = partial(engine.replies, card), weights.identity(card)
        case kind:
            raise ValueError(f"card {name}: kind {kind!r}; expected 'openai-chat', 'transformers' or 'vllm'")
    return LLM(name, card, route, ledger=book, identity=identity, money=money, count=count)
