"""What a hostile post can change: its own line and nothing else. What a private detail can reach: neither chat nor persona.

Containment is what holds here, whatever the model does with the words it reads. The payloads stand in injections.txt, a
JSON string a line; the canaries come from the corpus that the scrubbing of dumps is tested on.
"""

import csv
import importlib.util
import io
import json
import re
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from transformers import AutoTokenizer

from personalab import tables
from personalab.backends import local
from personalab.backends.chat import Answer, Reply
from personalab.backends.ledger import Ledger
from personalab.backends.llm import LLM
from personalab.backends.templates import render
from personalab.sources import ROOT
from personalab.zipp.persona import chats, compose, describe
from personalab.zipp.screening import line, screened
from personalab.zipp.verbalise import Context, context

HERE = Path(__file__).parent
PAYLOADS = [json.loads(row) for row in (HERE / "injections.txt").read_text().splitlines()] + [
    "A" * 300_000,
    "{{" * 50_000,
]
MARKER = "=========="
CLEAN = "a loaf of rye, still warm"
NAMES = ["rye_bread", "harbours"]
every_payload = pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
both_variants = pytest.mark.parametrize("variant", ["full", "brief"])


def model(answer=None, variant="full", ledger=None) -> LLM:
    """A model that gives one answer to all, or a list of them in order, or says back the data it was shown."""

    def route(wanted):
        echoes = [f"You are a cook. {chat.messages[-1][1]}" for chat in wanted]
        said = echoes if answer is None else answer if isinstance(answer, list) else [answer] * len(wanted)
        yield [Reply(i, Answer(text)) for i, text in enumerate(said)]

    return LLM("scripted", {"model": "scripted", "prompts": variant}, route, ledger=ledger)


def users(text: str, names=NAMES) -> list[Context]:
    """Two users: the first wrote `text` among other things, the second never heard of it."""

    def table(*texts):
        told = pd.Series(texts, dtype=object)  # pandas' own strings refuse lone surrogates
        return pd.DataFrame({"subreddit": [0, 0, 1], "score": [9, 5, 1], "text": told})

    both = (
        table(text, "fog over the quay at dawn", "an oar and a net"),
        table("a kettle", "a grey cat", "rain again"),
    )
    return [context(one, names, {0: 0.6, 1: 0.4}, len, budget=2_000_000) for one in both]


def around(content: str, variant: str) -> tuple[list[str], list[str]]:
    """Lines of the data and lines of the instruction in a user message."""
    lines = content.split("\n")
    start, end = (
        (lines.index(MARKER), len(lines) - lines[::-1].index(MARKER))
        if variant == "full"
        else (-1, len(lines) + 1)
    )
    return lines[start + 1 : end - 1], lines[: start + 1] + lines[end - 1 :]


@both_variants
@every_payload
def test_a_hostile_post_stays_on_its_own_line(payload, variant):
    (clean, clean_other), (hostile, other) = (
        chats(model(variant=variant), users(text)) for text in (CLEAN, payload)
    )
    assert other == clean_other, "another user's question is the same to the byte"
    assert (
        [role for role, _ in hostile.messages] == [role for role, _ in clean.messages] == ["system", "user"]
    )
    assert hostile.messages[0] == clean.messages[0], "the system message is the same to the byte"
    data, instruction = around(hostile.messages[1][1], variant)
    clean_data, clean_instruction = around(clean.messages[1][1], variant)
    assert instruction == clean_instruction and hostile.messages[1][1].count(MARKER) == (
        2 if variant == "full" else 0
    )
    begins = "- " if variant == "full" else "before: "
    assert all(row.startswith(begins) and row.isprintable() and len(row) <= 510 for row in data)
    assert len(data) in (len(clean_data), len(clean_data) - 1), (
        "no line more; one less where nothing was left"
    )
    assert len(set(clean_data) & set(data)) == len(clean_data) - 1


