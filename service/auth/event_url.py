"""Signed addresses of a job's events, for `EventSource`, which cannot send an API key.

The token in the query is ``EXPIRES.SIGNATURE``: seconds since 1970, and the HMAC-SHA256 of the
job's id and that time, with a random secret of that job. It opens the events of this job only.
"""

import hashlib
import hmac
import re
import time
from typing import NamedTuple, Self
from urllib.parse import parse_qs

from starlette.types import Scope

from service.errors.requests import KeyRequired

LIFETIME_SECONDS = 600
_PATH = re.compile(r"/jobs/([0-9a-f]{32})/events")
_TOKEN = re.compile(r"[0-9]{1,12}\.[0-9a-f]{64}")


class EventToken(NamedTuple):
    """A token as a request presents it, not yet checked."""

    job: str
    text: str

    @classmethod
    def find(cls, scope: Scope, path: str) -> Self | None:
        """The token of a request for a job's events; None if it has none.

        Raises:
            KeyRequired: the token is malformed or expired.
        """
        found = _PATH.fullmatch(path)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if found is None or given is None or scope["method"] not in ("GET", "HEAD"):
            return None
        if len(given) != 1 or not _TOKEN.fullmatch(given[0]):
            raise KeyRequired("the token of this address is malformed")
        if int(given[0].partition(".")[0]) < time.time():
            raise KeyRequired("this address has expired; GET the job for a new one")
        return cls(found[1], given[0])

    def check(self, secret: str) -> None:
        """Raise `KeyRequired` unless the token was signed with the job's secret."""
        expires = self.text.partition(".")[0]
        if not secret or not hmac.compare_digest(_token(self.job, secret, expires), self.text):
            raise KeyRequired("the token of this address is not valid for this job")


def sign(job: str, secret: str) -> str:
    """A token for a job's events, valid for `LIFETIME_SECONDS`."""
    return _token(job, secret, str(int(time.time()) + LIFETIME_SECONDS))


def _token(job: str, secret: str, expires: str) -> str:
    signed = hmac.new(secret.encode(), f"{job}\n{expires}".encode(), hashlib.sha256)
    return f"{expires}.{signed.hexdigest()}"
