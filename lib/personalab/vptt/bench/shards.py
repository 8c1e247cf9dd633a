"""Thousands of personas by grammar, in files of a few hundred (VPTT 9.5: 10,000 personas, 300,000 posts).

Persona i depends on the recipe and on i alone, so shards are made in any order, by several processes, and only
those that are missing. A shard appears whole or not at all: after a kill at most the shards in flight are made
again. The folder is named after the recipe (seeds, settings and the code that draws), so changing any of them
never mixes old personas with new ones. Nothing here asks a language model; those stages resume by their ledger.
"""

import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from ...records import Persona, read_jsonl, to_jsonl
from ...sources import write_atomic
from ...world import words as world_words
from .personas import FEWEST_POSTS, make_persona
from .seeds import Seed, seed_index


class Shard(NamedTuple):
    """One finished file: numbers `first` to `last` were drawn, `kept` of them had enough valid posts."""

    path: Path
    first: int
    last: int
    kept: int

    @property
    def dropped(self) -> int:
        """Personas left out for fewer than 10 valid posts (VPTT 9.5)."""
        return self.last - self.first + 1 - self.kept


class _Task(NamedTuple):
    path: Path
    first: int
    seeds: list[Seed]
    settings: dict[str, Any]


def write(
    folder: Path,
    seeds: Sequence[Seed],
    n: int,
    *,
    seed: int = 0,
    posts: int = 30,
    words: tuple[int, int] = (60, 90),
    rule: str = "sha256",
    size: int = 100,
    workers: int = 2,
) -> Iterator[Shard]:
    """Draw n personas into shards and yield each shard, in order, as soon as it and those before it are there.

    Args:
        folder: shards lie in a folder below it that is named after the recipe.
        seeds, seed, posts, words, rule: as in `personas.generate`; the same personas come out.
        size: personas per file.
        workers: processes; 1 draws in this one. Their number changes no byte.

    Raises:
        ValueError: no seeds, or a size or number of workers below 1.
    """
    if not seeds or size < 1 or workers < 1:
        raise ValueError(
            f"got {len(seeds)} seeds, size {size}, workers {workers}; expected at least one of each"
        )
    settings = {"seed": seed, "posts": posts, "words": words}
    place = Path(folder) / recipe(seeds, rule=rule, **settings)
    tasks = [
        _Task(
            place / f"{first:06d}-{min(first + size, n) - 1:06d}.jsonl",
            first,
            [seeds[seed_index(i, len(seeds), rule)] for i in range(first, min(first + size, n))],
            settings,
        )
        for first in range(0, n, size)
    ]
    missing = sum(not task.path.exists() for task in tasks)
    return _here(tasks) if min(workers, missing) < 2 else _spread(tasks, min(workers, missing))


def read(shards: Iterable[Shard]) -> Iterator[Persona]:
    """The personas of the shards, in order, one shard in memory at a time. RecordError for a damaged file."""
    for shard in shards:
        yield from read_jsonl(shard.path, Persona).records


def recipe(seeds: Sequence[Seed], **settings: Any) -> str:
    """Sixteen hexadecimal digits over the seeds, the settings and the files that draw."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for seed in seeds:
        digest.update(f"{seed.text}\n".encode())
    here, world = Path(__file__).parent, Path(world_words.__file__)
    drawing = [file for file in here.rglob("*") if file.suffix in (".py", ".yaml")]
    for file in sorted([*drawing, world, world.with_suffix(".yaml")]):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _here(tasks: Iterable[_Task]) -> Iterator[Shard]:
    return map(_finish, tasks)


def _spread(tasks: Sequence[_Task], workers: int) -> Iterator[Shard]:
    """The same over processes: fresh ones, since forking one that runs torch's threads may hang."""
    fresh = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=fresh, initializer=_end_with_parent)
    try:
        yield from pool.map(_finish, tasks)
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """In a worker: leave as soon as the process that started it is gone, however it went."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _finish(task: _Task) -> Shard:
    """Make the shard unless it is there."""
    if not task.path.exists():
        fewest = min(FEWEST_POSTS, task.settings["posts"])
        made = (make_persona(source, task.first + j, **task.settings) for j, source in enumerate(task.seeds))
        write_atomic(task.path, to_jsonl(persona for persona in made if len(persona.posts) >= fewest))
    kept = task.path.read_bytes().count(b"\n")
    return Shard(task.path, task.first, task.first + len(task.seeds) - 1, kept)
