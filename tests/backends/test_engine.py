"""vLLM's process as its caller sees it: lines over pipes, blocks, crashes, orphans. The vLLM here is a stand-in of
forty lines that prints where it should not, dies on demand and tells what it was called with."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from personalab.backends import engine, engine_process, llm, tokens
from personalab.backends.chat import Answer, Chat
from personalab.backends.engine_process import EngineFailed
from personalab.backends.ledger import Ledger

STAND_IN = """
import json, os, sys, time
from types import SimpleNamespace as Some

print("a banner on stdout")

class SamplingParams:
    def __init__(self, **fields):
        assert set(fields) <= {"temperature", "top_p", "max_tokens", "seed", "top_k"}, fields
        self.__dict__.update(fields)

class Tokenizer:
    all_special_tokens = ["<|end|>"]
    def apply_chat_template(self, chat, tokenize, add_generation_prompt):
        return " ".join(message["content"] for message in chat)
    def __call__(self, text, add_special_tokens, verbose):
        return {"input_ids": text.split()}

class Mark:
    special = True
    def __str__(self):
        return "<|user|>"

Tokenizer.added_tokens_decoder = {1: Mark()}

class LLM:
    def __init__(self, **settings):
        if settings.get("dtype") == "float8":
            raise ValueError("float8 is unknown here")
        self.settings = settings
        self.llm_engine = Some(model_config=Some(max_model_len=settings.get("max_model_len", 100)))
    def get_tokenizer(self):
        return Tokenizer()
    def chat(self, chats, sampling, use_tqdm):
        print("progress on stdout")
        os.write(1, b"and past Python's own buffer\\n")
        outputs = []
        for chat, how in zip(chats, sampling):
            last = chat[-1]["content"]
            if last == "die":
                print("out of luck", file=sys.stderr, flush=True)
                os._exit(3)
            if last == "sleep":
                time.sleep(60)
            said = {"pid": os.getpid(), "chat": chat, "how": vars(how), "with": self.settings, "block": len(chats)}
            said["environment"] = {name: value for name, value in os.environ.items() if "VLLM" in name or "HF" in name}
            text, end = {"much": ("so much", "length"), "nothing": (" ", "stop"), "what": ("w", "abort")}.get(
                last, (json.dumps(said), "stop")
            )
            outputs.append(Some(prompt_token_ids=last.split(), outputs=[
                Some(text=text, finish_reason=end, token_ids=text.split())]))
        return outputs
"""


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An interpreter that finds the stand-in as vllm; engines are ended after each test."""
    (tmp_path / "site" / "vllm").mkdir(parents=True)
    (tmp_path / "site" / "vllm" / "__init__.py").write_text(STAND_IN)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{tmp_path}/site" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("VLLM_PYTHON", str(python))
    yield python
    engine.close()


