"""Recognizes text that clients send by mistake instead of a file."""

import re
from base64 import b64decode
from urllib.parse import unquote_to_bytes

from captionfill.errors import UnsupportedPicture

_MAX_NAME = 255
# The first characters of a base64 PNG, JPEG, WebP and zip.
_BASE64 = re.compile(rb"\s*(iVBORw0KGgo|/9j/|UklGR|UEsDB)[A-Za-z0-9+/=_\-\s]*")
_SHOWN = 60


def check_picture(field: str, data: bytes) -> None:
    """Raise `UnsupportedPicture` for text instead of a file. The decoder checks files."""
    if (reason := explain_mistake(field, data)) is not None:
        raise UnsupportedPicture(reason)


def decode_data_url(data: bytes) -> bytes:
    """The bytes that a `data:` URL (RFC 2397) encodes; anything else as it is.

    Raises:
        UnsupportedPicture: it has no comma, or is not base64 as it says.
    """
    if data[:5].lower() != b"data:":
        return data
    head, comma, body = data.partition(b",")
    if not comma:
        raise UnsupportedPicture("the data URL is malformed: it has no comma")
    try:
        body = unquote_to_bytes(body)
        is_base64 = head.rstrip().lower().endswith(b";base64")
        return b64decode(body.strip(), validate=True) if is_base64 else body
    except ValueError as error:
        raise UnsupportedPicture("the data URL is malformed: it is not base64") from error


def explain_mistake(field: str, data: bytes) -> str | None:
    """Explain what was sent in a form field instead of a file; None if it may be a file."""
    if not data:
        return f"{field} is an empty file"
    if data[:5].lower() == b"data:":
        return f"{field} is a data URL; send the bytes that it encodes"
    if _BASE64.fullmatch(data):
        return f"{field} is base64 text; send the bytes that it encodes"
    text = _line_of_text(data)
    if text is None:
        return None
    if re.match(r"https?://", text, re.IGNORECASE):
        return f"{field} is a URL, which is not fetched; send the file itself"
    name = text[:_SHOWN]
    return f"{field} is the text {name!r}, not a file; with curl, write -F {field}=@{name}"


def _line_of_text(data: bytes) -> str | None:
    """The content if it is one short line of text, such as a path, and not markup."""
    if len(data) > 4 * _MAX_NAME:
        return None
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        return None
    short = 0 < len(text) <= _MAX_NAME
    return text if short and text.isprintable() and text[0] not in "<{[" else None
