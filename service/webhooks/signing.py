"""Signatures as Standard Webhooks lays them down (standardwebhooks.com, version 1.0.0)."""

import base64
import hashlib
import hmac
from collections.abc import Sequence


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
