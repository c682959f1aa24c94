"""Signatures as Standard Webhooks lays them down (standardwebhooks.com, version 1.0.0)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

_PREFIX = "whsec_"


def parse_secrets(text: str) -> list[bytes]:
    """Read secrets, apart by spaces: the newest first, older ones until every receiver has it.

    Raises:
        ValueError: not ``whsec_`` and 24 to 64 bytes in base64.
    """
    return [_parse(secret) for secret in text.split()]


def sign(secrets: Sequence[bytes], message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt; a signature for each secret.

    Args:
        secrets: what `parse_secrets` gives.
        message: the same for every attempt, so that a receiver can drop a repeated one.
        timestamp: of the attempt, in seconds since 1970.
        body: the very bytes that are sent.
    """
    signed = b"%s.%d.%s" % (message.encode(), timestamp, body)
    digests = (hmac.digest(secret, signed, hashlib.sha256) for secret in secrets)
    signatures = " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures,
    }


def _parse(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret is whsec_ and base64") from error
    if not secret.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("a webhook secret is whsec_ and 24 to 64 bytes in base64")
    return key
