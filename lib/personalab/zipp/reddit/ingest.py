"""Dump files to shards, several files at once (ZIPP 3.1 and E.1).

A finished shard is not made again while its input, the key, the settings and this package's code are the same, so a
run that was killed goes on with the files it was in. The URLs of pictures, which somebody has to fetch, go to a private
folder or nowhere. What needs more than one file (caps, users who say little, the graph) is in `aggregate`.
"""

import fcntl
import json
import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from ... import sources
from . import dumps, shards
from .privacy import Key


class Shard(NamedTuple):
    """What became of one file."""

    items: Path
    """Parquet with the columns of `shards.ITEMS`, in the order of the file."""
    counts: dict[str, int]
    """"read" = "kept" + "quarantined" + drops by reason."""


def ingest(
    files: Sequence[str | Path],
    folder: str | Path,
    key: Key | Callable[[], Key],
    *,
    workers: int | None = None,
    private: str | Path | None = None,
    unsafe: shards.Unsafe | None = None,
    nsfw: Collection[str] = (),
    min_words: int = 5,
    limit: int = dumps.LONGEST,
) -> list[Shard]:
    """Make the shards of some dumps.

    Args:
        files: dumps of comments or posts, see `dumps.blocks`; no two of the same name.
        folder: gets NAME.parquet, NAME.json (counts) and NAME.quarantine.jsonl (line, offset, reason) of each file.
        key: or, for several workers, a function that loads it, say `privacy.load_key`: a key is never sent to another
            process, so each loads it for itself.
        workers: processes; by default one per core, at most one per file, and 1 (this process) if `key` is a key.
        private: gets NAME.pictures.parquet (image, url); None: URLs are not kept.
        unsafe: flags texts to be dropped; sees scrubbed texts that passed everything else. With several workers an
            importable function. A failure of it ends the run: nothing passes unseen.
        nsfw, min_words: see `filters.unwanted`.
        limit: longest line (bytes).

    Returns:
        One for each file, in the order given.

    Raises:
        FileNotFoundError: a file does not exist.
        DumpError: some files are damaged. The other shards are finished by then.
        ValueError: two files of one name, a private folder among the outputs or in the repository, or a key where a
            function is needed.
        BlockingIOError: another run writes into the same folder.
    """
    paths, folder = [Path(file) for file in files], Path(folder)
    private = None if private is None else Path(private)
    _check(paths, folder, private)
    workers = min(workers or (1 if isinstance(key, Key) else os.cpu_count() or 1), max(len(paths), 1))
    if workers > 1 and isinstance(key, Key):
        raise ValueError(
            f"got a key and {workers} workers; expected a function that loads it, say privacy.load_key"
        )
    settings = {"nsfw": frozenset(name.lower() for name in nsfw), "min_words": min_words, "limit": limit}
    make = partial(_shard, folder=folder, key=key, private=private, unsafe=unsafe, settings=settings)
    with _only_writer(folder), _mapper(workers) as run:
        made = list(tqdm(run(make, paths), total=len(paths), desc="dumps", unit="file", disable=None))
    damaged = [str(one) for one in made if isinstance(one, dumps.DumpError)]
    if damaged:
        raise dumps.DumpError("\n".join(damaged))
    return made


def _check(paths: list[Path], folder: Path, private: Path | None) -> None:
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such dump")
    twice = [name for name, n in Counter(path.name for path in paths).items() if n > 1]
    if twice:
        raise ValueError(f"got {twice} more than once; shards are named after files: rename one of each")
    for public in () if private is None else (folder, sources.ROOT):
        if private.resolve().is_relative_to(public.resolve()):
            raise ValueError(
                f"private folder {private} lies in {public}; expected one elsewhere, beside the key"
            )


def _shard(
    path: Path,
    folder: Path,
    key: Key | Callable[[], Key],
    private: Path | None,
    unsafe: shards.Unsafe | None,
    settings: dict[str, Any],
) -> Shard | dumps.DumpError:
    """One file's shard, made unless it is there already; an error is returned, so that other files go on."""
    items, note = folder / f"{path.name}.parquet", folder / f"{path.name}.json"
    outputs = [items, folder / f"{path.name}.quarantine.jsonl"]
    outputs += [private / f"{path.name}.pictures.parquet"] if private else []
    key = key if isinstance(key, Key) else key()
    recipe = _recipe(path, key, unsafe, settings)
    if note.exists() and all(file.exists() for file in outputs):
        noted = json.loads(note.read_text())
        if noted["recipe"] == recipe and noted["bytes"] == [file.stat().st_size for file in outputs]:
            return Shard(items, noted["counts"])
    note.unlink(missing_ok=True)
    try:
        counts = shards.write(path, outputs, key, unsafe, settings)
    except dumps.DumpError as error:
        return error
    noted = {"recipe": recipe, "counts": counts, "bytes": [file.stat().st_size for file in outputs]}
    sources.write_atomic(note, json.dumps(noted, indent=1).encode())
    return Shard(items, counts)


def _recipe(path: Path, key: Key, unsafe: shards.Unsafe | None, settings: dict[str, Any]) -> dict[str, str]:
    """What a shard rests on: the input, and all else as one hash."""
    code = sorted(file for file in Path(__file__).parent.iterdir() if file.suffix in (".py", ".yaml"))
    parts = [sources.sha256_file(file) for file in code if file.stem not in ("aggregate", "ingest")]
    parts += [str(sorted(settings["nsfw"])), str(settings["min_words"]), str(settings["limit"])]
    parts += [
        f"{unsafe.__module__}.{unsafe.__qualname__}" if unsafe else "",
        key.identifier("the key itself"),
    ]
    return {"input": sources.sha256_file(path), "rest": sources.sha256("\n".join(parts).encode())}


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(
                f"another run writes into {folder}; wait for it or choose another folder"
            ) from None
        for part in folder.glob(".*.part"):
            part.unlink()
        yield


@contextmanager
def _mapper(workers: int) -> Iterator[Any]:
    """`map`, in this process or over several."""
    if workers == 1:
        yield map
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _follow_parent) as pool:
        yield pool.map


def _follow_parent() -> None:
    """End this worker when its parent is gone, however that ended."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
