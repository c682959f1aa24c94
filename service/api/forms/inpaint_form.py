"""What a client asks for: the fields of the form, checked once, here."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from captionfill.captions import check_caption
from captionfill.errors import InvalidCaption, InvalidField
from service.config.settings import Settings
from service.errors.requests import BodyTooLarge, InvalidWebhook, NotAcceptable
from service.queue.task import MAX_CANDIDATES, SEEDS

PNG, JSON = "image/png", "application/json"
FIELDS = {
    "image", "caption", "seed", "temperature", "region", "n", "compare", "model", "webhook"
}  # fmt: skip
_DECIMAL = re.compile(r"-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True)
class InpaintRequest:
    """A checked request; the picture and the region are looked at when it is decoded.

    Attributes:
        temperature: how much of its noise a fill gets, 0 to 1.
        mask: in the place of a region, a picture whose transparent part is filled; empty for the
            picture's own transparency.
    """

    image: bytes
    caption: str
    seed: int | None = None
    region: str | None = None
    count: int = 1
    other: str | None = None
    model: str = ""
    webhook: str = ""
    mask: bytes | None = None
    temperature: float = 1.0

    @classmethod
    def from_form(cls, form: Mapping[str, bytes], settings: Settings) -> "InpaintRequest":
        """Check every field of a form.

        Raises:
            InvalidField, InvalidCaption, InvalidWebhook: a field is missing, unknown, empty or out
                of range.
            BodyTooLarge: the picture has too many bytes.
        """
        for name in form.keys() - FIELDS:
            raise InvalidField(f"unknown field {name[:40]!r}; known: {', '.join(sorted(FIELDS))}")
        for name in ("image", "caption"):
            if name not in form:
                raise InvalidField(f"the field {name!r} is missing")
        if len(form["image"]) > settings.max_bytes:
            raise BodyTooLarge(f"at most {settings.max_bytes:,} bytes are taken")
        if form.get("webhook") == b"":
            raise InvalidWebhook("the webhook's address is empty")
        count = _number(form, "n", 1, MAX_CANDIDATES)
        return cls(
            image=form["image"],
            caption=check_caption(_text(form, "caption")),
            seed=_number(form, "seed", 0, SEEDS - 1),
            region=_text(form, "region"),
            count=count or 1,
            other=check_caption(_text(form, "compare")) if "compare" in form else None,
            model=_text(form, "model") or "",
            webhook=_text(form, "webhook") or "",
            temperature=_share(form, "temperature", 1.0),
        )

    @property
    def many(self) -> bool:
        """Whether the answer has more than one picture."""
        return self.count > 1 or self.other is not None

    def fingerprint(self) -> str:
        """SHA-256 over the whole request: what an Idempotency-Key stands for."""
        facts: list[Any] = [self.caption, self.seed, self.region, self.count]
        facts += [self.other, self.model, self.webhook]
        facts += [] if self.temperature == 1 else [self.temperature]
        payload = hashlib.sha256(json.dumps(facts).encode())
        payload.update(self.image)
        if self.mask is not None:
            payload.update(b"mask" + hashlib.sha256(self.mask).digest())
        return payload.hexdigest()


def choose_media_type(accept: str | None, many: bool) -> str:
    """Pick PNG or JSON by the Accept header; where both are as welcome, PNG for one picture.

    Args:
        accept: the header.
        many: whether the answer has more than one picture, which a PNG cannot hold.

    Raises:
        NotAcceptable: the header allows neither.
        InvalidField: several pictures are asked for as PNG and nothing else.
    """
    welcome = _preferences(accept or "*/*")
    quality = {kind: _quality(welcome, kind) for kind in (PNG, JSON)}
    if not any(quality.values()):
        raise NotAcceptable(f"the answer comes as {PNG} or {JSON}")
    if many and not quality[JSON]:
        raise InvalidField(f"n and compare need 'Accept: {JSON}': a PNG holds one picture")
    return JSON if many else max(quality, key=lambda kind: quality[kind])


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


def _share(form: Mapping[str, bytes], name: str, default: float) -> float:
    text = _text(form, name)
    if text is None:
        return default
    if not _DECIMAL.fullmatch(text) or not 0 <= (share := float(text)) <= 1:
        raise InvalidField(f"{name} must be a number from 0 to 1")
    return abs(share)  # -0 is 0


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
