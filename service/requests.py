"""What a client asks for: the fields of the form, checked once, here."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from service.errors import BodyTooLarge, InvalidCaption, InvalidField, NotAcceptable
from service.jobs import MAX_CANDIDATES, SEEDS
from service.settings import Settings

MAX_CAPTION = 1000
PNG, JSON = "image/png", "application/json"
_FIELDS = {"image", "caption", "seed", "region", "n"}
_SPACES = "\t\n\r"


@dataclass(frozen=True)
class InpaintRequest:
    """A checked request; the picture and the region are looked at when it is decoded."""

    image: bytes
    caption: str
    seed: int | None
    region: str | None
    count: int

    @classmethod
    def from_form(cls, form: Mapping[str, bytes], settings: Settings) -> "InpaintRequest":
        """Check every field of a form.

        Raises:
            InvalidField, InvalidCaption: a field is missing, unknown or out of range.
            BodyTooLarge: the picture has too many bytes.
        """
        for name in form.keys() - _FIELDS:
            raise InvalidField(f"unknown field {name[:40]!r}; known: {', '.join(sorted(_FIELDS))}")
        for name in ("image", "caption"):
            if name not in form:
                raise InvalidField(f"the field {name!r} is missing")
        if len(form["image"]) > settings.max_bytes:
            raise BodyTooLarge(f"at most {settings.max_bytes:,} bytes are taken")
        count = _number(form, "n", 1, MAX_CANDIDATES)
        seed, region = _number(form, "seed", 0, SEEDS - 1), _text(form, "region")
        return cls(form["image"], check_caption(_text(form, "caption")), seed, region, count or 1)


def check_caption(text: str | None) -> str:
    """Return the caption with its white space tidied.

    Raises:
        InvalidCaption: blank, over 1,000 characters, or with control characters.
    """
    text = text or ""
    if len(text) > MAX_CAPTION:
        raise InvalidCaption(f"the caption has more than {MAX_CAPTION:,} characters")
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in _SPACES for c in text):
        raise InvalidCaption("the caption holds control characters")
    if not (tidy := " ".join(text.split())):
        raise InvalidCaption("the caption is blank; say in a few words what the picture shows")
    return tidy


def choose_media_type(accept: str | None, count: int) -> str:
    """Pick PNG or JSON by the Accept header; PNG where both are as welcome.

    Raises:
        NotAcceptable: the header allows neither.
        InvalidField: several candidates are asked for as one PNG.
    """
    welcome = _preferences(accept or "*/*")
    quality = {kind: _quality(welcome, kind) for kind in (PNG, JSON)}
    if not any(quality.values()):
        raise NotAcceptable(f"the answer comes as {PNG} or {JSON}")
    chosen = max(quality, key=lambda kind: quality[kind])
    if chosen == PNG and count > 1:
        raise InvalidField(f"n={count} needs 'Accept: {JSON}': a PNG holds one candidate")
    return chosen


def _text(form: Mapping[str, bytes], name: str) -> str | None:
    try:
        return form[name].decode() if name in form else None
    except UnicodeDecodeError as error:
        kind = InvalidCaption if name == "caption" else InvalidField
        raise kind(f"{name} is not valid UTF-8") from error


def _number(form: Mapping[str, bytes], name: str, low: int, high: int) -> int | None:
    text = _text(form, name)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,10}", text, re.ASCII) or not low <= int(text) <= high:
        raise InvalidField(f"{name} must be a whole number from {low} to {high}")
    return int(text)


def _preferences(accept: str) -> dict[str, float]:
    found = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [p[2:] for p in parameters if p.startswith("q=")]
        found[kind] = _weight(weights[0]) if weights else 1.0
    return found


def _weight(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.\d{0,3})?", text, re.ASCII) else 0.0


def _quality(welcome: Mapping[str, float], kind: str) -> float:
    family, _ = kind.split("/")
    for pattern in (kind, f"{family}/*", "*/*"):
        if pattern in welcome:
            return welcome[pattern]
    return 0.0
