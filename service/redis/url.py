"""Checks of a Redis URL. No message contains a part of the URL.

redis-py parses leniently: an unescaped ``#`` or ``@`` in a password makes a part of the password
the host name, which then appears in errors; an unknown option fails at the first connection.
"""

import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_USER_INFO = r"(?:(?P<user>[^\s@/?#\[\]:]*)(?::(?P<password>[^\s@/?#\[\]]*))?@)?"
_QUERY = r"(?:\?(?P<query>[^\s@#]*))?"
_TCP = re.compile(
    rf"rediss?://{_USER_INFO}(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s@/?#\[\]:]+)?"
    rf"(?::(?P<port>\d{{1,5}}))?(?:/(?P<db>\d{{0,9}}))?{_QUERY}"
)
_SOCKET = re.compile(rf"unix://{_USER_INFO}/[^\s@?#]+{_QUERY}")
# Protocol, encoding, pools and read timeouts are set by the service.
_OPTIONS = {
    "db", "username", "password", "client_name", "health_check_interval", "socket_keepalive",
    "socket_connect_timeout",
}  # fmt: skip
_TLS_OPTIONS = {
    "ssl_ca_certs", "ssl_ca_data", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile",
    "ssl_check_hostname", "ssl_ciphers", "ssl_keyfile", "ssl_min_version", "ssl_password",
}  # fmt: skip


def check_redis_url(url: str) -> None:
    """Check that redis-py parses the URL as intended.

    Raises:
        ValueError: it does not. The message says what to change; it contains only the name of an
            unknown option.
    """
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must start with redis://, rediss:// or unix://")
    form = _SOCKET if url.startswith("unix://") else _TCP
    if form.fullmatch(url) is None:
        raise ValueError(
            "must be redis://[user:password@]host[:port][/db], or unix:///path; percent-encode "
            "special characters of the password (@ is %40, # is %23, / is %2F, ? is %3F, space %20)"
        )
    _check_options(url)
    if not _makes_connections(url):
        raise ValueError("has a port or an option with a value that cannot be used")


def secrets_of(url: str) -> set[str]:
    """Return the passwords in a URL that passed the check, as written and percent-decoded."""
    form = _SOCKET if url.startswith("unix://") else _TCP
    match = form.fullmatch(url)
    if match is None:
        return set()
    written = match["password"] or ""
    query = parse_qs(match["query"] or "")
    named = [value for name in ("password", "ssl_password") for value in query.get(name, [])]
    return {secret for secret in (written, unquote(written), *named) if secret}


def _check_options(url: str) -> None:
    known = _OPTIONS | (_TLS_OPTIONS if url.startswith("rediss://") else set())
    for name in parse_qs(urlsplit(url).query, keep_blank_values=True):
        if name not in known:
            shown = f" {name!r}" if re.fullmatch(r"[a-z_]{1,40}", name) else ""
            raise ValueError(f"has an unknown option{shown}; known: {', '.join(sorted(known))}")


def _makes_connections(url: str) -> bool:
    """Whether redis-py can create its connection objects. No connection is opened."""
    import redis  # noqa: PLC0415 - most commands never need it
    import redis.asyncio  # noqa: PLC0415

    pools: tuple[Any, ...] = (redis.ConnectionPool, redis.asyncio.ConnectionPool)
    try:
        for pool in pools:
            pool.from_url(url).make_connection()
    except (ValueError, TypeError, OSError, redis.RedisError):
        return False
    return True
