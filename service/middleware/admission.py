"""Admission: concurrency, host, authentication and rate are checked before every route."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from captionfill.errors import CaptionfillError
from service.auth.authentication import Authenticator, is_open
from service.config.settings import Settings
from service.errors.capacity import Busy, TooManyAtOnce
from service.errors.responses import respond, route_path
from service.middleware.host_check import HostCheck
from service.middleware.rate_limit import RateLimiter, caller_id

_LIVENESS = ("/healthz", "/readyz")
_PROBES = (*_LIVENESS, "/metrics")


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


class Admission:
    """Admits a request, with its caller in ``request.state.caller``, or responds with an error."""

    def __init__(self, app: ASGIApp, settings: Settings, authenticator: Authenticator) -> None:
        self._app = app
        self._hosts = HostCheck(settings)
        self._authenticator = authenticator
        self._rates = RateLimiter(settings)
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
            if message["type"].startswith("lifespan.shutdown."):
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
        caller = self._authenticator.authenticate(path, headers)
        address = (scope.get("client") or ("", 0))[0]
        identity = caller_id(caller, address)
        scope.setdefault("state", {}).update(caller=caller, caller_id=identity)
        if path in _PROBES:
            return {}
        self._concurrency.check_caller(identity)
        if is_open(path):
            return {}
        allowance = await self._rates.acquire(caller, address)
        self._concurrency.check_total()  # others were admitted in the meantime
        self._concurrency.check_caller(identity)
        return {} if allowance is None else allowance.headers


def _add_headers(headers: dict[str, str], send: Send) -> Send:
    if not headers:
        return send
    extra = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *extra]
        await send(message)

    return wrapped
