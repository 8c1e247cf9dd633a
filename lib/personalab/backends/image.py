"""Image backends: requests in, pictures out, one batched call, whatever stands behind it.

A card in params/backends chooses the renderer: a diffusers pipeline, the miniature world's own drawing, or a paid
service. Every picture is kept on disk under a key of all that changes it, after every batch, so that a run which was
killed repeats at most the batch in flight. Batches follow from the list of requests alone, not from what is there
already: the same list gives the same batches, and so the same bytes. What could not be made is None with a reason,
never a black picture. Nothing here judges pictures.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from ..world import words
from . import clip, drawn, weights
from .embed import card as read_card
from .pictures import Refused, Request, check, checked, png
from .service import ContentRefused, Service
from .store import Store

#: settings of a card that change how fast, how dear or where, but not what is rendered
_OPERATION = ("batch_size", "offload", "timeout", "key_variable", "dollars_per_image")

Render = Callable[[Sequence[Request]], Sequence[np.ndarray | Refused]]
Read = Callable[[Sequence[str]], list[dict[str, str]]]
Rewrite = Callable[[str, dict[str, str]], str]


class ImageBackend:
    """Requests to pictures, each rendered once.

    Args:
        name: the card's name, under which the store keeps its pictures.
        card: settings; `batch_size` is read here, all that changes a picture goes into the keys.
        render: n requests of one kind (with or without picture, negative prompt) to n pictures or refusals.
        store: folder for all cards' pictures, or None to keep nothing.
        read: texts to the attribute values they name; None if the renderer reads prompts itself.
        rewrite: prompt and its values to what the renderer is shown.
        identity: what else tells this renderer from others under the same card, say a hash of its weights.

    Attributes:
        rendered, found: distinct pictures rendered, and taken from the store.
        seconds: time spent rendering.
    """

    def __init__(
        self,
        name: str,
        card: dict[str, Any],
        render: Render,
        *,
        store: Path | str | None = None,
        read: Read | None = None,
        rewrite: Rewrite | None = None,
        identity: dict[str, str] | None = None,
    ):
        self.name, self.card = name, card
        self.rendered, self.found, self.seconds = 0, 0, 0.0
        self._render, self._read, self._rewrite = render, read, rewrite
        self._store = Store(Path(store) / name if store else None)
        kept = {key: value for key, value in card.items() if key not in _OPERATION}
        self._identity = json.dumps(kept | (identity or {}), sort_keys=True, default=str)
        self._fits = card["batch_size"]
        self._reasons: dict[str, str] = {}

    def __call__(self, requests: Sequence[Request]) -> list[np.ndarray | None]:
        """One picture (h, w, 3) uint8 per request, or None where it was refused; one array for one request
        that is asked for twice.

        Raises:
            TypeError: one request instead of a list.
            ValueError: a request that the card cannot serve.
            MemoryError: a single picture is too large for the device.
        """
        if isinstance(requests, Request):
            raise TypeError("got one Request, expected a list of them; write [request]")
        shown = self._shown(requests)
        keys = [self._key(request) for request in shown]
        chunks = self._chunks(dict(zip(keys, shown, strict=True)))
        results, missing = {}, []
        for chunk in chunks:
            there = {key: result for key in chunk if (result := self._store.get(key)) is not None}
            results.update(there)
            if len(there) < len(chunk):
                missing.append(chunk)
            else:
                self.found += len(chunk)
        total = sum(map(len, missing))
        with tqdm(total=total, desc=self.name, unit="image", disable=len(missing) < 2) as bar:
            for chunk in missing:
                results = self._made(chunk, results) | results
                bar.update(len(chunk))
        said = {key: result.reason for key, result in results.items() if isinstance(result, Refused)}
        self._reasons = {key: why for key, why in self._reasons.items() if key not in results} | said
        return [None if isinstance(results[key], Refused) else results[key] for key in keys]

    @property
    def refused(self) -> Counter[str]:
        """Reason -> number of distinct pictures that are missing for it."""
        return Counter(self._reasons.values())

    def reason(self, request: Request) -> str | None:
        """Why the picture of a request is missing; None if it is not, or was never asked for."""
        (shown,) = self._shown([request])
        return self._reasons.get(self._key(shown))

    def grounded(self, prompts: Sequence[str]) -> list[dict[str, str]]:
        """The attribute values read from each prompt. Raises ValueError if the card has no grounding."""
        if self._read is None:
            raise ValueError(f"card {self.name} passes prompts on as they are; expected `grounding: words`")
        return self._read(list(prompts))

    def _shown(self, requests: Sequence[Request]) -> list[Request]:
        """The requests as the renderer gets them: checked, grounded, the card's strength filled in."""
        for request in requests:
            check(request, self.name, self.card)
        prompts = [request.prompt for request in requests]
        if self._read and self._rewrite:
            prompts = list(map(self._rewrite, prompts, self._read(prompts)))
        return [self._filled(r)._replace(prompt=p) for r, p in zip(requests, prompts, strict=True)]

    def _filled(self, request: Request) -> Request:
        strength = self.card.get("strength", 0.7) if request.strength is None else request.strength
        return request._replace(seed=int(request.seed), strength=None if request.image is None else strength)

    def _key(self, request: Request) -> str:
        image = request.image
        start = None if image is None else [image.shape, hashlib.sha256(image.tobytes()).hexdigest()]
        parts = [self._identity, request.prompt, request.negative, request.seed, start, request.strength]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _chunks(self, wanted: dict[str, Request]) -> list[dict[str, Request]]:
        """Requests of one kind, `batch_size` at a time, in the order they were first asked for."""
        kinds: dict[Any, list[str]] = {}
        for key, request in wanted.items():
            shape = None if request.image is None else request.image.shape
            kinds.setdefault((shape, request.strength, bool(request.negative)), []).append(key)
        size = self.card["batch_size"]
        cut = [keys[start : start + size] for keys in kinds.values() for start in range(0, len(keys), size)]
        return [{key: wanted[key] for key in keys} for keys in cut]

    def _made(self, chunk: dict[str, Request], known: dict[str, Any]) -> dict[str, np.ndarray | Refused]:
        """Render a chunk whole and keep what was missing of it."""
        start = time.perf_counter()
        results = dict(zip(chunk, self._rendered(list(chunk.values())), strict=True))
        self.seconds += time.perf_counter() - start
        self.rendered += len(chunk)
        for key, request in chunk.items():
            if key not in known:
                facts = {"prompt": request.prompt, "seed": str(request.seed), "card": self._identity}
                self._store.put(key, results[key], facts)
        return results

    def _rendered(self, requests: list[Request]) -> list[np.ndarray | Refused]:
        """As many at a time as fit; what does not fit is halved, down to one."""
        done: list[np.ndarray | Refused] = []
        while len(done) < len(requests):
            part = requests[len(done) : len(done) + self._fits]
            try:
                done += checked(self._render(part), len(part))
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                self._fits = self._halved(len(part))
            if self._fits < len(part) and torch.cuda.is_available():
                torch.cuda.empty_cache()
        return done

    def _halved(self, size: int) -> int:
        if size == 1:
            raise MemoryError(
                f"card {self.name}: one picture at a time does not fit into memory; besides `batch_size` (now 1) "
                "try `offload: model` or `sequential`, or a smaller `dtype`"
            )
        return size // 2


