"""The image endpoint against a real server on the loopback interface that misbehaves on demand."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import numpy as np
import openai
import pytest
import tenacity
import yaml
from PIL import Image

from personalab.backends import image
from personalab.backends.image import ImageBackend, Request
from personalab.backends.pictures import png
from personalab.backends.service import MalformedAnswer

KEY = "sk-canary-7c1d2"
START = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def answer(*pictures: np.ndarray) -> str:
    data = [{"b64_json": base64.b64encode(png(picture)).decode()} for picture in pictures]
    return json.dumps({"created": 1, "data": data})


def fault(status: int, code: str | None = None) -> tuple[int, str]:
    return status, json.dumps({"error": {"message": f"no ({KEY})", "code": code, "type": code}})


class Handler(BaseHTTPRequestHandler):
    """Answers with the next entry of the server's script, or a picture of the request's number."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, body))
        number = len(self.server.seen)
        usual = (200, answer(np.full((4, 6, 3), number, np.uint8)))
        status, text = next(self.server.script, None) or usual
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Answers to come in `script`; paths and bodies that were asked in `seen`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, bytes]] = []
        self.script: Iterator[tuple[int, str] | None] = iter(())
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=lambda seconds: None))
    with Server() as running:
        yield running
        running.shutdown()


@pytest.fixture
def backend(server, tmp_path) -> ImageBackend:
    """The card as it stands, led to the loopback server."""
    card = image.read_card("openai-image") | {"base_url": f"http://127.0.0.1:{server.server_port}/v1"}
    (tmp_path / "loopback.yaml").write_text(yaml.safe_dump(card))
    return image.load(str(tmp_path / "loopback.yaml"), store=tmp_path / "store")


def test_a_prompt_is_asked_once_per_seed_and_kept(backend, server):
    requests = [Request("a boat", 1), Request("a boat", 2)]
    images = backend(requests)
    assert [x[0, 0, 0] for x in images] == [1, 2] and images[0].shape == (4, 6, 3)
    assert [x[0, 0, 0] for x in backend(requests[::-1])] == [2, 1] and len(server.seen) == 2
    path, body = server.seen[0]
    fields = {"model": "gpt-image-1", "prompt": "a boat", "n": 1, "size": "1024x1024", "quality": "medium"}
    assert path == "/v1/images/generations" and json.loads(body) == fields


def test_a_picture_to_start_from_is_sent_as_png(backend, server):
    (changed,) = backend([Request("at night", 1, image=START)])
    path, body = server.seen[0]
    assert path == "/v1/images/edits" and changed[0, 0, 0] == 1
    sent = body[body.index(b"\x89PNG") :]
    assert (np.asarray(Image.open(io.BytesIO(sent))) == START).all() and b"at night" in body


@pytest.mark.parametrize("code", ["moderation_blocked", "content_policy_violation"])
def test_a_refusal_is_missing_with_its_reason_and_not_paid_for_again(code, backend, server):
    server.script = iter([None, fault(400, code)])
    images = backend([Request("a boat", 1), Request("something foul", 2), Request("a lamp", 3)])
    assert [x is None for x in images] == [False, True, False]
    assert backend.refused == {f"gpt-image-1 refused the content ({code})": 1}
    assert backend([Request("something foul", 2)]) == [None] and len(server.seen) == 3


def test_what_is_paid_for_is_kept_when_the_next_one_fails(backend, server):
    server.script = iter([None, fault(400, "invalid_size")])
    with pytest.raises(openai.BadRequestError) as caught:
        backend([Request("a boat", 1), Request("a boat", 2)])
    assert KEY not in str(caught.value) and "<key>" in str(caught.value)
    backend([Request("a boat", 1)])
    assert len(server.seen) == 2


WRONG = {
    "no data": json.dumps({"created": 1, "data": None}),
    "nothing": answer(),
    "two": answer(START, START),
    "an address": json.dumps({"created": 1, "data": [{"url": "http://127.0.0.1/x.png"}]}),
    "no base64": json.dumps({"created": 1, "data": [{"b64_json": "***"}]}),
    "no picture": json.dumps({"created": 1, "data": [{"b64_json": base64.b64encode(b"hello").decode()}]}),
    "half a picture": json.dumps(
        {"created": 1, "data": [{"b64_json": base64.b64encode(png(START)[:50]).decode()}]}
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_without_a_picture_is_asked_again_a_bounded_number_of_times(name, backend, server):
    server.script = iter([(200, WRONG[name]), fault(500)])
    assert backend([Request("a boat", 1)])[0][0, 0, 0] == 3
    server.script = iter([(200, WRONG[name])] * 20)
    with pytest.raises(MalformedAnswer, match="without one readable b64_json picture"):
        backend([Request("a boat", 2)])
    assert len(server.seen) == 3 + 6


def test_what_the_service_cannot_do_is_said_before_it_is_asked(backend, server):
    with pytest.raises(ValueError, match="takes no negative prompt"):
        backend([Request("a boat", 1, negative="rain")])
    assert server.seen == []
