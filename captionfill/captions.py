"""Captions: the one check that every way to fill makes."""

import unicodedata

from captionfill.errors import InvalidCaption

MAX_CAPTION = 1000
_SPACES = "\t\n\r"


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
