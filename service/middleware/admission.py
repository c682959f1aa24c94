"""Admission: concurrency, host, authentication and rate are checked before every route."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from captionfill.errors import CaptionfillError
from service.auth.api_keys import Principal
from service.auth.authentication import (
    Authenticator,
    auth_enabled,
    caller_id,
    is_loopback,
    is_open,
    is_private,
    route_path,
)
from service.auth.event_url import EventToken
from service.config.settings import Settings
from service.errors.queue import Busy, TooManyAtOnce
from service.errors.requests import CrossOrigin, WrongHost
from service.middleware.problem_response import respond
from service.middleware.rate_limit import RateLimiter

_LIVENESS = ("/healthz", "/readyz")
_PROBES = (*_LIVENESS, "/metrics")
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - addresses to listen on, not names
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


class ConcurrencyLimit:
    """Counts the active requests of this process, in total and per caller."""

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.max_requests
        self._caller_limit = settings.max_caller_requests
        self._active = 0
        self._by_caller: Counter[str] = Counter()

    def check_total(self) -> None:
        """Raise `Busy` if the process has as many active requests as it may have."""
        if self._active >= self._limit:
            raise Busy(f"{self._limit} requests are active")

    def check_caller(self, caller: str) -> None:
        """Raise `TooManyAtOnce` if the caller has as many active requests as one may have."""
        if self._by_caller[caller] >= self._caller_limit:
            raise TooManyAtOnce(f"at most {self._caller_limit} requests of one caller at once")

    @contextmanager
    def acquire(self, caller: str) -> Iterator[None]:
        """Count a request as active; one without a caller counts in total only."""
        self._active += 1
        self._by_caller[caller] += bool(caller)
        try:
            yield
        finally:
            self._active -= 1
            self._by_caller[caller] -= bool(caller)
            if not self._by_caller[caller]:
                del self._by_caller[caller]


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
        if self._check_hosts and not self._is_allowed(host):
            raise WrongHost(f"host {host[:100]!r} is not in CAPTIONFILL_ALLOWED_HOSTS")
        origin = headers.get("origin")
        if origin is not None and method not in _SAFE_METHODS:
            self._check_origin(origin.lower(), host)

    def _is_allowed(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""  # without port and brackets
        except ValueError:
            return False
        return is_loopback(name) or name in self._hosts

    def _check_origin(self, origin: str, host: str) -> None:
        # The scheme is ignored, as a proxy may have terminated TLS.
        own = origin.partition("://")[2] == host and origin != "null"
        if not own and "*" not in self._origins and origin not in self._origins:
            raise CrossOrigin(f"scripts of {origin[:100]!r} may not use this service")


class Admission:
    """Admits a request, with its caller in ``request.state.caller``, or responds with an error."""

    def __init__(self, app: ASGIApp, settings: Settings, authenticator: Authenticator) -> None:
        self._app = app
        self._hosts = HostCheck(settings)
        self._authenticator = authenticator
        is_limited = auth_enabled(settings) or bool(settings.rate_limit)
        self._rates = RateLimiter(settings) if is_limited else None
        self._concurrency = ConcurrencyLimit(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request and pass it on."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, self._closing(send))
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        try:
            headers = await self._admit(scope)
        except CaptionfillError as error:
            return await respond(scope, error)(scope, receive, send)
        is_probe = route_path(scope) in _PROBES
        with self._concurrency.acquire("" if is_probe else scope["state"]["caller_id"]):
            return await self._app(scope, receive, _add_headers(headers, send))

    def _closing(self, send: Send) -> Send:
        """Close the rate limiter's connections before the shutdown is reported as complete.

        The server may end the process as soon as it is.
        """

        async def wrapped(message: Message) -> None:
            if self._rates and message["type"].startswith("lifespan.shutdown."):
                await self._rates.close()
            await send(message)

        return wrapped

    async def _admit(self, scope: Scope) -> dict[str, str]:
        """Make all checks, the cheap ones first. Returns headers for the response."""
        path, headers = route_path(scope), Headers(scope=scope)
        if path not in _PROBES:
            self._concurrency.check_total()
        if path not in _LIVENESS:  # orchestrators use any address of the process
            self._hosts.check(scope["method"], headers)
        caller = await self._authenticate(scope, path, headers)
        identity = caller_id(caller, (scope.get("client") or ("", 0))[0])
        scope.setdefault("state", {}).update(caller=caller, caller_id=identity)
        if path in _PROBES:
            return {}
        self._concurrency.check_caller(identity)
        if is_open(path) or self._rates is None:
            return {}
        allowance = await self._rates.acquire(caller, identity)
        self._concurrency.check_total()  # others were admitted in the meantime
        self._concurrency.check_caller(identity)
        return {} if allowance is None else allowance.headers

    async def _authenticate(self, scope: Scope, path: str, headers: Headers) -> Principal:
        """The caller, by an API key or by the signed address of a job's events."""
        token = EventToken.find(scope, path) if self._authenticator.wants_token(headers) else None
        if token is None:
            return self._authenticator.authenticate(path, headers)
        owner, secret = await scope["app"].state.queue.events.access(token.job)
        token.check(secret)
        scope.setdefault("state", {})["event_token"] = token.text
        return self._authenticator.owner(owner)


def _add_headers(headers: dict[str, str], send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return wrapped if headers else send
