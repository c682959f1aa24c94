"""Parsing of webhook secrets (Standard Webhooks 1.0.0).

The library `standardwebhooks` accepts any base64, so format and length are checked here.
"""

import base64
import binascii

_PREFIX = "whsec_"


def parse_secrets(text: str) -> list[bytes]:
    """Parse secrets separated by spaces, the newest first.

    Raises:
        ValueError: a secret is not ``whsec_`` and 24 to 64 bytes in base64.
    """
    return [_parse(secret) for secret in text.split()]


def _parse(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret is whsec_ and base64") from error
    if not secret.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("a webhook secret is whsec_ and 24 to 64 bytes in base64")
    return key
