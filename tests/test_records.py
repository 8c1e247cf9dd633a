"""The gate at the file boundary: what passes comes back equal, what does not is named or counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab import records
from personalab.records import Demographics, Persona, Post, Prompt, RecordError, Rewrite

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
PROMPTS = st.lists(st.builds(Prompt, id=TEXT, task=st.sampled_from(["generation", "editing"]), text=TEXT))


def persona() -> Persona:
    fields = dict.fromkeys(Demographics.model_fields, "x")
    d = Demographics(**fields | {"age": 30, "gender": "woman", "interests": ["tea"], "traits": ["calm"]})
    post = Post(kind="selfie", scenario="at home", caption="Tea, été", elements={"objects": ["a teapot"]})
    implied = {"a teapot": {"shape": "round"}}
    return Persona(
        id="p0", seed="A potter", demographics=d, summary="A potter.", elements={"objects": ["a teapot"], "mood": []},
        preferences=["warm light"], posts=[post], sources={"age": "sampled"}, implies=implied,
    )  # fmt: skip


@given(PROMPTS)
def test_jsonl_returns_any_records_equal(tmp_path_factory, prompts):
    path = tmp_path_factory.mktemp("records") / "x.jsonl"
    path.write_bytes(records.to_jsonl(prompts))
    assert records.read_jsonl(path, Prompt) == (prompts, [])
    assert records.to_jsonl(prompts) == path.read_bytes()


def test_a_persona_survives_both_formats(tmp_path):
    import pyarrow.parquet as pq

    one = persona()
    (tmp_path / "x.jsonl").write_bytes(records.to_jsonl([one, one]))
    assert records.read_jsonl(tmp_path / "x.jsonl", Persona).records == [one, one]
    pq.write_table(records.to_table([one, one]), tmp_path / "x.parquet")
    assert records.read_parquet(tmp_path / "x.parquet", Persona) == [one, one]
    assert one.captions == ["Tea, été"]


LINES = {
    b'{"id": "a", "task": "generation", "text": ""}': "field text",
    b'{"id": "a", "task": "drawing", "text": "x"}': "field task: got 'drawing', expected: Input should be 'gen",
    b'{"id": 3, "task": "generation", "text": "x"}': "field id: got 3",
    b'{"id": "a", "task": "generation"}': "field text",
    b'{"id": "a", "task": "generation", "text": "x", "txt": "y"}': "field txt",
    b'{"id": "a", "task"': "Invalid JSON",
    b"[1, 2]": "field the record",
    b'{"id": "\xff"}': "not UTF-8 at byte 8",
    b'{"id": "a", "task": "generation", "text": "\\ud800"}': "field",
    b"[" * 5000: "field",
}


@pytest.mark.parametrize(("line", "reason"), LINES.items(), ids=range(len(LINES)))
def test_a_bad_line_is_named_or_set_aside(tmp_path, line, reason):
    good = records.to_jsonl([Prompt(id="a", task="editing", text="x")])
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + good + b"\n  \n" + line + b"\n" + good)
    with pytest.raises(RecordError) as error:
        records.read_jsonl(path, Prompt)
    assert f"{path}, line 4, " in str(error.value) and reason in str(error.value)
    assert len(str(error.value)) < 400 + len(str(path))
    kept, dropped = records.read_jsonl(path, Prompt, quarantine=True)
    assert len(kept) == 2 and [drop.line for drop in dropped] == [4] and reason in dropped[0].reason


def test_parquet_errors_name_row_and_field(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [json.loads(persona().model_dump_json()) for _ in range(2)]
    rows[1]["demographics"]["age"] = 3
    nested = [
        {key: json.dumps(v) if isinstance(v, (dict, list)) else v for key, v in row.items()} for row in rows
    ]
    pq.write_table(pa.Table.from_pylist(nested), tmp_path / "x.parquet")
    with pytest.raises(RecordError, match=r"row 2, field demographics\.age: got 3"):
        records.read_parquet(tmp_path / "x.parquet", Persona)


def test_categories_are_those_of_the_paper():
    assert len(records.CATEGORIES) == 8
    with pytest.raises(ValueError, match=r"unknown categories \['colour'\]"):
        Post(kind="selfie", scenario="x", caption="x", elements={"colour": ["red"]})


def test_a_rewrite_has_a_text_or_a_reason():
    fields = {"persona": "a", "memory": "b", "prompt": "p", "method": "BRAG", "backend": "composer"}
    assert Rewrite(**fields, text=None, reason="refused").text is None
    for text, reason in ((None, None), ("x", "refused")):
        with pytest.raises(ValueError, match="either a text or the reason"):
            Rewrite(**fields, text=text, reason=reason)


def test_records_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        persona().id = "other"
