"""From where a request may come: its Host, and the website whose script sent it."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from service.auth.principal import auth_enabled, is_loopback, is_private
from service.config.settings import Settings
from service.errors.access import CrossOrigin, WrongHost

_ANY = ("0.0.0.0", "::")  # noqa: S104 - an address to listen on, and nobody's name
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


class HostCheck:
    """Turns away what a browser was talked into sending."""

    def __init__(self, settings: Settings) -> None:
        own = (settings.host, settings.published_on or settings.host)
        named = {name.lower() for name in settings.allowed_hosts}
        self._hosts = {name.lower() for name in own if name not in _ANY} | named
        # A website can give this machine a name of its own (DNS rebinding); where no key is asked
        # for, the name in the Host header is all that tells such a request from ours.
        self._check_hosts = bool(named) or (not auth_enabled(settings) and is_private(settings))
        self._origins = {origin.rstrip("/").lower() for origin in settings.cors_origins}

    def check(self, method: str, headers: Headers) -> None:
        """Let a request pass, or not.

        Raises:
            WrongHost: its Host is none of ours.
            CrossOrigin: another website's script wants to change something.
        """
        host = headers.get("host", "").lower()
        if self._check_hosts and not self._is_ours(_name(host)):
            raise WrongHost(f"this service is not called {host[:100]!r}")
        origin = headers.get("origin")
        if origin is not None and method not in _SAFE_METHODS:
            self._check_origin(origin.lower(), host)

    def _is_ours(self, name: str) -> bool:
        return is_loopback(name) or name in self._hosts

    def _check_origin(self, origin: str, host: str) -> None:
        # The scheme is left aside: a proxy may have taken the TLS off.
        own = origin.partition("://")[2] == host and origin != "null"
        if not own and "*" not in self._origins and origin not in self._origins:
            raise CrossOrigin(f"scripts of {origin[:100]!r} may not use this service")


def _name(host: str) -> str:
    """The name in a Host header, without port and brackets; empty where it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
