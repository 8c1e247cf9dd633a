"""Pictures in saved pages of Civitai's public API, GET /api/v1/images (ZIPP E.2).

A page is the API's JSON as it came, one file each (.json), or one page or one item a line (.jsonl); pages are read one
after the other and never held together. Every item read is kept or counted under one reason. The forms that the API has
had are understood: `nsfw` as a truth value (2023) or a word, `nsfwLevel` as a word or a number, `meta` flat or inside
another `meta` (2026, asked for by withMeta=true). Names of accounts stand in the rows, for linking, and in no count or
message. Nothing is fetched here and no picture is looked at.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ...backends.chat import encodable

#: Why an item is dropped, in the order in which it is asked.
REASONS = (
    "broken",
    "duplicate",
    "no account",
    "not a picture",
    "not safe",
    "no generation data",
    "no prompt",
)
#: References to add-on networks inside a prompt, such as <lora:detail:0.8>: file names, not words.
_NETWORK = re.compile(r"<(?:lora|lyco|locon|hypernet|hypernetwork)\s*:[^<>]*>", re.IGNORECASE)
_SIZE = re.compile(r"[1-9]\d{0,5}x[1-9]\d{0,5}")


class Picture(NamedTuple):
    """A safe picture with the prompt it was made from."""

    user: str
    """Account, in lower case: names that differ in case only are one account. For linking, never to be written."""
    image: int
    prompt: str
    """As written, without references to networks and with single spaces."""
    created: datetime
    """UTC."""
    seed: int | None
    model: str
    """"" if it is not said."""
    size: str
    """Width x height in pixels, "" if it is not said."""


class Broken(ValueError):
    """An item of a form that the API does not have; the message names field and types and repeats no content."""


class Pages:
    """The pictures in a folder of pages.

    Iterate once; the attributes count along and are complete at the end.

    Args:
        folder: files that end in .json or .jsonl, read in the order of their names, those in folders below included.

    Attributes:
        counts: items by "read", "kept" and REASONS; read is the sum of the others. A file or line that is no JSON counts
            as one broken item.
        shared: account -> its safe pictures, those without a prompt included (E.2 asks for five).
        quarantined: place and reason of everything broken. Files are numbered in the order in which they are read, for
            a file's name may be an account's.

    Raises:
        FileNotFoundError: no such files.
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        self._files = sorted(p for p in folder.rglob("*") if p.suffix in (".json", ".jsonl") and p.is_file())
        if not self._files:
            raise FileNotFoundError(f"no page in {folder}; expected .json or .jsonl files of /api/v1/images")
        self.counts: Counter[str] = Counter(dict.fromkeys(("read", "kept", *REASONS), 0))
        self.shared: Counter[str] = Counter()
        self.quarantined: list[str] = []

    def __iter__(self) -> Iterator[Picture]:
        known: set[int] = set()
        for place, item in self._items():
            self.counts["read"] += 1
            try:
                reason, found = self._judged(item, known)
            except Broken as error:
                self.quarantined.append(f"{place}: {error}")
                reason, found = "broken", None
            self.counts[reason] += 1
            if found is not None:
                yield found

    def _judged(self, item: Any, known: set[int]) -> tuple[str, Picture | None]:
        """The reason for which an item is dropped, or "kept" and its row."""
        if isinstance(item, Broken):
            raise item
        image, user = _whole(_mapping(item), "id"), _text(item, "username").strip().lower()
        created, meta, kind = _date(item), _generation(item), _text(item, "type")
        prompt = plain(_text(meta or {}, "prompt"))
        if image in known:
            return "duplicate", None
        known.add(image)
        if not user:
            return "no account", None
        if kind not in ("", "image"):
            return "not a picture", None
        if not safe(item):
            return "not safe", None
        self.shared[user] += 1
        if meta is None:
            return "no generation data", None
        if not prompt:
            return "no prompt", None
        model = next((x for x in (meta.get("Model"), item.get("baseModel")) if isinstance(x, str)), "")
        return "kept", Picture(user, image, prompt, created, _seed(meta), model, _size(item, meta))

    def _items(self) -> Iterator[tuple[str, Any]]:
        """(place, item) of everything in the files; what cannot be parsed is given out as a Broken."""
        for place, path in enumerate(self._files, 1):
            if path.suffix == ".json":
                yield from _unfolded(path.read_bytes(), f"file {place}")
                continue
            with open(path, "rb") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield from _unfolded(line, f"file {place}, line {number}")


def safe(item: Mapping[str, Any]) -> bool:
    """Whether every rating of an item says safe, and there is one: `nsfw` false or "None", `nsfwLevel` "None" or 1,
    `browsingLevel` 1. "Soft" (2) and everything above is not; what nobody has rated (0) is not either.
    """
    ratings = [item[name] for name in ("nsfw", "nsfwLevel", "browsingLevel") if item.get(name) is not None]
    return bool(ratings) and all(
        one is False or one == "None" or (one is not True and one == 1) for one in ratings
    )


def plain(prompt: str) -> str:
    """A prompt in one line, without references to add-on networks and with "?" for lone surrogates."""
    return " ".join(_NETWORK.sub(" ", encodable(prompt)).split()).strip(" ,")


def _unfolded(data: bytes, place: str) -> Iterable[tuple[str, Any]]:
    """The items of one JSON document: a page, a list of items, or an item by itself."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        return [(place, Broken(f"not JSON ({type(error).__name__})"))]
    items = document.get("items", document) if isinstance(document, dict) else document
    if isinstance(items, dict):
        return [(place, items)]
    if not isinstance(items, list):
        return [(place, Broken(f"a {type(items).__name__}, expected a page with `items`"))]
    return [(f"{place}, item {number}", item) for number, item in enumerate(items, 1)]


def _mapping(item: Any) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise Broken(f"an item is a {type(item).__name__}, expected an object")
    return item


def _whole(item: Mapping[str, Any], name: str) -> int:
    value = item.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise Broken(f"`{name}` is a {type(value).__name__}, expected a whole number from 0 to 2**63 - 1")
    return value


def _text(item: Mapping[str, Any], name: str) -> str:
    """A text field; "" where it is null or missing."""
    value = item.get(name)
    if not isinstance(value, str | None):
        raise Broken(f"`{name}` is a {type(value).__name__}, expected a text or null")
    return value or ""


def _generation(item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The object with prompt and seed; None where the site has none."""
    meta = item.get("meta")
    if isinstance(meta, dict) and "prompt" not in meta and "meta" in meta:
        meta = meta["meta"]
    if not isinstance(meta, dict | None):
        raise Broken(f"`meta` is a {type(meta).__name__}, expected an object or null")
    return meta


def _date(item: Mapping[str, Any]) -> datetime:
    """`createdAt` in UTC; a time without a zone is taken to be UTC."""
    try:
        found = datetime.fromisoformat(_text(item, "createdAt"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Broken("`createdAt` is no date, expected one such as 2023-04-11T15:33:12.500Z") from None


def _seed(meta: Mapping[str, Any]) -> int | None:
    """A seed below 2**63; None where it is missing, random (-1) or no whole number."""
    text = str(meta.get("seed", "")).strip()
    return int(text) if re.fullmatch(r"\d{1,19}", text, re.ASCII) and int(text) < 2**63 else None


def _size(item: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    sizes = (f"{item.get('width')}x{item.get('height')}", meta.get("Size"))
    return next((one for one in sizes if isinstance(one, str) and _SIZE.fullmatch(one)), "")
