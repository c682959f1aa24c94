"""Keeps the secrets of the settings out of messages and logs, whoever wrote them.

Libraries and servers repeat what they were given: an old Redis, for example, answers ``AUTH`` with
``unknown command, with args beginning with: <password>``.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

MASK = "***"
# A shorter one cannot be told from ordinary text, and to mask it would spoil every line.
_SHORTEST = 4

_secrets: set[str] = set()


def hide(secrets: Iterable[str]) -> None:
    """Mask these from now on, in every form in which they may be written, and line by line."""
    for secret in secrets:
        forms = (secret, quote(secret, safe=""), repr(secret)[1:-1], json.dumps(secret)[1:-1])
        _secrets.update(form for form in (*forms, *secret.splitlines()) if len(form) >= _SHORTEST)


def redact(text: str) -> str:
    """The text with every known secret masked, the longest first."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def redact_values(value: Any) -> Any:
    """A value for JSON with every string in it redacted; keys of mappings are left alone."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redact_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact_values(inner) for inner in value]
    return value
