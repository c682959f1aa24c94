"""Checks the Host header of a request, and the Origin of a script that sends it."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from service.auth.principal import auth_enabled, is_loopback, is_private
from service.config.settings import Settings
from service.errors.access import CrossOrigin, WrongHost

_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - addresses to listen on, not names
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


class HostCheck:
    """Refuses requests that another website makes a browser send."""

    def __init__(self, settings: Settings) -> None:
        own = (settings.host, settings.published_on or settings.host)
        named = {name.lower() for name in settings.allowed_hosts}
        self._hosts = {name.lower() for name in own if name not in _WILDCARDS} | named
        # A website can resolve a name of its own to this host (DNS rebinding). Without API keys
        # only the Host header distinguishes such a request.
        self._check_hosts = bool(named) or (not auth_enabled(settings) and is_private(settings))
        self._origins = {origin.rstrip("/").lower() for origin in settings.cors_origins}

    def check(self, method: str, headers: Headers) -> None:
        """Check a request.

        Raises:
            WrongHost: its Host is not one of this service.
            CrossOrigin: a script of another website sends a request that changes something.
        """
        host = headers.get("host", "").lower()
        if self._check_hosts and not self._is_allowed(_name(host)):
            raise WrongHost(f"host {host[:100]!r} is not in CAPTIONFILL_ALLOWED_HOSTS")
        origin = headers.get("origin")
        if origin is not None and method not in _SAFE_METHODS:
            self._check_origin(origin.lower(), host)

    def _is_allowed(self, name: str) -> bool:
        return is_loopback(name) or name in self._hosts

    def _check_origin(self, origin: str, host: str) -> None:
        # The scheme is ignored, as a proxy may have terminated TLS.
        own = origin.partition("://")[2] == host and origin != "null"
        if not own and "*" not in self._origins and origin not in self._origins:
            raise CrossOrigin(f"scripts of {origin[:100]!r} may not use this service")


def _name(host: str) -> str:
    """The name in a Host header, without port and brackets; empty if it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
