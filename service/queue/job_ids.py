"""Ids of jobs: when each was made, and a checksum that tells an id of this service from a guess.

12 hex digits of milliseconds since 1970, 12 of randomness, 8 of a checksum over both, the namespace
and the owner. So a job that Redis has lost can be told from one that never was, and nobody learns
anything from another owner's id. The checksum is no secret and protects nothing.
"""

import re
import secrets
import time
from hashlib import sha256

_ID = re.compile(r"[0-9a-f]{32}")
# Clocks of API processes on several hosts differ a little.
_SKEW_SECONDS = 5.0


def make_job_id(namespace: str, owner: str) -> str:
    """A new id, 32 hex digits."""
    made = f"{int(time.time() * 1000):012x}{secrets.token_hex(6)}"
    return made + _checksum(made, namespace, owner)


def age_of(job: str, namespace: str, owner: str) -> float | None:
    """Seconds since an id was made; None where it is not one of this namespace and owner."""
    if not _ID.fullmatch(job) or job[24:] != _checksum(job[:24], namespace, owner):
        return None
    age = time.time() - int(job[:12], 16) / 1000
    return max(0.0, age) if age > -_SKEW_SECONDS else None


def _checksum(made: str, namespace: str, owner: str) -> str:
    return sha256(f"{made}\n{namespace}\n{owner}".encode()).hexdigest()[:8]
