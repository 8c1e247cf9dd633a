"""A judge behind a real server on the loopback interface: it reads scores off the pictures' brightness and misbehaves.

A plain picture of brightness 20 k is worth k / 2. What it sees it takes from the canvas by arithmetic of its own. Tests
make the tiles small, which changes nothing but the time they take.
"""

import base64
import io
import json
import random
import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from backends import faulty_server
from personalab.backends import llm
from personalab.backends.llm import LLM
from personalab.vptt.judge import Case

METHODS = ("Baseline", "Summary", "Captions", "Elements", "VPRAG")
FORM, SCORE = (
    "off-form: a line of another form",
    "off-form: a score that is not one of 0, 0.5, ..., 5",
)
#: how the lines that should have been answered are spoilt, and what must be said of it
SPOILT: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "chatter": (lambda lines: ["I would rather look at the first post again."], FORM),
    "preface": (lambda lines: ["Here you are:", *lines], FORM),
    "half of JSON": (lambda lines: ['{"A": 3.5, "B"'], FORM),
    "no explanation": (lambda lines: [lines[0].split(" - ")[0], *lines[1:]], FORM),
    "nan": (lambda lines: [*lines[:-1], f"{lines[-1][:2]} Score=NaN - too dark"], SCORE),
    "too high": (lambda lines: [f"{lines[0][:2]} Score=5.5 - splendid", *lines[1:]], SCORE),
    "below 0": (lambda lines: [f"{lines[0][:2]} Score=-1 - awful", *lines[1:]], SCORE),
    "no half": (lambda lines: [f"{lines[0][:2]} Score=3.7 - precise", *lines[1:]], SCORE),
    "twice": (lambda lines: [*lines, lines[0]], "off-form: a label twice"),
    "unknown": (lambda lines: [*lines, "J: Score=2 - who?"], "off-form: a label that was not shown"),
    "one less": (lambda lines: lines[:-1], "off-form: a label without a line"),
}
REASONS = {fault: reason for fault, (_, reason) in SPOILT.items()} | {
    "refused": "refused: I judge nobody.",
    "filtered": "held back by the service's filter",
    "empty": "an answer without words",
    "cut": "cut at 20 tokens",
}
FAULTS = tuple(REASONS)
#: what is not asked again
LASTING = (None, "refused", "filtered")


def picture(worth: float) -> np.ndarray:
    return np.full((8, 8, 3), int(worth * 40), np.uint8)


def cases(n: int, *, ties: bool = True) -> list[Case]:
    """Every third an edit, every fourth with four methods, pictures of random worth."""
    rng = np.random.default_rng(0)
    out = []
    for i in range(n):
        worth = rng.integers(0, 11, 5) / 2 if ties else rng.permutation(11)[:5] / 2
        shown = METHODS[: 4 if i % 4 == 3 else 5]
        pictures = {method: picture(value) for method, value in zip(shown, worth, strict=False)}
        gallery = [picture(k % 11 / 2) for k in range(1 + i % 10)]
        task, edited = ("editing", picture(1)) if i % 3 == 2 else ("generation", None)
        out.append(Case(f"c{i}", f"u{i // 2}", task, f"a quay, {i}", gallery, pictures, edited))
    return out


def worth(case: Case, method: str) -> float:
    return float(case.pictures[method][0, 0, 0]) / 40


def seen(row: np.ndarray) -> list[float]:
    """Worth of the pictures in a row of tiles from left to right, 8 pixels apart, with a strip of 40 above them."""
    side = row.shape[0] - 56
    return [
        float(row[48 + side // 2, 8 + side // 2 + (side + 8) * i].mean()) / 40
        for i in range(row.shape[1] // (side + 8))
    ]


def unbiased(values: list[float]) -> list[float]:
    return values


class Judge(ThreadingHTTPServer):
    """Answers `rule(worths from left to right)`; `share` of its answers meet a fault that follows from what was asked."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.rule, self.share, self.seen = unbiased, 0.0, list[dict[str, Any]]()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def fault(self, text: str, row: list[float], seed: int) -> str | None:
        rng = random.Random(f"{text} {row} {seed}")
        return rng.choice(FAULTS) if rng.random() < self.share else None

    def answer(self, text: str, row: list[float], seed: int) -> str:
        lines = [
            f"{label}: Score={value:.1f} - light of {value}, as in post 1."
            for label, value in zip("ABCDEFGHIJ", self.rule(row), strict=False)
        ]
        match self.fault(text, row, seed):
            case None:
                return faulty_server.answer("\n".join(lines))
            case "refused":
                return faulty_server.answer(None, refusal="I judge nobody.")
            case "filtered":
                return faulty_server.answer("", "content_filter")
            case "empty":
                return faulty_server.answer(" \n")
            case "cut":
                return faulty_server.answer("\n".join(lines), "length")
            case fault:
                return faulty_server.answer("\n".join(SPOILT[fault][0](lines)))

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()


class Handler(faulty_server.Handler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        system, user = body["messages"]
        text, *parts = user["content"]
        files = [
            base64.b64decode(part["image_url"]["url"].removeprefix("data:image/png;base64,"))
            for part in parts
        ]
        canvases = [np.asarray(Image.open(io.BytesIO(file))) for file in files]
        row, seed = seen(canvases[-1]), body.get("seed", 0)
        self.server.seen.append(
            {
                "system": system["content"],
                "text": text["text"],
                "files": files,
                "canvases": canvases,
                "seed": seed,
            }
        )
        self.reply(200, self.server.answer(text["text"], row, seed))


def load(judge: Judge, folder: Path, **changes: Any) -> LLM:
    """The model behind the server, with a ledger in the folder."""
    call = {"temperature": 0.0, "top_p": 0.95, "max_tokens": 5000, "seed": 42}
    card = {"kind": "openai-chat", "model": "judge", "key": "none", "timeout": 20, "call": call}
    url = f"http://127.0.0.1:{judge.server_port}/v1"
    (folder / "judge.yaml").write_text(yaml.safe_dump(card | {"base_url": url} | changes))
    return llm.load(str(folder / "judge.yaml"), ledger=folder / "answers.sqlite")
