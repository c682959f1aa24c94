"""The form of OpenAI's image-edit API, read as a request of ours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from captionfill.errors import InvalidField, InvalidMask
from service.api.forms.inpaint_form import InpaintRequest
from service.api.forms.multipart import FormPart, fields_by_name
from service.api.forms.upload_checks import explain_mistake
from service.config.settings import Settings

# Ours by theirs. The last two are none of theirs: clients send them as extra fields.
_RENAMED = {
    "prompt": "caption", "n": "n", "model": "model", "seed": "seed", "temperature": "temperature"
}  # fmt: skip
# What a client may send that changes nothing here.
_IGNORED = {"user", "quality", "input_fidelity", "moderation", "safety_identifier"}
# What a client may send with these values alone.
_FIXED = {
    "response_format": ("b64_json",),
    "output_format": ("png",),
    "background": ("auto", "opaque"),
    "stream": ("false", "False"),
    "partial_images": ("0",),
    "output_compression": ("100",),
}
_PICTURE = ("image", "image[]")
FIELDS = {*_PICTURE, "mask", "size", *_RENAMED, *_IGNORED, *_FIXED}


@dataclass(frozen=True)
class EditRequest:
    """A checked request, and the size the client expects: ``auto`` or WIDTHxHEIGHT."""

    request: InpaintRequest
    size: str


def read_edit(parts: Sequence[FormPart], settings: Settings) -> EditRequest:
    """Check every field of a form.

    Where there is no mask, the picture's own transparency says what to fill.

    Raises:
        InvalidField, InvalidCaption: a field is missing, unknown or out of range.
        InvalidMask: the mask is no file.
        BodyTooLarge: the picture has too many bytes.
    """
    pictures = [part for part in parts if part.name in _PICTURE]
    if len(pictures) != 1:
        raise InvalidField(f"image: {len(pictures)} pictures were sent; one is filled at a time")
    fields = fields_by_name([part for part in parts if part.name not in _PICTURE])
    if "mask" in fields and (reason := explain_mistake("mask", fields["mask"])):
        raise InvalidMask(reason)
    mask, size = fields.pop("mask", b""), fields.pop("size", b"auto")
    for name in fields.keys() - _RENAMED.keys() - _IGNORED:
        _check_fixed(name, fields[name])
    if "prompt" not in fields:
        raise InvalidField("prompt is missing")
    form = {ours: fields[name] for name, ours in _RENAMED.items() if name in fields}
    request = InpaintRequest.from_form({**form, "image": pictures[0].read()}, settings)
    return EditRequest(replace(request, mask=mask), size.decode("utf-8", "replace"))


def check_size(size: str, real: tuple[int, int]) -> None:
    """Raise `InvalidField` where the client expects another size than the picture's own."""
    own = f"{real[0]}x{real[1]}"
    if size not in ("auto", own):
        raise InvalidField(f"size: a filled picture keeps its own; send 'auto' or {own!r}")


def _check_fixed(name: str, value: bytes) -> None:
    if name not in _FIXED:
        known = ", ".join(sorted(FIELDS - {"image[]"}))
        raise InvalidField(f"unknown field {name[:40]!r}; known: {known}")
    if value.decode("utf-8", "replace") not in _FIXED[name]:
        raise InvalidField(f"{name} can only be {' or '.join(map(repr, _FIXED[name]))} here")
