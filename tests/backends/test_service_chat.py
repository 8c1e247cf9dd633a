"""Chats put to a real server in its own process that misbehaves by plan, and to one that says what it is told."""

import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import faulty_server
import openai
import pydantic
import pytest
import yaml
from openai.types.chat import ChatCompletionMessageParam

from personalab.backends import endpoint, llm, service
from personalab.backends.budget import CapReached
from personalab.backends.chat import Answer, Chat
from personalab.backends.llm import LLM

KEY = "sk-canary-91d2e"
CALL = {"temperature": 0.1, "max_tokens": 20, "seed": 42}
PRICES = {"dollars_per_million_input": 100, "dollars_per_million_output": 1000}


def chats(n: int) -> list[Chat]:
    return [Chat((("system", "You write."), ("user", f"question {i}"))) for i in range(n)]


class Remote:
    """A faulty_server in its own process: its address, and what it was asked so far."""

    def __init__(self, folder: Path, *arguments: float):
        self.folder, self._log = folder, folder / "server.jsonl"
        command = [sys.executable, faulty_server.__file__, str(self._log), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"

    @property
    def seen(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def card(self, **changes: Any) -> Path:
        card = {
            "kind": "openai-chat",
            "model": "m",
            "base_url": self.url,
            "timeout": 5,
            "call": CALL,
        } | changes
        (self.folder / "remote.yaml").write_text(yaml.safe_dump(card))
        return self.folder / "remote.yaml"

    def load(self, cap: float | None = None, **changes: Any) -> LLM:
        return llm.load(str(self.card(**changes)), ledger=self.folder / "answers.sqlite", cap=cap)

    def right(self, asked: list[Chat], model: str = "m") -> list[Answer]:
        """The answers a server without faults gives."""
        as_sent = [[{"role": role, "content": text} for role, text in chat.messages] for chat in asked]
        bodies = [{"messages": messages, "model": model} | CALL for messages in as_sent]
        return [Answer(faulty_server.text_for(body)) for body in bodies]

    def rows(self) -> list[tuple]:
        with sqlite3.connect(self.folder / "answers.sqlite") as database:
            return database.execute("SELECT key, text FROM answers").fetchall()


@pytest.fixture
def remote(tmp_path) -> Iterator[Callable[..., Remote]]:
    started: list[Remote] = []

    def start(*arguments: float) -> Remote:
        started.append(Remote(tmp_path, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


@pytest.fixture(autouse=True)
def environment(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(service, "LONGEST_WAIT", 0.05)


# ---- many chats, many faults


def test_of_600_chats_with_30_percent_of_faults_every_answer_is_right_and_stored_once(remote):
    server, asked = remote(0.3), chats(600)
    model = server.load(timeout=1.5, concurrency=24)
    assert model.complete(asked) == server.right(asked)
    assert (model.asked, model.found) == (600, 0)
    faults = Counter(line["fault"] for line in server.seen)
    assert len(faults) == 1 + len(faulty_server.FAULTS) and 0.25 < 1 - faults["well"] / faults.total() < 0.35
    rows = server.rows()
    assert len(rows) == len({key for key, _ in rows}) == 600
    before = len(server.seen)
    again = server.load()
    assert again.complete(asked) == server.right(asked) and (again.asked, again.found) == (0, 600)
    assert len(server.seen) == before, "asked once, paid once"
    assert {line["key"] for line in server.seen} == {f"Bearer {KEY}"}
    for file in server.folder.iterdir():
        assert file.name == "server.jsonl" or KEY.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("bad-key", openai.AuthenticationError),
        ("no-quota", openai.RateLimitError),
        ("broken", openai.NotFoundError),
    ],
)
def test_a_fault_that_stays_stops_within_five_seconds_and_keeps_what_was_answered(model, kind, remote):
    server, asked = remote(0, 0.02), chats(300)
    start = time.monotonic()
    with pytest.raises(kind):
        server.load(model=model, concurrency=4).complete(asked)
    assert time.monotonic() - start < 5
    assert len(server.rows()) == 20 and 21 <= len(server.seen) <= 24


def test_a_fault_that_stays_does_not_wait_for_those_who_wait(remote, monkeypatch):
    """The other chats in flight meet a server that asks them to come back in a minute, or says nothing."""
    monkeypatch.setattr(service, "LONGEST_WAIT", 60)
    server = remote(0)
    with Scripted() as slow:
        slow.script = lambda body: (429, "{}", {"Retry-After": "60"}) if "wait" in str(body) else None
        card = yaml.safe_load(server.card(base_url=slow.url, concurrency=3).read_text())
        asked = [Chat((("user", word),)) for word in ("wait", "sleep", "401")]
        start = time.monotonic()
        with pytest.raises(openai.AuthenticationError):
            list(endpoint.answers(card | {"timeout": 60}, asked))
        assert time.monotonic() - start < 5


def test_who_is_in_flight_when_the_run_ends_still_counts():
    replies = []
    with Scripted() as server, pytest.raises(openai.AuthenticationError):
        card = {"model": "m", "base_url": server.url, "timeout": 60}
        for group in endpoint.answers(card, [Chat((("user", word),)) for word in ("slow", "401")]):
            replies += group
    assert [reply.answer.text for reply in replies] == ["said"]


def test_a_killed_run_goes_on_without_asking_for_what_is_stored(remote, tmp_path):
    server = remote(0, 0.02)
    code = (
        "import sys; from personalab.backends import llm; from personalab.backends.chat import Chat\n"
        "asked = [Chat((('system', 'You write.'), ('user', f'question {i}'))) for i in range(300)]\n"
        "llm.load(sys.argv[1], ledger=sys.argv[2]).complete(asked)"
    )
    ledger = tmp_path / "answers.sqlite"
    command = [sys.executable, "-c", code, str(server.card(concurrency=2)), str(ledger)]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while time.monotonic() < end and not (ledger.exists() and _count(ledger) >= 40):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    stored, before = {text for _, text in server.rows()}, len(server.seen)
    assert 40 <= len(stored) < 300 and before - len(stored) <= 2, "lost: those in flight at most"
    model, asked = server.load(concurrency=2), chats(300)
    assert model.complete(asked) == server.right(asked)
    assert model.found == len(stored) and len(server.seen) - before == 300 - len(stored)
    assert not {faulty_server.text_for(line["body"]) for line in server.seen[before:]} & stored


def _count(ledger: Path) -> int:
    try:
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM answers").fetchone()[0]
    except sqlite3.Error:
        return 0


# ---- money


def test_the_cap_stops_before_the_call_that_could_pass_it_and_survives_the_run(remote):
    """A call costs 0.03 dollars and is expected to cost at most 0.02 for the answer and some tenths of cents."""
    server, asked = remote(0), chats(40)
    model = server.load(cap=0.5, concurrency=4, **PRICES)
    with pytest.raises(CapReached, match=r"could pass the cap of 0\.5"):
        model.complete(asked)
    done = len(server.rows())
    assert done == len(server.seen) == model.asked and 0.5 - 0.06 <= model.spent <= 0.5 + 4 * 0.03
    assert model.spent == pytest.approx(done * 0.03)
    again = server.load(cap=0.5, **PRICES)
    assert again.spent == pytest.approx(done * 0.03)
    with pytest.raises(CapReached):
        again.complete(asked)
    assert len(server.seen) == done
    assert server.load(cap=5.0, **PRICES).complete(asked) == server.right(asked)


@pytest.mark.parametrize(
    ("first", "paid"),
    [((200, faulty_server.answer("said")[:30], {}), 0.03 + 0.03), ((500, "{}", {}), 0.03)],
    ids=["cut", "500"],
)
def test_an_answer_lost_on_the_way_counts_as_paid_and_an_error_status_does_not(first, paid):
    with Scripted() as server:
        script = iter([first])
        server.script = lambda body: next(script, None)
        card = {"model": "m", "base_url": server.url, "timeout": 5, "call": CALL} | PRICES
        money = endpoint.Budget(card, cap=10)
        ((reply,),) = endpoint.answers(card, chats(1), money, lambda chat: 100)
        assert reply.answer == Answer("said") and len(server.seen) == 2
        assert money.spent == pytest.approx(paid)


def test_a_price_without_a_cap_asks_nothing_and_says_what_it_would_cost(remote):
    server, asked = remote(0), chats(3)
    model = server.load(**PRICES)
    with pytest.raises(
        ValueError, match=r"remote costs money.*3 calls, about 0\.\d\d dollars.*cap=<dollars>"
    ):
        model.complete(asked)
    assert server.seen == []
    estimate = model.estimate([*asked, asked[0]])
    assert (estimate.calls, estimate.answer_tokens) == (3, 60)
    assert estimate.dollars == pytest.approx(estimate.prompt_tokens * 1e-4 + 60e-3)
    server.load(cap=9.0, **PRICES).complete(asked[:1])
    assert server.load(**PRICES).estimate(asked).calls == 2
    assert server.load(**PRICES).complete(asked[:1]) == server.right(asked[:1]), "what is there costs nothing"


def test_a_price_without_a_limit_on_answers_is_refused(remote):
    with pytest.raises(ValueError, match="expected max_tokens under `call`"):
        remote(0).load(cap=1.0, call={"seed": 1}, **PRICES)


# ---- what a service may say


class Scripted(ThreadingHTTPServer):
    """Answers "said", or what `script` makes of a request: (status, text, headers)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ScriptedHandler)
        self.script: Callable[[dict], tuple | None] = lambda body: None
        self.seen: list[dict] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_: Any) -> None:
        """Broken connections are meant."""

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()


class ScriptedHandler(faulty_server.Handler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append({"authorization": self.headers["Authorization"], **body})
        word = body["messages"][-1]["content"]
        if word == "sleep":
            time.sleep(20)
        if word == "slow":
            time.sleep(0.5)
        usual = (401, "{}", {}) if word == "401" else (200, faulty_server.answer("said"), {})
        status, text, headers = self.server.script(body) or usual
        try:
            self.reply(status, text, **{name.replace("-", "_"): value for name, value in headers.items()})
        except OSError:
            pass


@pytest.fixture
def scripted() -> Iterator[Callable[..., list[Answer]]]:
    """The answers to one chat when the server says `status` and `text`."""
    with Scripted() as server:

        def ask(status: int, text: str, **card: Any) -> list[Answer]:
            server.script = lambda body: (status, text, {})
            base = {"model": "m", "base_url": server.url, "timeout": 5, "call": CALL}
            return [reply.answer for (reply,) in endpoint.answers(base | card, chats(1))]

        ask.server = server
        yield ask


def fault(code: Any, message: str = "no") -> str:
    return json.dumps({"error": {"message": message, "code": code, "type": "BadRequestError"}})


MISSING = {
    "a refusal": (200, faulty_server.answer(None, refusal="I will not."), "refused: I will not."),
    "a filter": (200, faulty_server.answer("", "content_filter"), "held back by the service's filter"),
    "a filter before": (400, fault("content_filter"), "m refused the content (content_filter)"),
    "the token limit": (200, faulty_server.answer("One. Two and", "length"), "cut at 20 tokens"),
    "thoughts without end": (200, faulty_server.answer(None, "length"), "cut at 20 tokens"),
    "nothing": (200, faulty_server.answer(" \n"), "an answer without words"),
    "a long prompt": (400, fault("context_length_exceeded"), "the prompt is longer than the model takes"),
    "a long prompt in vLLM": (
        400,
        fault(
            400,
            "This model's maximum context length is 64 tokens. However, your request has 80 input tokens.",
        ),
        "the prompt is longer than the model takes",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_is_no_answer_is_missing_with_its_reason(name, scripted):
    status, text, reason = MISSING[name]
    assert scripted(status, text) == [Answer(None, reason)]
    assert len(scripted.server.seen) == 1


def test_a_cut_text_is_kept_where_the_card_says_so(scripted):
    assert scripted(200, MISSING["the token limit"][1], cut="keep") == [Answer("One. Two and")]
    assert scripted(200, MISSING["thoughts without end"][1], cut="keep") == [Answer(None, "cut at 20 tokens")]


def test_a_lone_surrogate_harms_nobody(scripted):
    text = faulty_server.answer("a \ud800 b")
    assert scripted(200, text) == [Answer("a ? b")]
    card = {"model": "m", "base_url": scripted.server.url, "timeout": 5}
    list(endpoint.answers(card, [Chat((("user", "a \udfff"),))]))
    assert scripted.server.seen[-1]["messages"] == [{"role": "user", "content": "a ?"}]


def test_an_answer_that_stays_malformed_says_so_after_ten_attempts(scripted, monkeypatch):
    monkeypatch.setattr(service, "LONGEST_WAIT", 0)
    with pytest.raises(service.MalformedAnswer, match="without one usable choice"):
        scripted(200, json.dumps({"choices": []}))
    assert len(scripted.server.seen) == service.CHAT_ATTEMPTS == 10


def test_another_bad_request_stops(scripted):
    with pytest.raises(openai.BadRequestError):
        scripted(400, fault("unknown_parameter"))
    assert len(scripted.server.seen) == 1


def test_what_is_sent_is_the_cards_call_with_the_repeat_in_the_seed(scripted):
    card = {"model": "m", "base_url": scripted.server.url, "timeout": 5, "call": CALL | {"top_p": 0.9}}
    asked = [chats(1)[0]._replace(repeat=repeat) for repeat in (0, 3)]
    list(endpoint.answers(card, asked))
    sent = sorted(scripted.server.seen, key=lambda body: body["seed"])
    assert [body["seed"] for body in sent] == [42, 45]
    messages = [{"role": "system", "content": "You write."}, {"role": "user", "content": "question 0"}]
    expected = CALL | {"top_p": 0.9, "model": "m", "messages": messages, "authorization": f"Bearer {KEY}"}
    assert sent[0] == expected


def test_pictures_are_parts_after_the_text_of_the_last_user_message(scripted):
    images = (b"\x89PNG\r\n\x1a\n one", b"\xff\xd8\xff two")
    messages = (("system", "Look."), ("user", "then"), ("assistant", "yes"), ("user", "now \udfff"))
    card = {"model": "m", "base_url": scripted.server.url, "timeout": 5}
    list(endpoint.answers(card, [Chat(messages, images=images)]))
    *before, last = scripted.server.seen[-1]["messages"]
    assert before == [{"role": role, "content": text} for role, text in messages[:3]]
    text, *shown = last["content"]
    assert text == {"type": "text", "text": "now ?"} and [part["type"] for part in shown] == ["image_url"] * 2
    urls = [part["image_url"]["url"].split(",") for part in shown]
    assert [head for head, _ in urls] == ["data:image/png;base64", "data:image/jpeg;base64"]
    assert tuple(base64.b64decode(data, validate=True) for _, data in urls) == images
    pydantic.TypeAdapter(list[ChatCompletionMessageParam]).validate_python([*before, last])


def test_a_server_without_a_key_gets_none_of_ours(scripted, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    assert scripted(200, faulty_server.answer("none of it"), key="none") == [Answer("none of it")]
    assert KEY not in scripted.server.seen[0]["authorization"]
    with pytest.raises(RuntimeError, match="m needs a key in the environment: export OPENAI_API_KEY="):
        scripted(200, "{}")


def test_the_deadline_holds_for_embeddings_too():
    class Drip(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            faulty_server.Handler.fdrip(self, "")

        log_message = faulty_server.Handler.log_message

    with Scripted() as server:
        server.RequestHandlerClass = Drip
        started = time.monotonic()
        slow = service.Service({"model": "m", "base_url": server.url, "timeout": 0.2})
        with pytest.raises(TimeoutError, match=r"no whole answer within 0\.2 s"):
            slow.embed(["a"])
        assert time.monotonic() - started < 4, "six attempts"
