"""A chat service on the loopback interface, in a process of its own, that misbehaves by plan.

    python faulty_server.py LOG [SHARE] [DELAY]

It prints its port, writes one JSON line per request to LOG and answers {"text": ...} derived from the request, after
DELAY seconds. SHARE of the attempts meet a fault; which ones follows from the messages and the number of the attempt.
A model called "bad-key", "no-quota" or "broken" gets that fault from its 21st request on.
"""

import hashlib
import json
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("429", "500", "reset", "late", "drip", "cut", "html", "empty", "no choices", "no content")
LASTING = {
    "bad-key": (401, "invalid_api_key"),
    "no-quota": (429, "insufficient_quota"),
    "broken": (404, "none"),
}


def text_for(body: dict[str, Any]) -> str:
    """The right answer to a request: it follows from the model, the messages and the decoding settings."""
    asked = {key: value for key, value in body.items() if key != "stream"}
    return "answer " + hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def answer(text: str | None, reason: str = "stop", **more: Any) -> str:
    message = {"role": "assistant", "content": text, **more}
    choices = [{"index": 0, "finish_reason": reason, "message": message}]
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return json.dumps(
        {"id": "1", "object": "chat.completion", "model": "m", "choices": choices, "usage": usage}
    )


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = json.dumps([body["messages"], body.get("seed")])
        with self.server.lock:
            self.server.attempts[asked] += 1
            self.server.models[body["model"]] += 1
            number, nth = self.server.attempts[asked], self.server.models[body["model"]]
            fault = self.fault(f"{asked} {number}")
            line = {"key": self.headers["Authorization"], "body": body, "fault": fault, "time": time.time()}
            self.server.log.write(json.dumps(line) + "\n")
            self.server.log.flush()
        time.sleep(self.server.delay)
        if body["model"] in LASTING and nth > 20:
            status, code = LASTING[body["model"]]
            self.reply(status, json.dumps({"error": {"message": "no", "code": code, "type": code}}))
        else:
            getattr(self, fault.replace(" ", "_"))(answer(text_for(body)))

    def fault(self, asked: str) -> str:
        rng = random.Random(asked)
        return "f" + rng.choice(FAULTS) if rng.random() < self.server.share else "well"

    def reply(self, status: int, text: str, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        fields = {"content-type": kind, "content-length": str(len(text.encode()))} | headers
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text.encode())

    def well(self, text: str) -> None:
        self.reply(200, text)

    def f429(self, text: str) -> None:
        self.reply(
            429, json.dumps({"error": {"message": "slow", "code": "rate_limit_exceeded"}}), retry_after="60"
        )

    def f500(self, text: str) -> None:
        self.reply(500, "{}")

    def freset(self, text: str) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def flate(self, text: str) -> None:
        time.sleep(3)

    def fdrip(self, text: str) -> None:
        """A byte at a time: never silent for long, never done."""
        self.send_response(200)
        self.send_header("content-length", "100000")
        self.end_headers()
        for _ in range(200):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.05)

    def fcut(self, text: str) -> None:
        self.reply(200, text[: len(text) // 2])

    def fhtml(self, text: str) -> None:
        self.reply(200, "<html>hello</html>", "text/html")

    def fempty(self, text: str) -> None:
        self.reply(200, "")

    def fno_choices(self, text: str) -> None:
        self.reply(200, json.dumps(json.loads(text) | {"choices": []}))

    def fno_content(self, text: str) -> None:
        self.reply(200, answer(None))

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Broken connections are meant."""


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Handler) as server:
        server.log, server.lock = open(sys.argv[1], "a"), threading.Lock()
        server.share, server.delay = (float(value) for value in [*sys.argv[2:], 0, 0][:2])
        server.attempts, server.models = Counter(), Counter()
        print(server.server_port, flush=True)
        server.serve_forever(0.05)
