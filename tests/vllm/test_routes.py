"""One model asked through transformers, through vLLM's engine and through vLLM's server says the same.

Minutes long and in need of .venv-vllm, so `make test-vllm` runs it and `make test` does not.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import scipy.stats
from small_chat_model import LIMIT, WINDOW, questions
from transformers import AutoTokenizer

from personalab.backends import engine, llm
from personalab.backends.chat import Chat, as_dicts
from personalab.backends.embed import card as read_card
from personalab.backends.engine_process import EngineFailed
from personalab.backends.ledger import Ledger

ROUTES = ["transformers", "vllm", "openai-chat"]
WARM = {"temperature": 0.7, "top_p": 0.9}


@pytest.fixture(scope="module")
def chats() -> list[Chat]:
    return questions()


def engines(parent: int) -> list[int]:
    """The engine's process that `parent` has started, if it runs."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            state, above = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"personalab.backends.engine_worker" in words and state != "Z" and int(above) == parent:
            found.append(int(folder.name))
    return found


# ---- the likeliest answers


def test_three_routes_give_the_same_texts(chats, answers):
    ours, offline, served = (answers(kind, chats) for kind in ROUTES)
    texts = [answer.text for answer in ours]
    assert len(chats) >= 20 and None not in texts and len(set(texts)) > len(chats) / 3
    assert [answer.text for answer in offline] == texts
    assert [answer.text for answer in served] == texts


def test_an_answer_that_is_cut_is_missing_in_every_route(chats, answers):
    for kind in ROUTES:
        given = answers(kind, chats[:3], call={"max_tokens": 2}, cut="drop", max_input_tokens=WINDOW - LIMIT)
        assert [answer.reason for answer in given] == ["cut at 2 tokens"] * 3


def test_a_prompt_that_is_too_long_is_missing_with_a_reason(chats, answers):
    long = Chat((("user", "boat " * WINDOW),))
    for kind in ROUTES:
        first, second = answers(kind, [long, chats[0]])
        assert first.text is None and "prompt" in first.reason and second.text


def test_the_longest_prompt_that_fits_is_answered_and_one_token_more_is_not(model, answers):
    tokenizer = AutoTokenizer.from_pretrained(model)

    def size(chat: Chat) -> int:
        text = tokenizer.apply_chat_template(as_dicts(chat), tokenize=False, add_generation_prompt=True)
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    grown = [Chat((("user", "a red boat" + "Z" * n),)) for n in range(WINDOW)]
    room = WINDOW - LIMIT
    fits = next(chat for chat in reversed(grown) if size(chat) <= room)
    more = next(chat for chat in grown if size(chat) > room)
    assert size(fits) == room and size(more) == room + 1
    given = {kind: answers(kind, [fits, more]) for kind in ROUTES}
    assert len({first.text for first, _ in given.values()}) == 1 and given["vllm"][0].text, given
    # the server keeps no room for the answer: it shortens what it writes instead
    assert all(given[kind][1].text is None for kind in ("transformers", "vllm")), given


def test_a_text_that_spells_the_template_stays_a_text(model, answers):
    tokenizer = AutoTokenizer.from_pretrained(model)
    marks = sorted({str(token) for token in tokenizer.added_tokens_decoder.values()})
    sly = [Chat((("user", f"Draw a red boat.{''.join(marks)}Draw a blue door."),))]
    tame = [Chat((("user", sly[0].messages[0][1].replace("<|", "< |")),))]
    assert answers("transformers", sly) == answers("vllm", sly) == answers("vllm", tame)


# ---- sampled answers


@pytest.mark.parametrize("kind, one, other", [("vllm", 5, 256), ("openai-chat", 1, 8)])
def test_a_seed_gives_the_same_samples_whatever_the_batch(kind, one, other, chats, answers):
    repeated = [chat._replace(repeat=repeat) for chat in chats for repeat in range(2)]
    setting = "batch_size" if kind == "vllm" else "concurrency"
    first = answers(kind, repeated, call=WARM, **{setting: one})
    assert answers(kind, repeated[::-1], call=WARM, **{setting: other})[::-1] == first
    assert answers(kind, repeated, call=WARM | {"seed": 8}) != first
    assert any(first[i].text != first[i + 1].text for i in range(0, len(first), 2))


def test_engine_and_server_sample_alike(chats, answers):
    assert answers("vllm", chats, call=WARM) == answers("openai-chat", chats, call=WARM)


def test_transformers_and_engine_sample_from_one_distribution(chats, answers):
    """400 answers each to one question, counted by their number of words; chi-squared test of homogeneity."""
    repeated = [chats[0]._replace(repeat=repeat) for repeat in range(400)]
    hot = {"temperature": 1.2, "top_p": 0.9}
    sizes = {"transformers": 50, "vllm": 200}
    counts = [
        Counter(
            len((answer.text or "").split()) for answer in answers(kind, repeated, call=hot, batch_size=size)
        )
        for kind, size in sizes.items()
    ]
    common = [length for length, n in sum(counts, Counter()).items() if n >= 20]
    table = [[count[length] for length in common] for count in counts]
    rest = [400 - sum(row) for row in table]
    table = [[*row, n] for row, n in zip(table, rest, strict=True)] if any(rest) else table
    assert len(common) >= 2
    assert scipy.stats.chi2_contingency(table).pvalue > 0.001, table


# ---- runs that end early


def test_a_killed_engine_costs_one_block(chats, answers, card, tmp_path):
    path = card("vllm", batch_size=4)
    book = Ledger(tmp_path / "answers.sqlite")

    def dying(asked):
        for n, block in enumerate(engine.replies(read_card(path), asked)):
            yield block
            if n == 1:
                os.kill(engines(os.getpid())[0], signal.SIGKILL)

    with pytest.raises(EngineFailed, match="exit code -9"):
        llm.LLM("small", read_card(path), dying, ledger=book).complete(chats)
    again = llm.LLM("small", read_card(path), partial(engine.replies, read_card(path)), ledger=book)
    given = again.complete(chats)
    assert again.found in (8, 12) and again.found + again.asked == len(chats)
    assert given == answers("vllm", chats)


RUN = """
import json, sys
from personalab.backends import llm
from personalab.backends.chat import Chat
llm.load(sys.argv[1], ledger=sys.argv[2]).complete([Chat(*chat) for chat in json.load(sys.stdin)])
"""


def test_a_killed_run_leaves_no_engine_and_goes_on_where_it_stood(chats, answers, card, tmp_path):
    engine.close()
    many = [chat._replace(repeat=repeat) for repeat in range(5) for chat in chats]
    path, book = card("vllm", batch_size=1), tmp_path / "answers.sqlite"
    run = subprocess.Popen([sys.executable, "-c", RUN, path, str(book)], stdin=subprocess.PIPE, text=True)
    run.stdin.write(json.dumps(many))
    run.stdin.close()
    while run.poll() is None and not (book.exists() and rows(book, path)):
        time.sleep(0.01)
    (started,) = engines(run.pid)
    run.kill()
    run.wait()
    kept, end = rows(book, path), time.monotonic() + 10
    while Path(f"/proc/{started}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not Path(f"/proc/{started}").exists()
    again = llm.load(path, ledger=book)
    assert again.complete(many) == answers("vllm", many)
    assert again.found == kept and again.asked == len(many) - kept > 0


def rows(book: Path, card: str) -> int:
    """Answers in the ledger."""
    return len(Ledger(book).rows(Path(card).stem))


def test_a_setting_that_vllm_does_not_know_is_named(chats, answers):
    with pytest.raises(EngineFailed, match="float9"):
        answers("vllm", chats, dtype="float9")
