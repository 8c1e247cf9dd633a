"""The service client against a real server on the loopback interface that misbehaves on demand."""

import hashlib
import json
import logging
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import numpy as np
import openai
import pytest
import tenacity
import yaml

from personalab.backends import embed, service
from personalab.backends.service import Service

WIDTH = 8
KEY = "sk-canary-5f3a9"
TEXTS = ["a lamp", "a red boat", "rain"]


def vector(text: str) -> list[float]:
    seed = int.from_bytes(hashlib.md5(text.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=WIDTH).tolist()


def vectors(texts: list[str]) -> np.ndarray:
    return np.array([vector(text) for text in texts], np.float32)


class Handler(BaseHTTPRequestHandler):
    """Answers /v1/embeddings, with the next fault of the server's script if there is one."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers["Authorization"], body))
        rows = [
            {"object": "embedding", "index": i, "embedding": vector(t)} for i, t in enumerate(body["input"])
        ]
        np.random.default_rng(len(rows)).shuffle(rows)
        fault = next(self.server.script, None)
        (fault or well)(self, rows)

    def reply(self, status: int, text: str, kind: str = "application/json", **headers: str) -> None:
        data = text.encode()
        self.send_response(status)
        fields = {"content-type": kind, "content-length": str(len(data))} | headers
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


Fault = Callable[[Handler, list[dict]], None]


def answer(rows: Any) -> str:
    return json.dumps({"object": "list", "model": "m", "data": rows, "usage": {"prompt_tokens": 1}})


def well(handler: Handler, rows: list[dict]) -> None:
    handler.reply(200, answer(rows))


def error(status: int, code: str | None = None, message: str = "no", **headers: str) -> Fault:
    text = json.dumps({"error": {"message": message, "code": code, "type": code}})
    return lambda handler, rows: handler.reply(status, text, **headers)


def reset(handler: Handler, rows: list[dict]) -> None:
    """RST in place of an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def late(handler: Handler, rows: list[dict]) -> None:
    """No answer for far longer than the card's timeout."""
    time.sleep(5)


def cut(handler: Handler, rows: list[dict]) -> None:
    """JSON that ends early, of the length it claims."""
    handler.reply(200, answer(rows)[:-40])


def torn(handler: Handler, rows: list[dict]) -> None:
    """An answer shorter than the length it claims."""
    handler.reply(200, answer(rows)[:-40], content_length=str(len(answer(rows))))


def changed(change: Callable[[list[dict]], Any]) -> Fault:
    return lambda handler, rows: handler.reply(200, answer(change(rows)))


def with_number(value: Any) -> Fault:
    return changed(lambda rows: [{**rows[0], "embedding": [value] * WIDTH}, *rows[1:]])


HTML = "<html><body>Bad gateway</body></html>"
PASSING: dict[str, Fault] = {
    "429": error(429, "rate_limit_exceeded"),
    "429 with Retry-After": error(429, "rate_limit_exceeded", retry_after="0"),
    "500": error(500),
    "503 as HTML": lambda handler, rows: handler.reply(503, HTML, "text/html"),
    "408": error(408),
    "reset": reset,
    "late": late,
    "empty": lambda handler, rows: handler.reply(200, ""),
    "HTML": lambda handler, rows: handler.reply(200, HTML, "text/html"),
    "HTML called JSON": lambda handler, rows: handler.reply(200, HTML),
    "cut": cut,
    "torn": torn,
    "null": lambda handler, rows: handler.reply(200, "null"),
    "error called 200": error(200, "server_error"),
    "no data": changed(lambda rows: None),
    "data empty": changed(lambda rows: []),
    "a row short": changed(lambda rows: rows[1:]),
    "a row more": changed(lambda rows: [*rows, {**rows[0], "index": len(rows)}]),
    "a row twice": changed(lambda rows: [{**row, "index": min(row["index"], len(rows) - 2)} for row in rows]),
    "rows counted from 1": changed(lambda rows: [{**row, "index": row["index"] + 1} for row in rows]),
    "rows of unequal length": changed(lambda rows: [{**rows[0], "embedding": [0.5]}, *rows[1:]]),
    "numbers for rows": changed(lambda rows: [{**row, "embedding": 0.5} for row in rows]),
    "NaN": with_number(float("nan")),
    "infinity": with_number(float("inf")),
    "null in a row": with_number(None),
    "words in a row": with_number("warm"),
}
LASTING: dict[str, tuple[Fault, type[Exception]]] = {
    "bad key": (error(401, "invalid_api_key"), openai.AuthenticationError),
    "no quota": (error(429, "insufficient_quota", retry_after="20"), openai.RateLimitError),
    "forbidden": (error(403), openai.PermissionDeniedError),
    "bad request": (error(400, "context_length_exceeded"), openai.BadRequestError),
    "no such model": (error(404, "model_not_found"), openai.NotFoundError),
}


class Server(ThreadingHTTPServer):
    """Faults to come in `script`; what was asked in `seen`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, dict]] = []
        self.script: Iterator[Fault | None] = iter(())
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def card(self, **changes: Any) -> dict[str, Any]:
        card = {"kind": "openai", "model": "m", "width": WIDTH, "max_tokens": 9, "batch_size": 5}
        return card | {"base_url": self.url, "timeout": 10} | changes

    def handle_error(self, *_: Any) -> None:
        """Resets are meant."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def key(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """The waits between attempts, in seconds, written down instead of waited."""
    waited: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=waited.append))
    return waited


@pytest.fixture
def load(tmp_path, monkeypatch) -> Callable[..., embed.Embedder]:
    """An embedder by its card, as a notebook loads it."""

    def call(card: dict[str, Any]) -> embed.Embedder:
        folder = tmp_path / "params" / "backends"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "loopback.yaml").write_text(yaml.safe_dump(card))
        monkeypatch.setattr(embed, "ROOT", tmp_path)
        return embed.load("loopback", cache=tmp_path / "cache")

    return call


# ---- faults that pass


def test_rows_come_back_in_the_order_of_the_texts(server):
    """The server shuffles its rows; only their numbers tell which is which."""
    texts = [f"text {i}" for i in range(40)]
    assert Service(server.card()).embed(texts).tobytes() == vectors(texts).tobytes()
    (path, _, body), *more = server.seen
    assert (path, body["model"], body["input"], more) == ("/v1/embeddings", "m", texts, [])


@pytest.mark.parametrize("name", PASSING)
def test_a_passing_fault_is_asked_again(name, server, waits):
    server.script = iter([PASSING[name], PASSING[name]])
    start = time.monotonic()
    card = server.card(timeout=0.3 if name == "late" else 10)
    assert Service(card).embed(TEXTS).tobytes() == vectors(TEXTS).tobytes()
    assert len(server.seen) == 3 and len(waits) == 2
    assert time.monotonic() - start < 4, "nothing is waited for beyond the card's timeout"


def test_with_30_percent_of_faults_every_vector_is_right_and_in_order(server, waits, load):
    texts = [f"text {i}" for i in np.random.default_rng(0).integers(0, 350, 500)]
    rng = np.random.default_rng(1)
    kinds = list(PASSING)
    given: list[str] = []

    def script() -> Iterator[Fault | None]:
        while True:
            given.append(kinds[rng.integers(len(kinds))] if rng.random() < 0.3 else "")
            yield PASSING.get(given[-1])

    server.script = script()
    embedding = load(server.card(timeout=0.3))
    rows = embedding(texts)
    expected = vectors(texts).astype(float)
    assert rows == pytest.approx(expected / np.linalg.norm(expected, axis=1, keepdims=True), abs=1e-6)
    assert len(set(given)) > 10 and 0.2 < np.mean([kind != "" for kind in given]) < 0.4
    assert {len(body["input"]) for _, _, body in server.seen} <= {1, 2, 3, 4, 5}, "batches as the card says"
    asked = len(server.seen)
    assert embedding(texts).tobytes() == rows.tobytes() and len(server.seen) == asked, "paid for once"


def test_a_fault_that_never_passes_ends_after_six_attempts(server, waits):
    server.script = iter([error(500)] * 20)
    with pytest.raises(openai.InternalServerError):
        Service(server.card()).embed(TEXTS)
    assert len(server.seen) == 6
    assert all(0.25 * 2**i <= wait <= 0.75 * 2**i for i, wait in enumerate(waits)) and len(waits) == 5


def test_an_answer_that_stays_wrong_says_what_was_wrong(server, waits):
    server.script = iter([PASSING["a row short"]] * 6)
    with pytest.raises(
        service.MalformedAnswer, match=r"asked for 3 embeddings, got an array of shape \(2, 8\)"
    ):
        Service(server.card()).embed(TEXTS)


def test_a_service_of_another_width_than_its_card_is_named(server, load):
    with pytest.raises(ValueError, match=r"m returned shape \(3, 8\), expected \(3, 9\)"):
        load(server.card(width=9))(TEXTS)


# ---- waiting


@pytest.mark.parametrize(
    ("asked", "low", "high"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("1.5", 1.5, 1.5),
        ("86400", 30, 30),
        ("inf", 30, 30),
        ("-3", 0, 0),
        ("nan", 0, 0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 0.25, 0.75),
        ("", 0.25, 0.75),
    ],
)
def test_retry_after_is_kept_to_and_capped(asked, low, high, server, waits):
    server.script = iter([error(429, retry_after=asked)])
    assert Service(server.card()).embed(TEXTS).tobytes() == vectors(TEXTS).tobytes()
    assert len(waits) == 1 and low <= waits[0] <= high


def test_it_really_waits(server, monkeypatch):
    monkeypatch.setattr(service, "LONGEST_WAIT", 0.15)
    server.script = iter([error(429, retry_after="60")] * 2)
    start = time.monotonic()
    Service(server.card()).embed(TEXTS)
    assert 0.3 <= time.monotonic() - start < 3


# ---- faults that stay


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_fault_stops_at_once(name, server, load):
    fault, kind = LASTING[name]
    server.script = iter([fault] * 20)
    embedding = load(server.card())
    start = time.monotonic()
    with pytest.raises(kind):
        embedding([f"text {i}" for i in range(50)])
    assert time.monotonic() - start < 1
    assert len(server.seen) == 1


def test_a_quota_that_ends_midway_keeps_nothing_of_the_call(server, load):
    embedding = load(server.card())
    first = [f"text {i}" for i in range(10)]
    embedding(first)
    server.script = iter([None, error(429, "insufficient_quota")])
    with pytest.raises(openai.RateLimitError):
        embedding([f"text {i}" for i in range(30)])
    asked = len(server.seen)
    embedding(first)
    assert len(server.seen) == asked, "earlier calls are kept"
    embedding([f"text {i}" for i in range(30)])
    assert sum(len(body["input"]) for *_, body in server.seen[asked:]) == 20


# ---- the key and the address


@pytest.mark.parametrize(
    ("variable", "value"), [("OPENAI_API_KEY", None), ("OTHER_KEY", None), ("OTHER_KEY", " ")]
)
def test_a_missing_key_names_its_variable(variable, value, server, monkeypatch):
    monkeypatch.delenv(variable, raising=False)
    if value is not None:
        monkeypatch.setenv(variable, value)
    with pytest.raises(RuntimeError, match=rf"m needs a key.*export {variable}="):
        Service(server.card(key_variable=variable))


def test_the_key_of_the_cards_variable_is_sent_without_a_stray_line_end(server, monkeypatch):
    monkeypatch.setenv("OTHER_KEY", "sk-other\r\n")
    Service(server.card(key_variable="OTHER_KEY")).embed(TEXTS)
    assert server.seen[0][1] == "Bearer sk-other"


@pytest.mark.parametrize("value", [f"{KEY} x", f"{KEY}é", f"{KEY}\nHost: x"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(value, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(RuntimeError, match="OPENAI_API_KEY") as caught:
        Service(server.card())
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert server.seen == []


QUOTED = f"Incorrect API key provided: {KEY}"
ECHOES: dict[str, Fault] = {
    "401": error(401, "invalid_api_key", QUOTED),
    "500": error(500, message=QUOTED),
    "502 as HTML": lambda handler, rows: handler.reply(502, f"<p>{QUOTED}</p>", "text/html"),
    "a row": with_number(KEY),
    "reset": reset,
}


@pytest.mark.parametrize("name", ECHOES)
def test_the_key_is_never_printed_even_if_the_service_quotes_it(name, server, waits, caplog):
    server.script = iter([ECHOES[name]] * 6)
    with caplog.at_level(logging.WARNING), pytest.raises(Exception) as caught:
        Service(server.card()).embed(TEXTS)
    error = caught.value
    printed = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error)) + caplog.text
    assert KEY not in printed
    assert ("<key>" in str(error)) == (name in ("401", "500", "a row")), "the rest of the message stays"


def test_the_address_is_the_cards_and_no_variable_changes_it(server, monkeypatch):
    """A variable would lead elsewhere under the same name in the cache."""
    with Server() as elsewhere:
        monkeypatch.setenv("OPENAI_BASE_URL", elsewhere.url)
        Service(server.card()).embed(TEXTS)
        monkeypatch.setattr(service, "OPENAI", server.url)
        Service({"model": "m"}).embed(TEXTS)
        elsewhere.shutdown()
        assert len(server.seen) == 2 and elsewhere.seen == []


def test_the_default_address_is_the_sdks_own():
    assert str(openai.OpenAI(api_key=KEY).base_url).rstrip("/") == service.OPENAI
