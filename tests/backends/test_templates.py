"""Prompts from files: what is filled in is data, and what is missing is said."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab.backends import templates
from personalab.backends.templates import render
from personalab.sources import ROOT

FILE = """
full:
  system: |
    You are {{ who }}.
  user: |
    {% for item in items %}
    - {{ item }}
    {% endfor %}
    {% if note %}
    Note: {{ note }}
    {% endif %}
    End.
brief:
  system: "{{ who if items else '' }}"
  user: "{{ items | join(', ') }}"
broken:
  user: "{% if %}"
sneaky:
  user: "{{ items.__class__.__mro__[1].__subclasses__() }}"
odd: just text
other:
  judge: hello
"""


@pytest.fixture(autouse=True)
def prompts(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "params" / "prompts"
    folder.mkdir(parents=True)
    (folder / "letter.yaml").write_text(FILE)
    monkeypatch.setattr(templates, "ROOT", tmp_path)
    return folder


def test_by_hand():
    full = render("letter", who="Ana", items=["a", "b"], note="")
    assert full == (("system", "You are Ana."), ("user", "- a\n- b\nEnd."))
    noted = render("letter", "full", who="Ana", items=[], note="x")
    assert noted[1] == ("user", "Note: x\nEnd.")


def test_an_empty_message_is_left_out():
    assert render("letter", "brief", who="Ana", items=[]) == ()
    assert render("letter", "brief", who="Ana", items=["a"]) == (("system", "Ana"), ("user", "a"))


@pytest.mark.parametrize(
    "text",
    ["{{ 7*7 }}", "{% if %}", "{# gone #}", "{{ who }}", "{{", "%}", "${7*7}", "<b>&amp;</b>", "# line"],
)
def test_what_is_filled_in_is_never_code(text):
    ((_, system), (_, user)) = render("letter", who=text, items=[text], note=text)
    assert system == f"You are {text}." and user == f"- {text}\nNote: {text}\nEnd."


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_text_comes_through_unchanged(text):
    folder = templates.ROOT / "params" / "prompts"
    (folder / "one.yaml").write_text('plain: {user: "[{{ text }}]"}')
    assert render("one", "plain", text=text) == (("user", f"[{text}]"),)


def test_a_missing_field_is_named_and_a_further_one_does_no_harm():
    with pytest.raises(
        ValueError, match=r"letter\.yaml, full: 'note' is undefined; got the fields \['items', 'who'\]"
    ):
        render("letter", who="Ana", items=[])
    assert render("letter", "brief", who="Ana", items=[], more=1) == ()


def test_a_wrong_file_is_named(prompts):
    with pytest.raises(FileNotFoundError, match=r"no prompt 'latter'; expected one of \['letter'\]"):
        render("latter")
    with pytest.raises(ValueError, match=r"no variant 'short'; expected one of \['full', 'brief'"):
        render("letter", "short")
    with pytest.raises(ValueError, match=r"letter\.yaml, broken: .*expected a Jinja template"):
        render("letter", "broken")
    for variant in ("odd", "other"):
        with pytest.raises(ValueError, match="expected templates for some of"):
            render("letter", variant)
    (prompts / "list.yaml").write_text("- a\n- b")
    with pytest.raises(ValueError, match="no variant 'full'; expected one of"):
        render("list")


def test_a_template_cannot_reach_into_python():
    with pytest.raises(ValueError, match="unsafe"):
        render("letter", "sneaky", items=[])


def test_a_path_will_do_for_a_name(tmp_path):
    (tmp_path / "mine.yaml").write_text("full: {user: hello}")
    assert render("mine.yaml") == (("user", "hello"),)
    assert render(str(tmp_path / "mine.yaml")) == (("user", "hello"),)


def test_an_edit_counts_at_once(prompts):
    before = render("letter", "brief", who="Ana", items=["a"])
    (prompts / "letter.yaml").write_text(FILE.replace("{{ items | join(', ') }}", "new"))
    assert render("letter", "brief", who="Ana", items=["a"]) != before


# ---- the repository's own prompts


EARLIER = ["a boat at dusk", "a lamp"]
REWRITE = {
    "prompt": "A quay.",
    "demographics": {},
    "summary": "",
    "captions": (),
    "elements": {},
    "max_words": 150,
}


@pytest.fixture
def own(monkeypatch) -> None:
    monkeypatch.setattr(templates, "ROOT", ROOT)


@pytest.mark.parametrize("variant", ["full", "brief"])
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("vptt_rewrite", REWRITE),
        ("zipp_rewrite", {"prompt": "A quay.", "persona": "", "history": [], "max_words": 70}),
        ("zipp_persona", {"posts": EARLIER}),
        ("shorten", {"words": 170, "max_words": 150}),
    ],
)
def test_every_prompt_of_the_repository_has_both_variants(name, fields, variant, own):
    messages = render(name, variant, **fields)
    assert messages[-1][0] == "user" and all(content for _, content in messages)
    for value in fields.values():
        if isinstance(value, str) and value:
            assert value in messages[-1][1]


@pytest.mark.parametrize("variant", ["full", "brief"])
@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("summary", "A cook of Bergen. Rows at dawn.", "A cook of Bergen"),
        ("captions", ("Fog lifts over the mill.",), "Fog lifts over the mill."),
        ("elements", {"objects": ["an oar", "a net"], "mood": []}, "objects: an oar; a net"),
    ],
)
def test_a_rewrite_shows_what_its_method_may_see_and_nothing_else(field, value, shown, variant, own):
    ((_, without),) = [m for m in render("vptt_rewrite", variant, **REWRITE) if m[0] == "user"]
    ((_, user),) = [m for m in render("vptt_rewrite", variant, **REWRITE | {field: value}) if m[0] == "user"]
    assert shown in user and shown not in without and "mood" not in user


def test_a_persona_is_the_system_message_and_is_left_out_without_one(own):
    fields = {"prompt": "A quay.", "history": EARLIER, "max_words": 70}
    assert render("zipp_rewrite", persona="You are a cook.", **fields)[0] == ("system", "You are a cook.")
    (only,) = render("zipp_rewrite", persona="", **fields)
    assert only[0] == "user" and all(earlier in only[1] for earlier in EARLIER) and "70" in only[1]
