"""What is dropped, for which of several reasons, and that every line is accounted for."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_dumps import comment, post, write
from test_items import BAD_LINES

from personalab.zipp.reddit.filters import BOT, DELETED, NSFW, PERSONAL, SHORT, clean, is_bot, sift, unwanted


@pytest.mark.parametrize("name", ["AutoModerator", "RemindMeBot", "sneakpeekbot", "auto-bot", "some_bot_9000", "HaikuBot-1337", "totesmessenger", "BOT", "HelperBOT2"])  # fmt: skip
def test_bots(name):
    assert is_bot(name)


@pytest.mark.parametrize("name", ["MrRobot", "talbot", "Abbot", "turbot", "cabot77", "botanist", "Sabot", "bottle_cap", "I_like_robots", "JTalbot1960"])  # fmt: skip
def test_people_whose_names_only_sound_like_it(name):
    assert not is_bot(name)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (comment(1), None),
        (post(1), None),
        (comment(1, author="AutoModerator", body="[removed]"), BOT),
        (comment(1, distinguished="moderator", subreddit="nsfw_gifs"), BOT),
        (comment(1, distinguished="admin"), BOT),
        (post(1, over_18=True, author="[deleted]"), NSFW),
        (post(1, over_18="true"), NSFW),
        (post(1, over_18=1), NSFW),
        (post(1, over_18="False"), None),
        (post(1, over_18=None), None),
        (comment(1, subreddit="NSFW_GIF"), NSFW),
        (comment(1, subreddit="Gore"), NSFW),
        (comment(1, author=None), DELETED),
        (comment(1, author="[deleted]", body="gone"), DELETED),
        (comment(1, body="[removed]"), DELETED),
        (comment(1, body="[ Removed by Reddit ]"), DELETED),
        (comment(1, body=""), DELETED),
        (post(1, selftext="[deleted]"), DELETED),
        (post(1, title="[deleted by user]"), DELETED),
        (post(1, removed_by_category="moderator"), DELETED),
        (comment(1, body="four words it has"), SHORT),
        (comment(1, body="  four \n\n words it\thas  ", subreddit="u_someone"), SHORT),
        (comment(1, body="five words it has here"), None),
        (comment(1, body="[link](x) with some more words"), None),
        (post(1, title="Short"), None),
        (comment(1, subreddit="u_quiet_heron_77"), PERSONAL),
        (comment(1, subreddit_type="user"), PERSONAL),
    ],
)
def test_the_first_reason_counts(row, reason):
    assert unwanted(row, nsfw={"gore"}) == reason


ROWS = st.sampled_from(
    [
        comment(1),
        post(2),
        comment(3, author=None),
        comment(4, body="too short"),
        post(5, over_18="1"),
        b"",
        b"  ",
    ]
    + [line for line in BAD_LINES.values() if line is not None and len(line) < 1000]
)


@given(st.lists(ROWS, max_size=40))
@settings(max_examples=60, deadline=None)
def test_every_line_is_kept_dropped_or_quarantined_at_its_number(tmp_path_factory, rows):
    path = write(tmp_path_factory.getbasetemp() / "d.zst", rows)
    counts, aside = Counter(), []
    kept = list(sift(path, counts, lambda *bad: aside.append(bad)))
    assert counts["read"] == sum(row not in (b"", b"  ") for row in rows)
    assert 2 * counts["read"] == counts.total() + len(kept)
    whole = {"c1": "t1_c1", "p2": "t3_p2"}
    dicts = [row for row in rows if isinstance(row, dict)]
    assert [one.id for one in kept] == [whole[row["id"]] for row in dicts if row["id"] in whole]
    bad = [number for number, row in enumerate(rows, 1) if isinstance(row, bytes) and row.strip()]
    assert [line for line, _, _ in aside] == bad


def test_bad_lines_are_set_aside_with_number_offset_and_reason(tmp_path):
    rows = [row for bad in BAD_LINES.values() for row in (comment(1), bad or b"x" * (2**17 + 1))]
    path, counts, aside = write(tmp_path / "d.json", rows), Counter(), []
    assert len(list(sift(path, counts, lambda *bad: aside.append(bad), limit=2**17 + 1000))) == len(BAD_LINES)
    data = path.read_bytes()
    for (line, offset, reason), (expected, bad) in zip(aside, BAD_LINES.items(), strict=True):
        assert line == 2 * list(BAD_LINES).index(expected) + 2
        assert data[offset:].startswith(bad or b"xxx") and data[offset - 1] == ord("\n")
        assert reason == expected or bad is None or len(bad) > 2**17


def test_a_page_of_the_api_goes_the_same_way(tmp_path):
    children = [("t1", comment(1)), ("t3", post(2)), ("more", {"count": 9, "children": ["c5"]})]
    page = {
        "kind": "Listing",
        "data": {"children": [{"kind": kind, "data": data} for kind, data in children]},
    }
    counts, aside, authors = Counter(), [], {}
    kept = list(
        sift(write(tmp_path / "page.json", [page]), counts, lambda *bad: aside.append(bad), authors=authors)
    )
    assert [one.id for one in kept] == ["t1_c1", "t3_p2"] and list(authors) == ["quiet_heron_77"]
    assert counts == {"read": 3, "quarantined": 1} and aside == [(3, None, "field title is missing")]


def test_texts_are_cleaned_after_entities_are_read():
    marks = {"secret@example.org": "[email]"}

    def scrub(text):
        for found, mark in marks.items():
            text = text.replace(found, mark)
        return text

    def redact(text):
        return text.replace("I am a Zoroastrian.", ""), text.count("I am a Zoroastrian.")

    assert clean("a &lt;b&gt; to secret&#64;example.org", scrub, redact) == "a <b> to [email]"
    assert clean("I am a Zoroastrian. I like fog.", scrub, redact) == "I like fog."
    assert clean("I am a Zoroastrian.", scrub, redact) is None
    assert clean("secret@example.org ...", scrub, redact) is None
    assert clean("... !!!", scrub, redact) is None
    assert clean("été 日本", scrub, redact) == "été 日本"
