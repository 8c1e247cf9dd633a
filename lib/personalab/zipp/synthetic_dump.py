"""The invented communities' posts and comments, written as monthly dumps in Reddit's own format.

So that everything from the dump file to a user's vector is exercised: texts come from the drawn world's grammar, they
carry their writer's taste where a community has a theme and are small talk elsewhere, some posts are pictures, and among it all stands what real dumps hold besides: bots,
deleted accounts, adult posts, one-word comments, personal pages, repeated lines, broken lines, and private details.
What was planted is returned, so that a reader of the dump can be held to it. Nobody in it exists.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import zstandard

from ..sources import write_atomic
from ..world import users
from ..world.scenes import Scene
from ..world.taste import taste
from .reddit.privacy import Key
from .synthetic import Communities, Population, interactions

FIRST = "amber,brisk,calm,dusty,early,fading,gentle,hollow,idle,jolly,keen,late,mellow,narrow,olive,patient,quiet,rusty,slow,tidy".split(
    ","
)
SECOND = "otter,lantern,kettle,harbour,maple,pebble,robin,saddle,thimble,violin,walnut,anchor,badger,candle,daisy,ember".split(
    ","
)
_POSTS = ("{}", "From last week: {}", "For once I had time, so here is {}", "What I kept from this year: {}")
_COMMENTS = (
    "For me it would have to be {}",
    "I have one just like it, {}",
    "We always had it with {}",
    "Still my favourite of all is {}",
)
_TAILS = (
    "",
    " again",
    " these days",
    " last night",
    " on a Tuesday",
    " with my cousin",
    " before work",
    " since spring",
    " by chance",
    " at last",
    " as ever",
    " on the way home",
)
#: Kinds of planted lines that a reader should drop -> their number over that of the lines to keep.
NOISE = {
    "bot": 0.03, "moderator": 0.01, "deleted": 0.04, "nsfw": 0.01, "short": 0.05, "personal page": 0.01, "repeated": 0.01,
}  # fmt: skip
#: Private details hidden in a share of the kept texts, with what must not be left of each; they are nobody's.
PRIVATE = {
    "my name is Ottoline Brackenridge": "Brackenridge",
    "write to o.brackenridge@mail.example": "o.brackenridge@",
    "see https://brackenridge.example/album": "brackenridge.example",
    "call me on +44 20 7946 0958": "7946 0958",
    "I live at 14 Foxglove Lane": "Foxglove",
    "it was at 51.50853, -0.12574": "51.50853",
}
_HIDDEN = 0.02
_BROKEN = (b'{"id": "x", "author": ', b"\xff\xfe not text", b"[1, 2]")
_FIRST_MONTH = np.datetime64("2024-01")
_SCENES = 8
_SMALL_TALK = 400


class Planted(NamedTuple):
    """What a dump holds."""

    names: list[str]
    """Account of each user, in order."""
    pictures: dict[str, tuple[int, Scene]]
    """Address of a picture -> row of its user, and what it shows."""
    lines: Counter
    """Lines by kind: "kept", the kinds of NOISE, and "broken"."""


def nobodys_key() -> Key:
    """A key that is no secret: identifiers of people who do not exist, the same on every machine."""
    return Key(b"nobody here exists, so nobody is named")


def write_dumps(
    folder: Path,
    writers: Sequence[users.User],
    people: Population,
    places: Communities,
    *,
    share: float,
    seed: int,
    picturing: float = 0.3,
    months: int = 2,
) -> Planted:
    """Write RS_ and RC_ files of some months, .zst of newline-delimited JSON in several frames.

    Args:
        writers: the users behind `people`, one each.
        share: as in `interactions`.
        picturing: share of users who post one to three pictures.

    Raises:
        ValueError: not one writer for each of the people.
    """
    if len(writers) != len(people.which):
        raise ValueError(f"got {len(writers)} writers for {len(people.which)} people; expected one each")
    rng = np.random.default_rng([seed, 1])
    planted = Planted(_names(len(writers), rng), {}, Counter())
    lines = list(_kept(writers, people, places, planted, share, seed, picturing, rng))
    planted.lines["kept"] = len(lines)
    lines += _noise(len(lines), planted, places.names, rng)
    order = rng.permutation(len(lines))
    folder.mkdir(parents=True, exist_ok=True)
    names = _FIRST_MONTH + np.arange(months)
    starts = [int(one) for one in names.astype("datetime64[s]").astype(np.int64)]
    for month in range(months):
        some = order[month::months]
        for kind in ("RS", "RC"):
            mine = [(i, place) for i, place in enumerate(some) if ("title" in lines[place]) == (kind == "RS")]
            rows = [lines[place] | {"created_utc": starts[month] + i} for i, place in mine]
            kept = [row for row, (_, place) in zip(rows, mine, strict=True) if place < planted.lines["kept"]]
            again = [kept[i] for i in rng.permutation(len(kept))[: round(NOISE["repeated"] * len(kept))]]
            planted.lines["repeated"] += len(again)
            planted.lines["broken"] += len(_BROKEN)
            packed = _packed([*(orjson.dumps(one) for one in rows + again), *_BROKEN])
            write_atomic(folder / f"{kind}_{names[month]}.zst", packed)
    return planted


def _kept(
    writers: Sequence[users.User],
    people: Population,
    places: Communities,
    planted: Planted,
    share: float,
    seed: int,
    picturing: float,
    rng: np.random.Generator,
) -> Iterator[dict[str, Any]]:
    """A line for every post and comment of `interactions`; pictures are noted in `planted`."""
    anybody = users.User(taste([]), "")
    small_talk = [users.prompts(scene, rng)[1] for scene in users.write(anybody, _SMALL_TALK, rng)]
    themed = places.themes.any(axis=1)
    start = 0
    for degrees, place, posts, comments in interactions(people, places, share=share, seed=seed):
        edges = np.split(np.arange(len(place)), np.cumsum(degrees)[:-1])
        for row, own in enumerate(edges, start):
            scenes = users.write(writers[row], _SCENES, rng)
            told = [users.prompts(scene, rng)[1] for scene in scenes]
            left = int(rng.integers(1, 4)) if rng.random() < picturing else 0
            name = planted.names[row]
            for edge in own:
                community, subjects = places.names[place[edge]], told if themed[place[edge]] else small_talk
                for _ in range(posts[edge]):
                    which = int(rng.integers(len(subjects)))
                    post = _post(name, community, _said(_POSTS, subjects[which], rng), rng)
                    if left and themed[place[edge]]:
                        left -= 1
                        post |= {"url": f"https://i.redd.it/{rng.bytes(7).hex()}.png", "is_self": False}
                        planted.pictures[post["url"]] = (row, scenes[which])
                    yield post
                for _ in range(comments[edge]):
                    said = _said(_COMMENTS, subjects[int(rng.integers(len(subjects)))], rng)
                    yield _comment(name, community, said, rng)
        start += len(degrees)


def _noise(
    n: int, planted: Planted, communities: Sequence[str], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """What a reader should drop: NOISE's shares of n lines."""
    out = []
    for kind in ("bot", "moderator", "deleted", "nsfw", "short", "personal page"):
        planted.lines[kind] = round(NOISE[kind] * n)
        for _ in range(planted.lines[kind]):
            name = planted.names[int(rng.integers(len(planted.names)))]
            place = communities[int(rng.integers(len(communities)))]
            line = _comment(name, place, "This is about nothing in particular, said by somebody", rng)
            match kind:
                case "bot":
                    line["author"] = "tidy_reminder_bot" if rng.random() < 0.5 else "AutoModerator"
                case "moderator":
                    line["distinguished"] = "moderator"
                case "deleted":
                    line |= {"author": "[deleted]"} if rng.random() < 0.5 else {"body": "[removed]"}
                case "nsfw":
                    line = _post(name, place, "Not for everybody, said by somebody at night", rng) | {
                        "over_18": True
                    }
                case "short":
                    line["body"] = "So very true"
                case "personal page":
                    line["subreddit"] = f"u_{name}"
            out.append(line)
    return out


