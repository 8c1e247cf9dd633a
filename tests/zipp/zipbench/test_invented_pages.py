"""Invented pages: what was planted is found by the same reader and rule as real pages', to the item and account."""

import json
import re

import numpy as np
import pytest

from personalab.world import users, words
from personalab.zipp import synthetic_dump
from personalab.zipp.zipbench import bench, civitai, invented, link

N, SEED = 400, 3
KEY = synthetic_dump.nobodys_key()


def person(who):
    return users.draw_user(np.random.default_rng([SEED, 1, who]))


@pytest.fixture(scope="module")
def names():
    return synthetic_dump.accounts(N, SEED)


@pytest.fixture(scope="module")
def made(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("pages")
    return folder, invented.write_pages(folder, names, person, seed=0)


@pytest.fixture(scope="module")
def read(made):
    pages = civitai.Pages(made[0])
    return list(pages), pages


def test_every_item_is_found_as_it_was_planted(made, read):
    counts, planted = read[1].counts, made[1].items
    assert {kind: counts[kind] for kind in planted} == planted and set(planted) == {"kept", *civitai.REASONS}
    assert counts["read"] == planted.total() and min(planted.values()) > 0


def test_exactly_the_planted_accounts_link_to_exactly_their_users(made, read, names):
    found = link.link(read[1].shared, KEY, [KEY.identifier(name) for name in names])
    assert {one.account: (one.row, one.alias) for one in found.links} == made[1].links
    kinds = made[1].accounts
    assert found.counts["too few safe pictures"] == kinds["too few"]
    assert (
        found.counts["no such Reddit user"] == kinds["two digits"] + kinds["four digits"] + kinds["stranger"]
    )
    assert found.counts["claimed by several"] == kinds["two for one"]
    assert found.counts["claimed by the exact name"] == kinds["beside the name"]
    assert found.counts["accounts"] == kinds.total() and min(kinds.values()) > 0


def test_prompts_come_back_in_their_order(made, read, names):
    links = link.link(read[1].shared, KEY, [KEY.identifier(name) for name in names]).links
    found = {one.account: [p.prompt for p in own] for one, own in bench.histories(read[0], links).items()}
    assert found == made[1].prompts
    assert all(12 <= len(own) <= 20 for own in found.values())


def test_pages_are_the_apis_in_form_and_the_lines_items(made):
    first = json.loads((made[0] / "images_0000.json").read_bytes())
    assert set(first) == {"items", "metadata"} and "nextCursor" in first["metadata"]
    fields = {"id", "url", "hash", "width", "height", "createdAt", "postId", "stats", "meta", "username"}
    assert all(fields <= set(item) for item in first["items"] if isinstance(item, dict))
    assert len((made[0] / "more.jsonl").read_bytes().splitlines()) > 100


def test_short_prompts_name_the_same_subject_and_are_in_no_page(made, read):
    pages = b"".join(path.read_bytes() for path in made[0].iterdir()).decode()
    full = {one.prompt for one in read[0]}
    short = {text: made[1].short[text] for text in full}
    assert all(len(words.spelt(one)) <= len(words.spelt(text)) for text, one in short.items())
    texts = set(re.findall(r'"prompt":"([^"]*)"', pages))
    assert full <= texts and not texts & set(short.values()) - full


def test_some_prompts_repeat_and_some_change_a_little(made):
    per_user = [bench.split(own, 3) for own in made[1].prompts.values()]
    assert sum(one.dropped["repeated"] for one in per_user) > 0
    assert sum(one.dropped["near a test prompt"] for one in per_user) > 0


def test_prompts_follow_their_persons_taste(made, names):
    """What a person favours is named more in their own prompts than in others'."""
    tastes = {account: person(who).taste for account, (who, _) in made[1].links.items()}
    liked = {
        a: words.attributes()["style"][(t.contexts @ t.values["style"]).argmax()] for a, t in tastes.items()
    }
    styles = {a: [words.spelt(p).get("style") for p in own] for a, own in made[1].prompts.items()}
    own = np.mean([np.mean([s == liked[a] for s in styles[a]]) for a in liked])
    others = np.mean([np.mean([s == liked[a] for s in styles[b]]) for a in liked for b in liked if a != b])
    assert own > 2 * others


def test_the_same_seed_gives_the_same_bytes(made, names, tmp_path):
    assert invented.write_pages(tmp_path / "again", names, person, seed=0) == made[1]
    for path in made[0].iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    assert invented.write_pages(tmp_path / "other", names, person, seed=1) != made[1]


def test_too_few_people_for_the_traps_is_an_error(tmp_path, names):
    with pytest.raises(ValueError, match="got 10 people; expected more"):
        invented.write_pages(tmp_path, names[:10], person, seed=0, share=0.9)
