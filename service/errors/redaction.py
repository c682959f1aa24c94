"""Masks the secrets of the settings in messages and logs, including those of libraries.

Libraries and servers repeat their input: an old Redis, for example, answers ``AUTH`` with
``unknown command, with args beginning with: <password>``.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

MASK = "***"
# A shorter secret is indistinguishable from ordinary text.
_MIN_LENGTH = 4

_secrets: frozenset[str] = frozenset()


def register_secrets(secrets: Iterable[str]) -> None:
    """Mask these from now on, in all their encodings and line by line."""
    global _secrets  # noqa: PLW0603 - one set per process
    for secret in secrets:
        forms = (secret, quote(secret, safe=""), repr(secret)[1:-1], json.dumps(secret)[1:-1])
        lines = (*forms, *secret.splitlines())
        _secrets |= {form for form in lines if len(form) >= _MIN_LENGTH}


def redact(text: str) -> str:
    """The text with every registered secret masked, the longest first.

    Any white space matches the white space of a secret, as messages are often joined to one line.
    """
    return _pattern(_secrets).sub(MASK, text) if _secrets else text


@lru_cache(maxsize=1)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted(secrets, key=len, reverse=True)
    return re.compile("|".join(_with_any_space(secret) for secret in longest_first))


def _with_any_space(secret: str) -> str:
    words = secret.split()
    return r"\s+".join(map(re.escape, words)) if words else re.escape(secret)


def redact_values(value: Any) -> Any:
    """A JSON value with all its strings redacted, except for keys."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redact_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact_values(inner) for inner in value]
    return value