def _post(author: str, community: str, title: str, rng: np.random.Generator) -> dict[str, Any]:
    line = {
        "id": rng.bytes(6).hex(),
        "author": author,
        "subreddit": community,
        "title": title,
        "selftext": "",
    }
    return line | {"url": "", "is_self": True, "over_18": False, "score": _score(rng), "distinguished": None}


def _comment(author: str, community: str, body: str, rng: np.random.Generator) -> dict[str, Any]:
    line = {"id": rng.bytes(6).hex(), "author": author, "subreddit": community, "body": body}
    return line | {"link_id": f"t3_{rng.bytes(4).hex()}", "score": _score(rng), "distinguished": None}


def _said(frames: Sequence[str], told: str, rng: np.random.Generator) -> str:
    """A text about a scene; some hide a private detail."""
    text = frames[int(rng.integers(len(frames)))].format(told) + _TAILS[int(rng.integers(len(_TAILS)))]
    return f"{text}, {list(PRIVATE)[int(rng.integers(len(PRIVATE)))]}" if rng.random() < _HIDDEN else text


def _score(rng: np.random.Generator) -> int:
    return int(rng.geometric(0.1))


def accounts(n: int, seed: int) -> list[str]:
    """The names of the n accounts of `write_dumps` with this seed, in the order of their writers."""
    return _names(n, np.random.default_rng([seed, 1]))


def _names(n: int, rng: np.random.Generator) -> list[str]:
    """n different accounts."""
    both = [f"{first}_{second}" for first in FIRST for second in SECOND]
    return [f"{both[i % len(both)]}_{i}" for i in rng.permutation(n)]


def _packed(rows: Sequence[bytes], frame: int = 20_000) -> bytes:
    """Lines as .zst, a frame for every `frame` of them."""
    packer = zstandard.ZstdCompressor(level=3)
    parts = (rows[i : i + frame] for i in range(0, len(rows), frame))
    return b"".join(packer.compress(b"".join(row + b"\n" for row in part)) for part in parts)
