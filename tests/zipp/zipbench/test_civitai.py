"""Pages of Civitai's API: the published forms are understood, everything read is kept or counted, nothing odd crashes."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab.zipp.zipbench import civitai

#: an item with the fields and types of the site's REST reference; the values are ours
ITEM = {
    "id": 71,
    "url": "https://image.example/71.jpeg",
    "hash": "UKHU00000000",
    "width": 1024,
    "height": 1536,
    "nsfw": False,
    "nsfwLevel": "None",
    "createdAt": "2023-04-11T15:33:12.500Z",
    "postId": 5,
    "stats": {"cryCount": 0, "likeCount": 2, "commentCount": 0},
    "meta": {
        "Size": "512x768",
        "seed": 234871805,
        "Model": "Tide",
        "steps": 35,
        "prompt": "a  lighthouse,\n<lora:stormy_v10:0.6> high waves",
        "negativePrompt": "blurry",
        "sampler": "Euler a",
        "cfgScale": 7,
    },
    "username": "ACivitaiGuy",
}


def write(folder, *pages, name="page_{}.json"):
    folder.mkdir(exist_ok=True)
    for i, page in enumerate(pages):
        (folder / name.format(i)).write_text(page if isinstance(page, str) else json.dumps(page))
    return folder


def read(folder):
    pages = civitai.Pages(folder)
    return list(pages), pages


def page(*items):
    return {
        "items": list(items),
        "metadata": {"nextCursor": 101, "nextPage": "https://site.example/?cursor=101"},
    }


def test_an_item_of_the_reference_is_read_field_by_field(tmp_path):
    found, pages = read(write(tmp_path, page(ITEM)))
    when = datetime(2023, 4, 11, 15, 33, 12, 500000, UTC)
    prompt = "a lighthouse, high waves"
    assert found == [civitai.Picture("acivitaiguy", 71, prompt, when, 234871805, "Tide", "1024x1536")]
    assert pages.counts["read"] == pages.counts["kept"] == 1 and pages.shared == {"acivitaiguy": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"nsfw": True, "nsfwLevel": "Soft"}, "not safe"),
        ({"nsfw": True, "nsfwLevel": "None"}, "not safe"),
        ({"nsfw": False, "nsfwLevel": "X"}, "not safe"),
        ({"nsfw": None, "nsfwLevel": None}, "not safe"),
        ({"browsingLevel": 2}, "not safe"),
        ({"browsingLevel": 0}, "not safe"),
        ({"nsfw": None, "nsfwLevel": 1, "browsingLevel": 1}, "kept"),
        ({"nsfw": "None", "nsfwLevel": None}, "kept"),
        ({"username": None}, "no account"),
        ({"username": " "}, "no account"),
        ({"type": "video"}, "not a picture"),
        ({"type": "image"}, "kept"),
        ({"meta": None}, "no generation data"),
        ({"meta": {"id": 71, "meta": None}}, "no generation data"),
        ({"meta": {"Size": "64x64"}}, "no prompt"),
        ({"meta": {"prompt": "<lora:only_a_network:1>,"}}, "no prompt"),
        ({"meta": {"id": 71, "meta": ITEM["meta"]}}, "kept"),
        ({"meta": {"prompt": "x", "Model": {"a": "b"}, "seed": "12"}}, "kept"),
        ({"id": "71"}, "broken"),
        ({"id": True}, "broken"),
        ({"id": None}, "broken"),
        ({"createdAt": "yesterday"}, "broken"),
        ({"createdAt": None}, "broken"),
        ({"username": {"name": "x"}}, "broken"),
        ({"meta": [1]}, "broken"),
        ({"meta": {"prompt": 5}}, "broken"),
    ],
)
def test_each_item_has_one_reason(tmp_path, change, reason):
    found, pages = read(write(tmp_path, page(ITEM | change)))
    assert pages.counts[reason] == pages.counts["read"] == 1
    assert len(found) == (reason == "kept") and len(pages.quarantined) == (reason == "broken")


def test_a_picture_without_a_prompt_is_still_a_safe_picture_of_its_account(tmp_path):
    items = [ITEM | {"id": i, "meta": None} for i in range(3)] + [ITEM | {"id": 9, "nsfw": True}]
    assert read(write(tmp_path, page(*items)))[1].shared == {"acivitaiguy": 3}


def test_a_picture_on_two_pages_counts_once(tmp_path):
    found, pages = read(write(tmp_path, page(ITEM), page(ITEM | {"username": "Other"})))
    assert len(found) == 1 and pages.counts["duplicate"] == 1


def test_pages_lists_and_lines_are_all_understood(tmp_path):
    numbered = [ITEM | {"id": i} for i in range(6)]
    write(tmp_path, page(*numbered[:2]), numbered[2:3])
    lines = "\n".join([json.dumps(numbered[3]), "", json.dumps(page(*numbered[4:]))])
    write(tmp_path, lines, name="b{}.jsonl")
    found, pages = read(tmp_path)
    assert sorted(one.image for one in found) == list(range(6)) and pages.counts["read"] == 6


def test_what_is_no_json_is_set_aside_with_its_place_and_the_rest_is_read(tmp_path):
    write(tmp_path / "pages", page(ITEM), '{"items": [', '"text"', '{"items": 5}', "[" * 100_000)
    (tmp_path / "pages" / "z.jsonl").write_bytes(
        b"\xff\xfe\n" + json.dumps(ITEM | {"id": 2}).encode() + b"\n"
    )
    found, pages = read(tmp_path / "pages")
    assert len(found) == 2 and pages.counts["broken"] == 5 and pages.counts["read"] == 7
    places = [one.split(":")[0] for one in pages.quarantined]
    assert places == ["file 2", "file 3", "file 4", "file 5", "file 6, line 1"]


def test_an_account_or_prompt_is_in_no_message(tmp_path):
    write(tmp_path, page(ITEM | {"id": "x"}, ITEM | {"createdAt": "ACivitaiGuy"}), name="ACivitaiGuy{}.json")
    _, pages = read(tmp_path)
    said = f"{pages.quarantined} {pages.counts}".lower()
    assert len(pages.quarantined) == 2 and "civitaiguy" not in said and "lighthouse" not in said


def test_no_pages_is_an_error_that_says_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected \.json or \.jsonl"):
        civitai.Pages(tmp_path)


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
changed = st.dictionaries(st.sampled_from([*ITEM, "type", "browsingLevel", "baseModel"]), odd, max_size=4)


@given(items=st.lists(changed.map(lambda change: ITEM | change) | odd, max_size=6))
def test_whatever_types_come_everything_read_is_kept_or_dropped(items, tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("odd"), page(*items))
    found, pages = read(folder)
    counts = pages.counts
    assert counts["read"] == len(items) == counts["kept"] + sum(counts[reason] for reason in civitai.REASONS)
    assert len(found) == counts["kept"] <= pages.shared.total() and len(pages.quarantined) == counts["broken"]
    for one in found:
        assert one.prompt and one.created.tzinfo is UTC and (one.seed is None or 0 <= one.seed < 2**63)


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (5, 5),
        ("12", 12),
        (-1, None),
        (2**63, None),
        (1.5, None),
        (True, None),
        (None, None),
        ("random", None),
    ],
)
def test_a_seed_is_a_whole_number_or_missing(tmp_path, seed, expected):
    found, _ = read(write(tmp_path, page(ITEM | {"meta": {"prompt": "x", "seed": seed}})))
    assert found[0].seed == expected


def test_a_lone_surrogate_in_a_prompt_becomes_a_question_mark(tmp_path):
    found, _ = read(
        write(tmp_path, '{"items": [' + json.dumps(ITEM).replace("lighthouse", "\\ud83d house") + "]}")
    )
    assert found[0].prompt.startswith("a ? house") and found[0].prompt.encode()
