"""Identifiers cannot be linked without the key, and the key stays where it belongs."""

import hashlib
import hmac
import os
import pickle
import re
import stat
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab.sources import ROOT
from personalab.zipp.reddit import privacy
from personalab.zipp.reddit.privacy import Key, UnsafeKey, default_path, load_key

SECRET = bytes(range(7, 39))
CANARY = "c0ffee" * 9 + "1234567890"
NAMES = [f"{word}_{number}" for word in ("blue", "Night", "cat", "TheReal", "x") for number in range(400)]


def guesses(name):
    """What somebody without the key would try on a name."""
    low = name.lower().encode()
    keys = [
        b"",
        b"key",
        b"secret",
        b"personalab",
        b"PERSONALAB_KEY",
        b"zipp",
        b"reddit",
        b"salt",
        bytes(16),
        bytes(32),
    ]
    messages = [
        low,
        name.encode(),
        b"u/" + low,
        b"user" + low,
        b"user:" + low,
        b"user\0" + low,
        b"personalab/user\0" + low,
    ]
    for message in messages:
        for algorithm in ("md5", "sha1", "sha256", "sha512", "blake2b"):
            yield hashlib.new(algorithm, message).hexdigest()
            yield from (hmac.new(key, message, algorithm).hexdigest() for key in keys)


def test_without_the_key_a_dictionary_of_all_names_links_none():
    published = {Key(os.urandom(32)).identifier(name) for name in NAMES[::20]}
    tried = {
        guess[at : at + 32] for name in NAMES[::20] for guess in guesses(name) for at in (0, len(guess) - 32)
    }
    assert len(tried) > 50_000
    assert not published & tried


def test_the_construction_is_hmac_as_the_standard_library_computes_it():
    for kind in ("user", "picture"):
        expected = hmac.digest(SECRET, f"personalab/{kind}\0some_name".encode(), "sha256").hex()[:32]
        assert Key(SECRET).identifier("Some_Name", kind=kind) == expected


def test_one_key_gives_one_identifier_in_every_process():
    code = "from personalab.zipp.reddit.privacy import load_key; print(load_key().identifier('Some_Name'))"
    environment = os.environ | {privacy.VARIABLE: SECRET.hex()}
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1")
    ]
    assert runs == [Key(SECRET).identifier("some_name")] * 2


def test_two_keys_share_no_identifiers_and_neither_do_users_and_pictures():
    ours, theirs = Key(SECRET), Key(SECRET[::-1])
    sets = [
        {ours.identifier(name) for name in NAMES},
        {theirs.identifier(name) for name in NAMES},
        {ours.identifier(name, kind="picture") for name in NAMES},
    ]
    assert [len(group) for group in sets] == [len({name.lower() for name in NAMES})] * 3
    assert len(set.union(*sets)) == sum(map(len, sets))


@given(st.text(min_size=1, max_size=40))
def test_identifiers_are_128_bits_of_hex_and_do_not_mind_case(name):
    identifier = Key(SECRET).identifier(name)
    assert re.fullmatch("[0-9a-f]{32}", identifier)
    assert Key(SECRET).identifier(name.lower()) == identifier


def test_identifiers_are_quick_enough_for_millions_of_names():
    key, began = Key(SECRET), time.process_time()
    for name in NAMES * 10:
        key.identifier(name)
    assert 10 * len(NAMES) / (time.process_time() - began) > 50_000


def test_a_bad_name_or_kind_is_refused_without_showing_the_name():
    with pytest.raises(ValueError, match="expected a name"):
        Key(SECRET).identifier("")
    with pytest.raises(ValueError) as caught:
        Key(SECRET).identifier("somebody_private", kind="house")
    assert "house" in str(caught.value) and "somebody" not in str(caught.value)


@pytest.mark.parametrize("secret", [b"", b"short", b"x" * 64, bytes(32), b"abcd" * 8])
def test_weak_keys_are_refused(secret):
    with pytest.raises(UnsafeKey, match="expected 16 random bytes"):
        Key(secret)


def test_the_key_shows_nowhere(tmp_path, monkeypatch):
    key = load_key(environment={privacy.VARIABLE: CANARY})
    shown = [repr(key), str(key), f"{key}", repr([key]), repr(getattr(key, "__dict__", ""))]
    for attempt in (pickle.dumps, lambda k: k.identifier(""), lambda k: k.identifier("a", kind="b")):
        with pytest.raises((TypeError, ValueError)) as caught:
            attempt(key)
        shown.append(str(caught.getrepr(showlocals=True, style="long")))
    path = tmp_path / "key"
    path.write_text(CANARY)
    path.chmod(0o644)
    with pytest.raises(UnsafeKey) as caught:
        load_key(path)
    shown.append(str(caught.getrepr(showlocals=True, style="long")))
    raw = bytes.fromhex(CANARY)
    assert not any(CANARY in text or repr(raw)[2:20] in text for text in shown)


def test_a_weak_key_is_not_shown_by_its_own_error():
    with pytest.raises(UnsafeKey) as caught:
        load_key(environment={privacy.VARIABLE: "hunter2"})
    assert "hunter2" not in str(caught.value) and "7 bytes" in str(caught.value)


def test_hexadecimal_and_passphrase_in_the_environment():
    assert load_key(environment={privacy.VARIABLE: SECRET.hex()}).identifier("a") == Key(SECRET).identifier(
        "a"
    )
    phrase = "many correct horses staple batteries"
    assert load_key(environment={privacy.VARIABLE: phrase}).identifier("a") == Key(
        phrase.encode()
    ).identifier("a")


def test_first_use_makes_a_file_for_its_owner_alone_and_later_use_reads_it(tmp_path):
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    first = load_key(environment=environment)
    path = default_path(environment)
    assert path == tmp_path / "personalab" / "key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(path.read_text())) == 32
    assert load_key(environment=environment).identifier("a") == first.identifier("a")
    assert [p.name for p in path.parent.iterdir()] == ["key"]


def test_default_path_without_xdg_is_under_home_and_a_relative_xdg_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (
        default_path({})
        == default_path({"XDG_CONFIG_HOME": "here"})
        == tmp_path / ".config" / "personalab" / "key"
    )


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o620])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path, mode):
    path = tmp_path / "key"
    path.write_text(SECRET.hex())
    path.chmod(mode)
    with pytest.raises(UnsafeKey, match="chmod 600"):
        load_key(path)


def test_a_file_inside_the_repository_is_refused_even_through_a_link(tmp_path):
    with pytest.raises(UnsafeKey, match="inside the repository"):
        load_key(ROOT / "outputs" / "key")
    (tmp_path / "link").symlink_to(ROOT)
    with pytest.raises(UnsafeKey, match="inside the repository"):
        load_key(tmp_path / "link" / "key")
    with pytest.raises(UnsafeKey, match="inside the repository"):
        load_key(environment={"XDG_CONFIG_HOME": str(ROOT / ".config")})
    assert not (ROOT / "outputs" / "key").exists() and not (ROOT / ".config").exists()
