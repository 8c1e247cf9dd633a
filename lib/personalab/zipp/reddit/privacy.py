"""Keyed identifiers in place of user names and picture addresses (ZIPP section E.1 strips private identifiers).

`Key.identifier` is a keyed hash: without the key, a list of all names links none. The key comes from the environment
or from a file outside the repository; it enters no result, and neither `repr` nor an error shows it. Whoever holds the
key can link every name, so delete it once a data set is final. Private things inside texts are scrub.py's matter.
"""

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NoReturn

from personalab.sources import ROOT

#: the environment variable that may hold the key, as hexadecimal digits or as a passphrase
VARIABLE = "PERSONALAB_KEY"
#: shortest key, in bytes: as many as an identifier has
SHORTEST = 16

Kind = Literal["user", "picture"]


class UnsafeKey(ValueError):
    """A key that must not be used. The message says what was got and what to do; it never holds the key."""


class Key:
    """Secret bytes that turn names into identifiers.

    Args:
        secret: 16 bytes or more from a cryptographic source (`secrets.token_bytes(32)`).

    Raises:
        UnsafeKey: fewer than 16 bytes, or fewer than 6 distinct ones.
    """

    __slots__ = ("_states",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SHORTEST or len(set(secret)) < 6:
            raise UnsafeKey(
                f"got a key of {len(secret)} bytes, {len(set(secret))} of them distinct, expected {SHORTEST} random bytes or "
                f"more; make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
            )
        self._states = {
            kind: hmac.new(secret, b"personalab/" + kind.encode() + b"\0", hashlib.sha256)
            for kind in ("user", "picture")
        }

    def identifier(self, name: str, kind: Kind = "user") -> str:
        """32 hexadecimal digits that stand for a name: HMAC-SHA256 of its kind and the name, cut to 16 bytes.

        Names that differ only in case are one, as on Reddit. Kinds share no identifiers. Raises ValueError, without
        the name, for an empty name and for an unknown kind.
        """
        if not name or kind not in self._states:
            raise ValueError(
                f"got {len(name)} characters of kind {kind!r}, expected a name and one of the kinds {[*self._states]}"
            )
        state = self._states[kind].copy()
        state.update(name.lower().encode("utf-8", "surrogatepass"))
        return state.digest()[:16].hex()

    def __repr__(self) -> str:
        return "Key(<secret>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a key cannot be pickled: it would leave the process; load it again where it is needed"
        )


def default_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the key lies if nobody says otherwise: personalab/key in the user's configuration folder (XDG)."""
    configured = environment.get("XDG_CONFIG_HOME", "")
    folder = Path(configured) if os.path.isabs(configured) else Path.home() / ".config"
    return folder / "personalab" / "key"


def load_key(path: str | Path | None = None, environment: Mapping[str, str] = os.environ) -> Key:
    """The key of this machine: from PERSONALAB_KEY, else from a file that is made on first use.

    Args:
        path: the key's file; `default_path` if None. PERSONALAB_KEY goes before the default, but not before a path.
        environment: where PERSONALAB_KEY and XDG_CONFIG_HOME are looked up.

    Raises:
        UnsafeKey: too short, a path inside the repository, or a file that others may read.
    """
    if path is None and VARIABLE in environment:
        return Key(_parse(os.fsencode(environment[VARIABLE])))
    path = Path(path).expanduser() if path is not None else default_path(environment)
    _refuse_inside(path)
    if not path.exists():
        _create(path)
    return Key(_parse(_read(path)))


def _parse(text: bytes) -> bytes:
    """Hexadecimal digits as the bytes they mean, anything else as it is, without spaces around it."""
    try:
        return bytes.fromhex(text.strip().decode("ascii"))
    except ValueError:
        return text.strip()


def _refuse_inside(path: Path) -> None:
    """A key in the repository would be committed or packed with the results some day."""
    if path.resolve().is_relative_to(ROOT.resolve()):
        raise UnsafeKey(
            f"got a key file inside the repository ({path}), expected one outside {ROOT}; move it away"
        )


def _create(path: Path) -> None:
    """A new random key in a file that only its owner can read; who comes second keeps the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _read(path: Path) -> bytes:
    """What a key's file holds. Raises UnsafeKey if anybody but its owner may read or change it."""
    with open(path, "rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise UnsafeKey(f"got {path} with mode {mode:04o}, expected 0600; run: chmod 600 {path}")
        return file.read()
