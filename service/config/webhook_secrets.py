"""Secrets that webhooks are signed with, as Standard Webhooks writes them (version 1.0.0)."""

import base64
import binascii

_PREFIX = "whsec_"


def parse_secrets(text: str) -> list[bytes]:
    """Read secrets, apart by spaces: the newest first, older ones until every receiver has it.

    Raises:
        ValueError: not ``whsec_`` and 24 to 64 bytes in base64.
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
