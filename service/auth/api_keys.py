"""API keys: a file with one JSON line a key, which holds its SHA-256 and never the key.

A key has 256 random bits, so a fast hash is enough: there is nothing to guess, only to compare.
"""

import fcntl
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from captionfill.errors import StartError
from service.auth.principal import Principal

log = logging.getLogger("captionfill.keys")

# How long keys that were read stay in force while the file cannot be read.
_GRACE_SECONDS = 10.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class ApiKey:
    """One key. Several may have one name: rotation makes the new one before the old one goes."""

    name: str
    sha256: str
    admin: bool
    rate: float | None
    created: str

    @property
    def id(self) -> str:
        """Tells keys of one name apart, and nothing of the key."""
        return self.sha256[:8]

    @property
    def caller(self) -> Principal:
        """Who comes with this key."""
        return Principal(self.name, self.admin, self.rate)


class ApiKeyFile:
    """The keys of a file, read again whenever the file changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: list[ApiKey] = []
        self._version: tuple[int, ...] | None = None
        self._failing_since: float | None = None
        self._trouble = ""

    def find(self, key: str) -> Principal | None:
        """Who comes with a key. Takes as long for a wrong key as for any of the right ones."""
        digest = _digest(key)
        found = None
        for entry in self._current():
            if hmac.compare_digest(entry.sha256, digest):
                found = entry.caller
        return found

    def read(self) -> list[ApiKey]:
        """Every key, in the order they were made; none where there is no file.

        Raises:
            StartError: a line is not a key, or the file cannot be read.
        """
        try:
            keys, damaged = _parse(self.path.read_bytes())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StartError(f"{self.path}: {error.strerror}") from error
        if damaged:
            raise StartError(f"{self.path} has a line that is not a key: line {damaged[0]}")
        return keys

    def new(self, name: str, *, admin: bool = False, rate: float | None = None) -> str:
        """Make a key, and return it: this is the only time it can be seen."""
        if not _NAME.fullmatch(name):
            raise StartError(f"{name[:70]!r} is no name of a key: letters, digits and ._@- only")
        key = f"cf_{secrets.token_urlsafe(32)}"
        created = datetime.now(UTC).isoformat(timespec="seconds")
        with self._locked():
            self._write([*self.read(), ApiKey(name, _digest(key), admin, rate, created)])
        return key

    def revoke(self, name: str) -> list[ApiKey]:
        """Take away every key of a name, or the one key of an id. They stop working at once."""
        with self._locked():
            keys = self.read()
            gone = [key for key in keys if name in (key.name, key.id)]
            if not gone:
                raise StartError(f"no key has the name or id {name!r}")
            self._write([key for key in keys if key not in gone])
        return gone

    def look(self) -> str:
        """Read the file where it has changed. What is wrong with it, or nothing."""
        version = self._look()
        if version != self._version or self._failing_since is not None:
            self._reload(version)
        return self._trouble

    def _current(self) -> Sequence[ApiKey]:
        self.look()
        return self._keys

    def _reload(self, version: tuple[int, ...]) -> None:
        """Take over what the file says now. What it does not say is not a key.

        A damaged line is no key, and takes none of the others with it. A file that is gone leaves
        no key. One that cannot be read, perhaps for a moment, leaves the former keys for ten
        seconds: revoked ones must not live on because nobody can read that they are revoked.
        """
        trouble = ""
        try:
            self._keys, damaged = _parse(self.path.read_bytes())
            self._failing_since = None
            if damaged:
                numbers = ", ".join(map(str, damaged[:5]))
                trouble = f"the file of API keys has damaged lines ({numbers}); they are no keys"
        except FileNotFoundError:
            self._keys, self._failing_since = [], None
            trouble = "the file of API keys is missing: every key is refused"
        except OSError as error:
            now = time.monotonic()
            self._failing_since = self._failing_since or now
            trouble = f"the file of API keys cannot be read ({error.strerror})"
            if now - self._failing_since >= _GRACE_SECONDS:
                self._keys = []
                trouble += ": every key is refused"
        self._version = version
        if trouble and trouble != self._trouble:
            log.error("API keys", extra={"reason": trouble, "file": str(self.path)})
        elif self._trouble and not trouble:
            log.info("API keys are read again", extra={"keys": len(self._keys)})
        self._trouble = trouble

    @property
    def is_refusing(self) -> bool:
        """Whether every key is refused, as there is no file or it cannot be read."""
        return bool(self._trouble) and not self._keys

    def _look(self) -> tuple[int, ...]:
        try:
            seen = self.path.stat()
        except OSError:
            return ()
        return seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size

    def _write(self, keys: Sequence[ApiKey]) -> None:
        """Replace the file in one step: a reader sees the old one or the new one, whole."""
        fresh = self.path.with_suffix(f".{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{json.dumps(asdict(key))}\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, or two commands at once would lose a key."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            advice = "set CAPTIONFILL_KEYS_FILE to a file in a folder that can be written to"
            raise StartError(f"{self.path}: {error.strerror}; {advice}") from error


def _parse(text: bytes) -> tuple[list[ApiKey], list[int]]:
    """The keys in a file, and the numbers of the lines that are none."""
    keys, damaged = [], []
    for number, line in enumerate(text.split(b"\n"), 1):
        if line.strip():
            try:
                keys.append(_key(json.loads(line)))
            except (TypeError, ValueError, RecursionError):
                damaged.append(number)
    return keys, damaged


def _key(facts: dict[str, Any]) -> ApiKey:
    key = ApiKey(**facts)
    typed = isinstance(key.admin, bool) and isinstance(key.rate, float | int | None)
    if not typed or not _NAME.fullmatch(key.name) or not _SHA256.fullmatch(key.sha256):
        raise ValueError("not a key")
    return key


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