def load(
    name: str,
    *,
    device: str = "cpu",
    store: Path | str | None = None,
    embed: words.Embed | None = None,
    threads: int | None = None,
) -> ImageBackend:
    """The image backend of card `name` (in params/backends, or a path that ends in .yaml).

    Args:
        device: "cpu" or "cuda"; ignored by services.
        store: folder for the pictures, or None to keep nothing.
        embed: text encoder that grounding reads prompts with, n texts to (n, d) unit rows.
        threads: CPU threads while rendering; None leaves torch as it is. The last bits of sums may follow it.
    """
    card, name = read_card(name), Path(name).stem
    if card.get("grounding") not in (None, "words"):
        raise ValueError(f"card {name}: grounding {card['grounding']!r}; expected 'words' or none")
    match card.get("kind"):
        case "diffusers":
            from . import pipelines  # diffusers takes seconds to import

            render, identity = pipelines.renderer(card, device, threads), weights.identity(card)
        case "drawn":
            render, identity = drawn.render, {"world": drawn.world()}
            embed = embed or clip.load(card["clip"], device=device).texts
        case "openai-images":
            render, identity = _service(card), {}
        case kind:
            raise ValueError(f"card {name}: kind {kind!r}; expected 'diffusers', 'drawn' or 'openai-images'")
    reading: dict[str, Any] = {}
    if card["kind"] == "drawn" or "grounding" in card:
        rewrite = drawn.named if card["kind"] == "drawn" else drawn.plain
        reading = {"read": drawn.grounder(name, card, embed), "rewrite": rewrite}
    return ImageBackend(name, card, render, store=store, identity=identity, **reading)


def _out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    said = "out of memory" in text or "can't allocate memory" in text
    return said or isinstance(error, (torch.OutOfMemoryError, MemoryError))


def _service(card: dict[str, Any]) -> Render:
    service = Service(card)

    def render(requests: Sequence[Request]) -> list[np.ndarray | Refused]:
        return [one(request) for request in requests]

    def one(request: Request) -> np.ndarray | Refused:
        start = None if request.image is None else png(request.image)
        try:
            return service.image(request.prompt, start, **card.get("call", {}))
        except ContentRefused as refusal:
            return Refused(str(refusal))

    return render