@every_payload
def test_nothing_of_a_post_is_evaluated(payload):
    content = chats(model(), users(payload))[0].messages[1][1]
    assert not re.search(r"\{[{%#]|[%#}]\}|<\||\|>|<[a-zA-Z/!]|\[/?INST|\\\w", content)
    if "7" in payload:
        assert "49" not in content.replace("+49", "")


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(ROOT / "models" / "mini-lm-l")


@both_variants
@every_payload
def test_the_chat_template_shows_as_many_role_marks_as_there_are_messages(payload, variant, tokenizer):
    special = set(tokenizer.all_special_ids) | {
        i for i, token in tokenizer.added_tokens_decoder.items() if token.special
    }
    marks = [
        Counter(
            token
            for token in local._prompt(tokenizer, chats(model(variant=variant), users(text))[0])
            if token in special
        )
        for text in (CLEAN, payload)
    ]
    assert marks[0] == marks[1] and marks[0].total() == 5, (
        "a role and an end for each of two, a role for the answer"
    )


@every_payload
def test_a_hostile_name_of_a_community_reaches_no_question_but_the_subreddit_only_one(payload):
    names = [payload, "harbours"]
    assert chats(model(), users(CLEAN, names)) == chats(model(), users(CLEAN))
    alone = context(
        pd.DataFrame({"subreddit": [], "score": [], "text": []}),
        names,
        {0: 0.6, 1: 0.4},
        len,
        budget=2_000_000,
        full=False,
    )
    data, _ = around(chats(model(), [alone])[0].messages[1][1], "full")
    assert len(data) <= 2 and all(row.startswith("- ") for row in data)


class Folder:
    """Takes what a run would write."""

    profile, stamp = "smoke", "0123456789"

    def __init__(self):
        self.files = {}

    def write(self, kind, file, data):
        self.files[file.rsplit(".")[-1]] = data.decode()
        return file


def check_persona(text: str) -> None:
    assert text.startswith("You are") and len(text.split()) <= 150
    assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")]
    assert not set(text) & set("<>{}\\`|^*#=[]")


