"""Pages of Civitai's API about people of the drawn world, with everything in them that a reader must tell apart.

Some of the invented Reddit users have an account of their own name, or of that name with three digits; their pictures'
prompts follow their taste. Among these stand accounts that must not link (strangers, look-alikes, too few pictures, two
for one user) and pictures that must not count (unsafe, without prompt, twice, films, broken). What was planted is returned.
Nobody in it exists.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from ...sources import write_atomic
from ...world import users

#: Kinds of account -> share of the accounts that link; the first three do.
ACCOUNTS = {
    "name": 0.6, "capitals": 0.1, "three digits": 0.3, "two for one": 0.05, "beside the name": 0.05, "too few": 0.15,
    "two digits": 0.05, "four digits": 0.05, "stranger": 0.4,
}  # fmt: skip
#: Kinds of item to drop -> their number over that of the pictures to keep.
NOISE = {
    "not safe": 0.1, "no generation data": 0.08, "no prompt": 0.04, "not a picture": 0.02, "no account": 0.01,
    "duplicate": 0.02, "broken": 0.005,
}  # fmt: skip
#: Share of a user's pictures that repeat an earlier prompt with another seed, and that change one a little.
AGAIN, CHANGED = 0.1, 0.05
_PER_PAGE = 100
_START = datetime(2023, 6, 1, tzinfo=UTC)


class Planted(NamedTuple):
    """What the pages hold."""

    links: dict[str, tuple[int, bool]]
    """Account in lower case -> which of the people it belongs to, and whether by three digits."""
    prompts: dict[str, list[str]]
    """Linking account -> its prompts, oldest first."""
    short: dict[str, str]
    """Prompt -> the short prompt of its scene."""
    accounts: Counter[str]
    """Accounts with a picture, by the kinds of ACCOUNTS."""
    items: Counter[str]
    """Items by "kept" and the kinds of NOISE."""


def write_pages(
    folder: Path,
    names: Sequence[str],
    person: Callable[[int], users.User],
    *,
    seed: int,
    share: float = 0.08,
    pictures: tuple[int, int] = (12, 20),
) -> Planted:
    """Write pages as the API gives them, half of them as .json, half as one item a line.

    Args:
        names: Reddit accounts of the invented people.
        person: which of them -> the person; asked for those with an account only.
        share: of the people, those whose account links; at least one.
        pictures: fewest and most pictures with a prompt of one account.
    """
    rng = np.random.default_rng([seed, 5])
    planted = Planted({}, {}, {}, Counter(), Counter())
    items, plenty = [], []
    for kind, name, who in _accounts(names, share, rng):
        count = (
            int(rng.integers(2, 5)) if kind == "too few" else int(rng.integers(pictures[0], pictures[1] + 1))
        )
        own = list(_pictures(name, person(who), count, planted.short, rng))
        planted.accounts[kind] += 1
        if kind in ("name", "capitals", "three digits"):
            planted.links[name.lower()] = who, kind == "three digits"
            planted.prompts[name.lower()] = [one["meta"]["prompt"] for one in own]
        items += own
        plenty += [] if kind == "too few" else own  # noise must not make enough of too few
    planted.items["kept"] = len(items)
    items += _noise(plenty, planted, rng)
    _write(folder, [items[i] for i in rng.permutation(len(items))], rng)
    return planted


def _accounts(names: Sequence[str], share: float, rng: np.random.Generator) -> Iterator[tuple[str, str, int]]:
    """Kind, name and person of every account; no two kinds of trap share a person."""
    linking = max(1, round(share * len(names)))
    order = iter(rng.permutation(len(names)).tolist())
    for kind, part in ACCOUNTS.items():
        for who in [next(order, None) for _ in range(max(1, round(part * linking)))]:
            if who is None:
                raise ValueError(f"got {len(names)} people; expected more, or a share below {share}")
            name, digits = names[who], rng.permutation(np.arange(1000, 10_000))[:2].tolist()
            match kind:
                case "capitals":
                    yield kind, name.title(), who
                case "three digits":
                    yield kind, f"{name}_{digits[0] % 1000:03d}", who
                case "two digits":
                    yield kind, f"{name}_{digits[0] % 100:02d}", who
                case "four digits":
                    yield kind, f"{name}_{digits[0]}", who
                case "stranger":
                    yield kind, f"nobody_{who}", who
                case "two for one":
                    yield kind, f"{name}_123", who
                    yield kind, f"{name}_321", who
                case "beside the name":
                    yield "name", name, who
                    yield kind, f"{name}_{digits[0] % 1000:03d}", who
                case _:
                    yield kind, name, who


def _pictures(
    name: str, person: users.User, count: int, short: dict[str, str], rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """An account's pictures from its person's taste, oldest first."""
    told: list[str] = []
    when = _START + timedelta(minutes=int(rng.integers(500_000)))
    for scene in users.write(person, count, rng):
        basic, prompt = users.prompts(scene, rng)
        draw = rng.random()
        if told and draw < AGAIN + CHANGED:
            earlier = told[int(rng.integers(len(told)))]
            basic, prompt = short[earlier], earlier if draw < AGAIN else f"{earlier}, highly detailed"
        short.setdefault(prompt, basic)
        told.append(prompt)
        when += timedelta(minutes=int(rng.integers(5, 20_000)))
        yield _item(name, prompt, when, rng)


def _item(name: str | None, prompt: str, when: datetime, rng: np.random.Generator) -> dict[str, Any]:
    """An item with the fields and types of the API's reference; every form of rating and of meta occurs."""
    seed, model = int(rng.integers(2**32)), "miniature"
    ratings = ({"nsfw": False, "nsfwLevel": "None"}, {"nsfwLevel": 1, "browsingLevel": 1}, {"nsfw": "None"})
    meta = {"prompt": prompt, "negativePrompt": "", "seed": seed, "steps": 8, "cfgScale": 3, "Model": model}
    return {
        "id": int(rng.integers(10**6, 2**40)),
        "url": f"https://image.example/{rng.bytes(8).hex()}.jpeg",
        "hash": "U00000fQfQfQfQfQfQfQfQfQfQfQ",
        "width": 64,
        "height": 64,
        "type": "image",
        **ratings[int(rng.integers(3))],
        "createdAt": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "postId": int(rng.integers(10**6)),
        "stats": {"likeCount": int(rng.geometric(0.2)), "commentCount": 0},
        "meta": meta,
        "username": name,
        "baseModel": "Other",
    }


