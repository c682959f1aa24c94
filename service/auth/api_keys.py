"""Callers and their API keys: a file with one JSON object per line.

It has the SHA-256 of a key and never the key. A key has 256 random bits, so that a fast hash is
safe.
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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from captionfill.errors import StartError

log = logging.getLogger("captionfill.keys")

# How long keys stay valid while the file cannot be read.
_GRACE_SECONDS = 10.0
_NAME = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"


@dataclass(frozen=True)
class Principal:
    """The authenticated caller of a request, who owns its jobs.

    Attributes:
        name: of its API key; "local" without API keys.
        rate: requests per second that its key allows, 0 for no limit; None for the default.
    """

    name: str
    admin: bool = False
    rate: float | None = None


# Without API keys every client may do everything.
LOCAL = Principal("local", admin=True)
# With API keys, a request without key for an open path. No key can have this name.
ANONYMOUS = Principal("(anonymous)")


class ApiKey(BaseModel, frozen=True, strict=True, extra="forbid"):
    """One key. Several may have the same name, so that keys can be rotated without a gap."""

    name: str = Field(pattern=f"^{_NAME}$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    admin: bool
    rate: float | None
    created: str

    @property
    def id(self) -> str:
        """Distinguishes keys of the same name; reveals nothing of the key."""
        return self.sha256[:8]

    @property
    def principal(self) -> Principal:
        """The caller that the key authenticates."""
        return Principal(self.name, self.admin, self.rate)


class ApiKeyFile:
    """The keys of a file, which is read again when it changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: list[ApiKey] = []
        self._version: tuple[int, ...] | None = None
        self._failing_since: float | None = None
        self._problem = ""

    def find(self, key: str) -> Principal | None:
        """The caller of a key, or None. Takes the same time for all keys, valid or not."""
        digest = _digest(key)
        found = None
        self.refresh()
        for entry in self._keys:
            if hmac.compare_digest(entry.sha256, digest):
                found = entry.principal
        return found

    def named(self, name: str) -> Principal | None:
        """The caller of a name, without administrator's rights; None if no key has it."""
        self.refresh()
        found = next((key for key in self._keys if key.name == name), None)
        return None if found is None else Principal(found.name, rate=found.rate)

    def read(self) -> list[ApiKey]:
        """All keys in order of creation, none without a file; `StartError` for a damaged one."""
        try:
            keys, damaged = _parse(self.path.read_bytes())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StartError(f"{self.path}: {error.strerror}") from error
        if damaged:
            raise StartError(f"{self.path} has a line that is not a key: line {damaged[0]}")
        return keys

    def create(self, name: str, *, admin: bool = False, rate: float | None = None) -> str:
        """Create a key and return it; it cannot be read again later."""
        if not re.fullmatch(_NAME, name):
            raise StartError(f"{name[:70]!r} is no name of a key: letters, digits and ._@- only")
        key = f"cf_{secrets.token_urlsafe(32)}"
        created = datetime.now(UTC).isoformat(timespec="seconds")
        entry = ApiKey(name=name, sha256=_digest(key), admin=admin, rate=rate, created=created)
        with self._locked():
            self._write([*self.read(), entry])
        return key

    def revoke(self, name: str) -> list[ApiKey]:
        """Delete all keys of a name, or the key of an id, at once. Returns them."""
        with self._locked():
            keys = self.read()
            revoked = [key for key in keys if name in (key.name, key.id)]
            if not revoked:
                raise StartError(f"no key has the name or id {name!r}")
            self._write([key for key in keys if key not in revoked])
        return revoked

    def refresh(self) -> str:
        """Read the file if it has changed. Returns a problem of the file, or an empty string."""
        version = self._stat()
        if version != self._version or self._failing_since is not None:
            self._reload(version)
        return self._problem

    def _reload(self, version: tuple[int, ...]) -> None:
        """Replace the keys by those of the file.

        A damaged line is skipped. A missing file has no keys. A file that cannot be read leaves the
        old keys valid for ten seconds only, as some of them may have been revoked.
        """
        problem = ""
        try:
            self._keys, damaged = _parse(self.path.read_bytes())
            self._failing_since = None
            if damaged:
                numbers = ", ".join(map(str, damaged[:5]))
                problem = f"the file of API keys has damaged lines ({numbers}); they are ignored"
        except FileNotFoundError:
            self._keys, self._failing_since = [], None
            problem = "the file of API keys is missing: every key is refused"
        except OSError as error:
            now = time.monotonic()
            self._failing_since = self._failing_since or now
            problem = f"the file of API keys cannot be read ({error.strerror})"
            if now - self._failing_since >= _GRACE_SECONDS:
                self._keys = []
                problem += ": every key is refused"
        self._version = version
        if problem and problem != self._problem:
            log.error("API keys", extra={"reason": problem, "file": str(self.path)})
        elif self._problem and not problem:
            log.info("API keys are read again", extra={"keys": len(self._keys)})
        self._problem = problem

    @property
    def is_refusing(self) -> bool:
        """Whether every key is refused, as the file is missing or cannot be read."""
        return bool(self._problem) and not self._keys

    def _stat(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size

    def _write(self, keys: Sequence[ApiKey]) -> None:
        """Replace the file atomically."""
        fresh = self.path.with_suffix(f".{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{json.dumps(key.model_dump())}\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock out other writers, or a key could be lost."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            advice = "set CAPTIONFILL_KEYS_FILE to a file in a folder that can be written to"
            raise StartError(f"{self.path}: {error.strerror}; {advice}") from error


def _parse(text: bytes) -> tuple[list[ApiKey], list[int]]:
    """The keys of a file, and the numbers of its damaged lines."""
    keys, damaged = [], []
    for number, line in enumerate(text.split(b"\n"), 1):
        if line.strip():
            try:
                keys.append(ApiKey.model_validate_json(line))
            except ValidationError:
                damaged.append(number)
    return keys, damaged


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
