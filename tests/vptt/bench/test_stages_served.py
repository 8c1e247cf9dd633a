"""The whole bench through a real server on this machine and a ledger: stopped half-way, gone on with, nothing twice."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest
import yaml
from scripted import Scripted, right

from personalab.backends import llm
from personalab.backends.chat import Chat
from personalab.records import to_jsonl
from personalab.vptt.bench.seeds import parse_lines
from personalab.vptt.bench.stages import Writer

SEEDS = parse_lines(
    json.dumps({"persona": line}).encode()
    for line in ("A woman who works as a sailor and lives in Porto", "A walker who collects old maps")
).kept


class Handler(BaseHTTPRequestHandler):
    """Answers by the script; after `server.allowed` questions it refuses the key."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        messages = tuple((message["role"], message["content"]) for message in body["messages"])
        self.server.seen[messages, body["seed"], body["temperature"]] += 1
        if self.server.seen.total() > self.server.allowed:
            return self.reply(401, {"error": {"message": "no such key", "code": "invalid_api_key"}})
        message = {"role": "assistant", "content": json.dumps(right(Chat(messages)))}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
        self.reply(200, {"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage})

    def reply(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        service.seen, service.allowed = Counter(), 10**6
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield service
        service.shutdown()


def load(folder, server, temperature: float) -> llm.LLM:
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    call = {"temperature": temperature, "max_tokens": 900, "seed": 42}
    card = {
        "kind": "openai-chat",
        "model": "scripted",
        "base_url": url,
        "key": "none",
        "concurrency": 4,
        "call": call,
    }
    path = folder / f"card-{temperature}.yaml"
    path.write_text(yaml.safe_dump(card))
    return llm.load(str(path), ledger=folder / "answers.sqlite")


def write(folder, server) -> bytes:
    models = load(folder, server, 0.1), load(folder, server, 0.9)
    writer = Writer(models[0], scenarios=models[1], posts=12, words=(15, 60))
    return to_jsonl(outcome.persona for outcome in writer.write(SEEDS, 2, rule="identity"))


def test_a_stopped_run_goes_on_where_it_stood(tmp_path, server):
    server.allowed = 17
    with pytest.raises(openai.AuthenticationError):
        write(tmp_path, server)
    stopped = set(server.seen)
    assert 17 < len(stopped) <= 17 + 4
    server.allowed = 10**6
    personas = write(tmp_path, server)
    twice = {question for question, count in server.seen.items() if count > 1}
    assert len(twice) <= 4 and twice <= stopped, "only questions that were refused are asked again"
    script = Writer(Scripted(), posts=12, words=(15, 60))
    assert personas == to_jsonl(outcome.persona for outcome in script.write(SEEDS, 2, rule="identity"))
    asked = server.seen.total()
    assert write(tmp_path, server) == personas and server.seen.total() == asked, "the ledger has every answer"


def test_only_scenarios_are_asked_for_at_the_high_temperature(tmp_path, server):
    write(tmp_path, server)
    hot = [messages for messages, _, temperature in server.seen if temperature == 0.9]
    assert len(hot) == 4 and all('{"scenarios"' in messages[1][1] for messages in hot)