def _noise(kept: list[dict[str, Any]], planted: Planted, rng: np.random.Generator) -> Iterator[Any]:
    """What a reader should drop: NOISE's shares of the pictures to keep, of the same accounts."""
    for kind, part in NOISE.items():
        planted.items[kind] = max(1, round(part * len(kept)))
        for i in rng.integers(len(kept), size=planted.items[kind]).tolist():
            item = kept[i] | {"id": int(rng.integers(2**41, 2**42))}
            match kind:
                case "not safe":
                    item |= {"nsfw": True, "nsfwLevel": ("Soft", "Mature", "X", 4)[i % 4]}
                case "no generation data":
                    item["meta"] = None
                case "no prompt":
                    item["meta"] = {"Size": "64x64", "prompt": ("", "<lora:add_more_detail:0.8>")[i % 2]}
                case "not a picture":
                    item["type"] = "video"
                case "no account":
                    item["username"] = None
                case "duplicate":
                    item = kept[i]
                case "broken":
                    item = (item | {"id": str(i)}, item | {"createdAt": "yesterday"}, "image", None)[i % 4]
            yield item


def _write(folder: Path, items: Sequence[Any], rng: np.random.Generator) -> None:
    """The first half as pages with a cursor, in some of which `meta` is nested, the second half one item a line."""
    folder.mkdir(parents=True, exist_ok=True)
    half = len(items) // 2
    for number, start in enumerate(range(0, half, _PER_PAGE)):
        page = items[start : min(start + _PER_PAGE, half)]
        if number % 2 == 0:
            page = [_nested(item) for item in page]
        cursor = {"nextCursor": f"{number + 1}|{int(rng.integers(2**40))}", "pageSize": _PER_PAGE}
        write_atomic(folder / f"images_{number:04d}.json", orjson.dumps({"items": page, "metadata": cursor}))
    write_atomic(folder / "more.jsonl", b"".join(orjson.dumps(item) + b"\n" for item in items[half:]))


def _nested(item: Any) -> Any:
    """The item with its generation data one object further in."""
    inside = isinstance(item, dict) and item["meta"] is not None
    return item | {"meta": {"id": item["id"], "meta": item["meta"]}} if inside else item
