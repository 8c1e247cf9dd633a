"""Lines that are no items, with the reasons given for them, and the types that fields had over the years."""

import json
import math

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_dumps import TEXT, comment, post

from personalab.zipp.reddit.items import BadLine, is_picture, item, parse

BAD_LINES = {
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(comment(1)).encode(),
    "not UTF-8": json.dumps(comment(1)).encode().replace(b"harbour", b"harb\xffur"),
    "not JSON": json.dumps(comment(1)).encode()[:-1],
    "lone surrogate": json.dumps(comment(1, body="the light \ud83d on the harbour")).encode(),
    "NaN or infinity": json.dumps(comment(1, score=math.nan)).encode(),
    "nested too deep": b"[" * 100_000 + b"]" * 100_000,
    "JSON, but not an object": b'["a", "b"]',
    "line longer than the limit": None,
    "field author is missing": json.dumps({k: v for k, v in comment(1).items() if k != "author"}).encode(),
    "field subreddit is missing": json.dumps({k: v for k, v in post(1).items() if k != "subreddit"}).encode(),
    "field title is missing": b'{"id": "x", "count": 3}',
    "field text is not as Reddit writes it (list)": json.dumps(comment(1, body=["a"])).encode(),
    "field text is not as Reddit writes it (NoneType)": json.dumps(comment(1, body=None)).encode(),
    "field author is not as Reddit writes it (dict)": json.dumps(comment(1, author={})).encode(),
    "field selftext is not as Reddit writes it (int)": json.dumps(post(1, selftext=5)).encode(),
    "field created_utc is not as Reddit writes it (NoneType)": json.dumps(post(1, created_utc=None)).encode(),
    "field created_utc is out of range": json.dumps(post(1, created_utc="-4")).encode(),
    "field score is out of range": json.dumps(comment(1, score=10**15)).encode(),
    "no name of a subreddit": json.dumps(comment(1, subreddit="../../etc")).encode(),
    "text longer than Reddit allows": json.dumps(comment(1, body="word " * 50_000)).encode(),
}


@pytest.mark.parametrize("reason", BAD_LINES)
def test_a_bad_line_gives_its_reason_and_nothing_of_its_text(reason):
    with pytest.raises(BadLine) as caught:
        item(parse(BAD_LINES[reason]))
    assert str(caught.value) == reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["id", "author", "subreddit", "created_utc", "score", "body", "title", "selftext", "url"]


@given(st.sampled_from([comment(1), post(1)]), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
@settings(max_examples=300, deadline=None)
def test_whatever_the_fields_hold_a_row_is_an_item_or_a_bad_line(row, odd):
    try:
        one = item(parse(json.dumps(row | odd).encode()))
    except BadLine:
        return
    assert isinstance(one.text, str) and isinstance(one.id, str) and one.id[:3] in ("t1_", "t3_")
    assert one.author is None or isinstance(one.author, str)
    assert one.score is None or -(2**31) <= one.score < 2**31
    assert 0 <= one.day < 50_000


@given(st.binary(max_size=60))
@settings(max_examples=200)
def test_whatever_the_bytes_parse_agrees_with_strict_json(line):
    try:
        known = orjson.loads(line)
    except orjson.JSONDecodeError:
        known = None
    if isinstance(known, dict):
        assert parse(line) == known
    else:
        with pytest.raises(BadLine):
            parse(line)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({"created_utc": 1_572_000_000}, {"day": 18194}),
        ({"created_utc": "1572000000"}, {"day": 18194}),
        ({"created_utc": 1572000000.0}, {"day": 18194}),
        ({"created_utc": 0}, {"day": 0}),
        ({"score": None}, {"score": None}),
        ({"score": "-12"}, {"score": -12}),
        ({"author": None}, {"author": None}),
        ({"subreddit": "reddit.com"}, {"subreddit": "reddit.com"}),
        ({"subreddit": "t:heatdeathoftheuniverse"}, {"subreddit": "t:heatdeathoftheuniverse"}),
    ],
)
def test_types_varied_over_the_years(given_, expected):
    one = item(comment(1, **given_))._asdict()
    assert {name: one[name] for name in expected} == expected


def test_a_comment_and_a_post_by_hand():
    assert tuple(item(comment(5))) == (
        "t1_c5",
        "quiet_heron_77",
        "itookapicture",
        5,
        18194,
        f"{TEXT} 5",
        None,
    )
    one = item(post(5, selftext="Two hours of waiting."))
    assert one.text == "Harbour at dusk 5\n\nTwo hours of waiting."
    assert (one.id, one.picture) == ("t3_p5", "https://i.redd.it/h5.jpg")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://i.redd.it/abc.jpg", True),
        ("http://imgur.com/abc12", True),
        ("https://i.imgur.com/abc.gifv", True),
        ("https://example.org/a/b.JPEG?width=3", True),
        ("https://example.org/b.webp", True),
        ("https://imgur.com/a/xyz", False),
        ("https://imgur.com/gallery/xyz", False),
        ("https://example.org/b.png.html", False),
        ("https://www.reddit.com/r/pics/comments/x", False),
        ("self.pics", False),
        (None, False),
        (7, False),
        ("https://x.org/" + "a" * 3000 + ".png", False),
    ],
)
def test_pictures_are_told_by_their_urls(url, expected):
    assert is_picture(url) is expected
