"""Request headers that routes read: Prefer, Accept, Idempotency-Key, Cache-Control, ETags.

The aliases declare them as FastAPI parameters, for OpenAPI. Their values are checked here, as an
invalid header is another problem than FastAPI's validation error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header
from pydantic import AfterValidator
from pydantic.json_schema import SkipJsonSchema

from captionfill.errors import InvalidField
from captionfill.imaging.encoder import JPEG, PNG, WEBP
from service.errors.requests import InvalidHeader, NotAcceptable

JSON = "application/json"
# In the order of preference, where several are equally accepted.
MEDIA_TYPES = (PNG, JSON, WEBP, JPEG)
EVENT_ID = r"^[0-9]{1,19}-[0-9]{1,19}$"
_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")

# An empty value counts as absent: forms such as that of /docs send those that are not filled in.
_Text = Annotated[str | SkipJsonSchema[None], AfterValidator(lambda value: value or None)]
Prefer = Annotated[
    _Text,
    Header(
        alias="Prefer",
        description="`respond-async` for a job; `wait=5` to wait at most 5 seconds.",
        examples=["respond-async"],
    ),
]
IdempotencyKey = Annotated[
    _Text,
    Header(
        alias="Idempotency-Key",
        description="A name for this request: a repeated request with it gives the same job.",
        examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"],
        json_schema_extra={
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[!-~]([ -~]*[!-~])?$",
        },
    ),
]
CacheControl = Annotated[
    _Text,
    Header(
        alias="Cache-Control",
        description="`no-cache` to compute the result even if a cached one exists.",
        examples=["no-cache"],
    ),
]
IfNoneMatch = Annotated[
    _Text,
    Header(
        alias="If-None-Match",
        description="ETags of responses that the client has; `*` for any.",
        examples=[f'"{"0" * 64}"', "*"],
    ),
]
LastEventId = Annotated[
    _Text,
    Header(
        alias="Last-Event-ID",
        description="Continue after this event.",
        examples=["1700000000000-0"],
        json_schema_extra={"pattern": EVENT_ID},
    ),
]


@dataclass(frozen=True)
class PreferHeader:
    """The preferences of a Prefer header (RFC 7240): ``respond-async``, and ``wait`` in seconds."""

    background: bool = False
    wait: float | None = None

    @classmethod
    def parse(cls, header: str | None) -> "PreferHeader":
        """Parse the header; raise `InvalidHeader` if ``wait`` is not a number of seconds.

        Unknown preferences are ignored, as the RFC requires.
        """
        preferences: dict[str, str] = {}
        for part in re.split(r"[,;]", header or ""):
            name, _, value = part.strip().partition("=")
            preferences.setdefault(name.strip().lower(), value.strip().strip('"'))
        wait = preferences.get("wait")
        if wait is not None and not re.fullmatch(r"\d{1,5}", wait, re.ASCII):
            raise InvalidHeader("Prefer: wait is a whole number of seconds")
        return cls("respond-async" in preferences, None if wait is None else float(wait))

    @property
    def applied(self) -> dict[str, str]:
        """Response headers that name the applied preferences."""
        return {"Preference-Applied": "respond-async"} if self.background else {}


def check_idempotency_key(header: str | None) -> str:
    """The Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), or empty if there is none.

    Raises `InvalidHeader` if it is over 255 characters, or not printable ASCII.
    """
    if not header:
        return ""
    if not _KEY.fullmatch(header):
        raise InvalidHeader("an Idempotency-Key has 1 to 255 printable ASCII characters")
    return header


def wants_no_cache(header: str | None) -> bool:
    """Whether Cache-Control forbids a cached response (RFC 9111, 5.2.1.4)."""
    directives = (header or "").lower().split(",")
    return any(one.strip() in ("no-cache", "no-store") for one in directives)


def etag_matches(header: str | None, tag: str) -> bool:
    """Whether If-None-Match lists the tag, by weak comparison (RFC 9110, 13.1.2)."""
    if header is None:
        return False
    bare = tag.removeprefix("W/")
    return header.strip() == "*" or bare in re.findall(r'"[^"]*"', header)


def choose_media_type(accept: str | None, several: bool) -> str:
    """Choose PNG, JSON, WebP or JPEG by the Accept header; PNG for one picture at equal weights.

    Raises:
        NotAcceptable: the header allows none.
        InvalidField: the header allows only pictures, for several of them.
    """
    accepted = _parse_accept(accept or "*/*")
    quality = {kind: _quality(accepted, kind) for kind in MEDIA_TYPES}
    if not any(quality.values()):
        raise NotAcceptable(f"the response is one of {', '.join(MEDIA_TYPES)}")
    if several and not quality[JSON]:
        raise InvalidField(f"n and compare need 'Accept: {JSON}': an image holds one picture")
    return JSON if several else max(MEDIA_TYPES, key=quality.__getitem__)


def picture_type(media_type: str) -> str:
    """The media type of the pictures of a response: PNG in JSON."""
    return PNG if media_type == JSON else media_type


def _parse_accept(accept: str) -> dict[str, float]:
    """The quality of each media range of an Accept header; 0 if it is malformed."""
    found = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        is_valid = re.fullmatch(r"[01](\.\d{0,3})?", weight, re.ASCII)
        found[kind] = float(weight) if is_valid else 0.0
    return found


def _quality(accepted: Mapping[str, float], kind: str) -> float:
    ranges = (kind, f"{kind.partition('/')[0]}/*", "*/*")
    return next((accepted[one] for one in ranges if one in accepted), 0.0)
