"""What clients send by mistake in the place of a file, and what to do about it."""

import re

from captionfill.errors import UnsupportedPicture

_LONGEST_NAME = 255
# How base64 of a PNG, a JPEG, a WebP and a zip begins.
_BASE64 = re.compile(rb"\s*(iVBORw0KGgo|/9j/|UklGR|UEsDB)[A-Za-z0-9+/=_\-\s]*")
_SHOWN = 60


def check_picture(field: str, data: bytes) -> None:
    """Refuse what is no file at all; the decoder finds what is wrong with a file.

    Raises:
        UnsupportedPicture: with what to send instead.
    """
    if (reason := explain_mistake(field, data)) is not None:
        raise UnsupportedPicture(reason)


def explain_mistake(field: str, data: bytes) -> str | None:
    """Say what stands in the place of a field's file; None where it may be one.

    Args:
        field: its name in the form.
        data: its content.
    """
    if not data:
        return f"{field} is an empty file"
    if data[:5].lower() == b"data:":
        return f"{field} is a data URL; send the bytes that it stands for"
    if _BASE64.fullmatch(data):
        return f"{field} is base64 text; send the bytes that it stands for"
    text = _line_of_text(data)
    if text is None:
        return None
    if re.match(r"https?://", text, re.IGNORECASE):
        return f"{field} is a URL; this service fetches none: send the file itself"
    name = text[:_SHOWN]
    return f"{field} is the text {name!r} and no file; with curl, write -F {field}=@{name}"


def _line_of_text(data: bytes) -> str | None:
    """The content where it is one short line of text, such as a path; markup is none."""
    if len(data) > 4 * _LONGEST_NAME:
        return None
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        return None
    short = 0 < len(text) <= _LONGEST_NAME
    return text if short and text.isprintable() and text[0] not in "<{[" else None