@pytest.fixture
def card(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    call = {"temperature": 0.7, "max_tokens": 10, "seed": 42}
    return {"kind": "vllm", "model": str(tmp_path / "model"), "max_model_len": 50, "call": call}


def chat(text: str, repeat: int = 0) -> Chat:
    return Chat((("system", "Be brief."), ("user", text)), repeat)


def asked(card: dict[str, Any], *texts: str) -> list[Answer]:
    """The answers, in order of the texts."""
    found = {r.index: r.answer for block in engine.replies(card, [chat(t) for t in texts]) for r in block}
    assert sorted(found) == list(range(len(texts)))
    return [found[i] for i in range(len(texts))]


def told(answer: Answer) -> dict[str, Any]:
    assert answer.text is not None, answer.reason
    return json.loads(answer.text)


def eventually(holds: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def runs(pid: int) -> bool:
    """Whether the process is there and not merely waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---- what is sent


def test_the_engine_gets_the_card_and_each_chat_its_own_seed(card):
    card |= {
        "dtype": "float32",
        "enforce_eager": True,
        "tensor_parallel_size": 1,
        "kv_cache_gib": 2,
        "timeout": 9,
    }
    replies = [reply for block in engine.replies(card, [chat("a"), chat("a", 3)]) for reply in block]
    first, second = (told(reply.answer) for reply in replies)
    assert first["with"] == {
        "model": card["model"], "dtype": "float32", "max_model_len": 50, "enforce_eager": True,
        "tensor_parallel_size": 1, "seed": 0, "trust_remote_code": False,
    }  # fmt: skip
    assert first["how"] == {"temperature": 0.7, "max_tokens": 10, "seed": 42}
    assert second["how"]["seed"] == 45
    assert first["environment"]["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert first["environment"]["VLLM_NO_USAGE_STATS"] == first["environment"]["HF_HUB_OFFLINE"] == "1"
    assert [reply.usage[:2] for reply in replies] == [
        (1, len(reply.answer.text.split())) for reply in replies
    ]


def test_without_settings_decoding_is_greedy_with_256_tokens(card):
    del card["call"]
    card["max_model_len"] = 300
    assert told(*asked(card, "a"))["how"] == {"temperature": 0.0, "max_tokens": 256, "seed": 0}


def test_texts_cannot_spell_marks_and_may_hold_anything_else(card):
    text = 'quotes " and\nlines\u2028é \ud800 {"x": 1} <|end|><|user|>'
    (answer,) = asked(card, text)
    assert told(answer)["chat"][1]["content"] == ('quotes " and\nlines\u2028é ? {"x": 1} < |end|>< |user|>')


# ---- what comes back


def test_answers_come_block_by_block(card):
    card["batch_size"] = 2
    blocks = list(engine.replies(card, [chat(str(i)) for i in range(5)]))
    assert [[reply.index for reply in block] for block in blocks] == [[0, 1], [2, 3], [4]]
    assert list(engine.replies(card, [])) == []


def test_what_is_missing_says_why(card):
    long = " ".join("x" * 41)
    assert asked(card, "much", "nothing", long) == [
        Answer(None, "cut at 2 tokens"),
        Answer(None, "an answer without words"),
        Answer(None, "prompt of 43 tokens, model takes 40"),
    ]
    assert asked(card | {"cut": "keep", "max_input_tokens": 4}, "much", "three words more") == [
        Answer("so much"),
        Answer(None, "prompt of 5 tokens, model takes 4"),
    ]
    assert told(*asked(card, " ".join("x" * 38)))["block"] == 1


def test_an_end_that_means_neither_done_nor_cut_is_an_error(card):
    with pytest.raises(EngineFailed, match="ended answer 0 by 'abort'"):
        asked(card, "what")


# ---- the process


def pid(card: dict[str, Any]) -> int:
    return told(*asked(card, "a"))["pid"]


def test_one_engine_is_kept_until_another_is_wanted(card):
    first = pid(card)
    assert pid(card) == first == pid(card | {"call": {"max_tokens": 5}})
    second = pid(card | {"max_model_len": 60})
    assert second != first and eventually(lambda: not runs(first))
    engine.close()
    assert eventually(lambda: not runs(second))


def test_new_weights_in_the_same_folder_are_loaded(card):
    first = pid(card)
    (Path(card["model"]) / "config.json").write_text('{"a": 1}')
    assert pid(card) != first


def test_an_engine_that_died_while_it_was_kept_is_replaced(card):
    first = pid(card)
    (kept,) = engine._idle.values()
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: not kept.alive()) and pid(card) != first


def test_a_caller_who_wants_no_more_ends_the_engine(card):
    card["batch_size"] = 1
    blocks = engine.replies(card, [chat("a"), chat("sleep")])
    running = told(next(blocks)[0].answer)["pid"]
    blocks.close()
    assert eventually(lambda: not runs(running))


def test_a_crash_names_the_last_words(card):
    with pytest.raises(EngineFailed, match=r"(?s)exit code 3.*out of luck"):
        asked(card, "a", "die")
    with pytest.raises(EngineFailed, match="float8 is unknown here"):
        asked(card | {"dtype": "float8"}, "a")


def test_a_run_that_crashed_asks_only_for_the_rest(card, tmp_path, monkeypatch):
    monkeypatch.setattr(
        tokens, "counter", lambda card: tokens.estimate
    )  # there is no tokenizer in the folder
    file = tmp_path / "card.yaml"
    file.write_text(yaml.safe_dump(card | {"batch_size": 2}))
    chats = [chat(text) for text in ("a", "b", "c", "die")]
    book = tmp_path / "answers.sqlite"
    with pytest.raises(EngineFailed):
        llm.load(str(file), ledger=book).complete(chats)
    again = llm.load(str(file), ledger=book)
    assert len(again.complete(chats[:3])) == 3
    assert (again.found, again.asked) == (2, 1)
    assert len(Ledger(book).rows("card")) == 3


PARENT = """
import sys
from personalab.backends import engine
from personalab.backends.chat import Chat
card = {"model": sys.argv[1], "max_model_len": 50, "batch_size": 1, "call": {"max_tokens": 10}}
chats = [Chat((("user", text),)) for text in sys.argv[2:]]
for block in engine.replies(card, chats):
    print(*(reply.answer.text for reply in block), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("texts", [["a"], ["a", "sleep"]], ids=["idle", "busy"])
def test_no_engine_outlives_its_parent(texts, card):
    command = [sys.executable, "-c", PARENT, card["model"], *texts]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    running = json.loads(parent.stdout.readline())["pid"]
    assert runs(running)
    parent.kill()
    parent.communicate()
    assert eventually(lambda: not runs(running))


# ---- where vLLM is


def test_an_interpreter_is_found_by_name_or_in_its_folder(tmp_path, monkeypatch, stand_in):
    assert engine_process.interpreter() == str(stand_in)
    monkeypatch.setenv("VLLM_PYTHON", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="VLLM_PYTHON is"):
        engine_process.interpreter()
    monkeypatch.delenv("VLLM_PYTHON")
    monkeypatch.setattr(engine_process, "ROOT", tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert engine_process.interpreter() == sys.executable
    own = tmp_path / ".venv-vllm" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.touch()
    assert engine_process.interpreter() == str(own)


def test_without_vllm_the_error_says_what_to_do(tmp_path, monkeypatch, card):
    monkeypatch.delenv("VLLM_PYTHON")
    monkeypatch.setattr(engine_process, "ROOT", tmp_path)
    monkeypatch.setattr(engine_process, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"no vLLM: `make \.venv-vllm`"):
        asked(card, "a")