@every_payload
def test_what_a_model_says_back_is_a_plain_paragraph_or_missing(payload, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for said in (payload, f"You are a cook. {payload}", f"{payload} You are a cook."):
        given = describe(model(said), users(CLEAN), communities=NAMES)
        assert len(given.answers) == 2 and given.counts.total() >= 2
        for answer in given.answers:
            assert (answer.text is None) != (answer.reason is None)
            if answer.text is not None:
                check_persona(answer.text)
    for answer in [*describe(model(), users(payload)).answers, *compose(users(payload)).answers]:
        if answer.text is not None:
            check_persona(answer.text)
    assert not list(tmp_path.rglob("*")), "no file is made"


@every_payload
def test_hostile_answers_are_inert_in_tables_and_keep_their_columns(payload):
    payload = payload[:2000].encode("utf-8", "replace").decode()
    answers = describe(model(f"You are a cook. {payload}"), users(CLEAN)).answers
    frame = pd.DataFrame(
        {"raw": [payload, "x"], "persona": [answer.text or answer.reason for answer in answers]}
    )
    folder = Folder()
    tables.save_table(folder, frame, "personas", "Two users.")
    assert not re.search(r"<(?:script|img|svg|!)", folder.files["html"] + folder.files["md"])
    assert not re.search(
        r"\\(?:input|write|documentclass|immediate)|\\end\{tabular\}\\doc", folder.files["tex"]
    )
    rows = list(csv.reader(io.StringIO(folder.files["csv"], newline="")))
    assert [len(row) for row in rows] == [2, 2, 2] and not any(
        cell[:1] in tuple("=+-@\t") for row in rows for cell in row if cell
    )


def test_hostile_answers_come_back_from_the_ledger_and_from_parquet_as_they_were(tmp_path):
    said = [payload.encode("utf-8", "replace").decode() for payload in PAYLOADS]
    contexts = [Context([("", f"loaf {i}")], 0, Counter(), {}) for i in range(len(said))]
    first = model(said, ledger=Ledger(tmp_path / "ledger.sqlite")).complete(chats(model(), contexts))
    again = model("never asked", ledger=Ledger(tmp_path / "ledger.sqlite")).complete(chats(model(), contexts))
    assert first == again == [Answer(text) for text in said]
    frame = pd.DataFrame({"persona": said})
    frame.to_parquet(tmp_path / "personas.parquet")
    assert pd.read_parquet(tmp_path / "personas.parquet").equals(frame)


@both_variants
@every_payload
def test_a_hostile_persona_history_or_prompt_changes_no_other_message_of_a_rewrite(payload, variant):
    def asked(persona, earlier, prompt):
        return render(
            "zipp_rewrite", variant, persona=persona, history=[earlier, CLEAN], prompt=prompt, max_words=70
        )

    plain = asked("You are a cook.", "a red boat", "a quay")
    persona = screened(f"You are a cook. {payload}")[0].text
    if persona:
        system, user = asked(persona, "a red boat", "a quay")
        assert system == ("system", persona) and "\n" not in persona and user == plain[1]
    shown = line(payload) or "."
    for fields in ((shown, "a quay"), ("a red boat", shown)):
        system, user = asked("You are a cook.", *fields)
        assert system == plain[0] and user[0] == "user"
        assert user[1].split("\n") == [
            row.replace("a red boat", fields[0]).replace("a quay", fields[1])
            for row in plain[1][1].split("\n")
        ]
    raw = asked("You are a cook.", payload, payload)
    assert [role for role, _ in raw] == ["system", "user"] and raw[0] == plain[0]


def load_canaries():
    spec = importlib.util.spec_from_file_location("canaries", HERE / "reddit" / "canaries.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: words of canaries that tell nothing by themselves, or that the frames hold, too
PLAIN = set(
    "the and corner of pub cafe restaurant plant dot com net mail Dr zero one two five nine at".split()
)
INVENTED = {
    "name": "You are {}, and you bake.|You are a friend of {} and like fog.",
    "given": "You are somebody whose sister {} loves the sea.|You are a potter, says {}.",
    "url": "You are a photographer who shows pictures on {} every week.|You are a reader of {} and of poems.",
    "email": "You are a potter who can be reached under {} at any time.|You are glad to get letters to {}.",
    "phone": "You are a baker who takes orders under {} on weekdays.|You are quick to call {}.",
    "place": "You are a gardener who lives at {} with two cats.|You are often seen near {} in the morning.",
}


def left_over(canary, text):
    """Words of a canary that a text still holds."""
    words = set(re.findall(r"[^\W_]{2,}", canary)) - PLAIN
    return {word for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)}


@pytest.mark.parametrize("seed", [5, 1604])
def test_private_details_reach_neither_chat_nor_persona(seed):
    canaries = load_canaries()
    corpus = canaries.corpus(seed)
    contexts = [Context([("", text)], 0, Counter(), {"": 1.0}) for _, _, text in corpus]
    sent = [
        " ".join(around(chat.messages[1][1], "full")[0]) if chat else "" for chat in chats(model(), contexts)
    ]
    rng = np.random.default_rng(seed)
    said = [
        f"You are careful and like bread. {text}"
        if i % 2
        else str(rng.choice(INVENTED[kind].split("|"))).format(canary)
        for i, (kind, canary, text) in enumerate(corpus)
    ]
    kept = [screened(text)[0].text or "" for text in said]
    assert len(corpus) >= 300 and all(text.strip() for text in sent)
    for name, texts in {
        "chats": sent,
        "personas": kept,
        "composed": [a.text or "" for a in compose(contexts).answers],
    }.items():
        missed = [
            (canary, text)
            for (_, canary, _), text in zip(corpus, texts, strict=True)
            if left_over(canary, text)
        ]
        print(
            f"{name}: {len(corpus) - len(missed)} of {len(corpus)} canaries gone; missed {missed}; {sum(map(bool, texts))} texts"
        )
        assert len(missed) <= 0.01 * len(corpus)
