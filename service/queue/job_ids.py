"""Job ids: time of creation, random digits and a checksum.

12 hex digits of milliseconds since 1970, 12 random ones, and 8 of a checksum over both, the
namespace and the owner. The id of a job that Redis has lost can thus be told from an id that never
existed, and only for its owner. The checksum is not a secret and gives no security.
"""

import re
import secrets
import time
from hashlib import sha256

_ID = re.compile(r"[0-9a-f]{32}")
# Difference between the clocks of API hosts.
_SKEW_SECONDS = 5.0


def make_job_id(namespace: str, owner: str) -> str:
    """Return a new id of 32 hex digits."""
    made = f"{int(time.time() * 1000):012x}{secrets.token_hex(6)}"
    return made + _checksum(made, namespace, owner)


def age_of(job: str, namespace: str, owner: str) -> float | None:
    """Return the age of an id [s]; None if it does not belong to this namespace and owner."""
    if not _ID.fullmatch(job) or job[24:] != _checksum(job[:24], namespace, owner):
        return None
    age = time.time() - int(job[:12], 16) / 1000
    return max(0.0, age) if age > -_SKEW_SECONDS else None


def _checksum(made: str, namespace: str, owner: str) -> str:
    return sha256(f"{made}\n{namespace}\n{owner}".encode()).hexdigest()[:8]
