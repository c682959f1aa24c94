"""What the headers of a request ask for besides its body: Prefer, Idempotency-Key, ETags."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from service.errors.requests import InvalidHeader

_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")


@dataclass(frozen=True)
class PreferHeader:
    """The Prefer header (RFC 7240), as far as it is understood here.

    Attributes:
        background: ``respond-async``.
        wait: ``wait``, in seconds, or None.
    """

    background: bool = False
    wait: float | None = None

    @classmethod
    def parse(cls, header: str | None) -> "PreferHeader":
        """Read the header; what is not understood is passed over, as the RFC wants it.

        Raises:
            InvalidHeader: ``wait`` is not a number of seconds.
        """
        wishes: dict[str, str] = {}
        for part in re.split(r"[,;]", header or ""):
            name, _, value = part.strip().partition("=")
            wishes.setdefault(name.strip().lower(), value.strip().strip('"'))
        wait = wishes.get("wait")
        if wait is not None and not re.fullmatch(r"\d{1,5}", wait, re.ASCII):
            raise InvalidHeader("Prefer: wait is a whole number of seconds")
        return cls("respond-async" in wishes, None if wait is None else float(wait))

    @property
    def applied(self) -> dict[str, str]:
        """What to tell the client of it."""
        return {"Preference-Applied": "respond-async"} if self.background else {}


def idempotency_key(headers: Mapping[str, str]) -> str:
    """The Idempotency-Key, or empty (draft-ietf-httpapi-idempotency-key-header).

    Raises:
        InvalidHeader: empty, over 255 characters, or not printable ASCII.
    """
    key = headers.get("idempotency-key")
    if key is None:
        return ""
    if not _KEY.fullmatch(key):
        raise InvalidHeader("an Idempotency-Key has 1 to 255 printable ASCII characters")
    return key


def wants_no_cache(headers: Mapping[str, str]) -> bool:
    """Whether the client wants no kept answer: `Cache-Control: no-cache` (RFC 9111, 5.2.1.4)."""
    directives = headers.get("cache-control", "").lower().split(",")
    return any(one.strip() in ("no-cache", "no-store") for one in directives)


def etag_matches(header: str | None, tag: str) -> bool:
    """Whether an If-None-Match header names the tag, by the weak comparison (RFC 9110, 13.1.2)."""
    if header is None:
        return False
    bare = tag.removeprefix("W/")
    return header.strip() == "*" or bare in re.findall(r'"[^"]*"', header)
