"""The doors in front of every route: how many at once, from where, who, and how often."""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from captionfill.errors import CaptionfillError
from service.auth.authentication import Authenticator, is_open
from service.auth.principal import Principal
from service.config.settings import Settings
from service.errors.responses import respond, route_path
from service.middleware.caller_limits import ConcurrencyLimit
from service.middleware.host_check import HostCheck
from service.middleware.rate_limit import RateLimiter, caller_id

_ALIVE = ("/healthz", "/readyz")
_PROBES = (*_ALIVE, "/metrics")


class Admission:
    """Lets a request through with its caller in ``request.state.caller``, or answers it."""

    def __init__(self, app: ASGIApp, settings: Settings, authenticator: Authenticator) -> None:
        self._app = app
        self._origins = HostCheck(settings)
        self._authenticator = authenticator
        self._limiter = RateLimiter(settings)
        self._requests = ConcurrencyLimit(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, and pass it on."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, self._closing(send))
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        try:
            headers = await self._admit(scope)
        except CaptionfillError as error:
            return await respond(scope, error)(scope, receive, send)
        is_probe = route_path(scope) in _PROBES
        with self._requests.hold("" if is_probe else scope["state"]["caller_id"]):
            return await self._app(scope, receive, _with(headers, send))

    def _closing(self, send: Send) -> Send:
        """Close the limiter's connections before the shutdown is reported as complete.

        The server may end the process as soon as it is.
        """

        async def wrapped(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._limiter.close()
            await send(message)

        return wrapped

    async def _admit(self, scope: Scope) -> dict[str, str]:
        """Every check, the cheap ones first. Returns headers for the answer."""
        path, headers = route_path(scope), Headers(scope=scope)
        if path not in _PROBES:
            self._requests.check_room()
        if path not in _ALIVE:  # an orchestrator asks by whatever address it knows
            self._origins.check(scope["method"], headers)
        caller: Principal = self._authenticator.caller(path, headers)
        address = (scope.get("client") or ("", 0))[0]
        state = scope.setdefault("state", {})
        state["caller"] = caller
        state["caller_id"] = caller_id(caller, address)
        if path in _PROBES:
            return {}
        self._requests.check_share(state["caller_id"])
        if is_open(path):
            return {}
        allowance = await self._limiter.admit(caller, address)
        self._requests.check_room()  # others came in meanwhile
        self._requests.check_share(state["caller_id"])
        return {} if allowance is None else allowance.headers


def caller_of(request: Request) -> Principal:
    """Who sent a request: what the doors found."""
    caller: Principal = request.state.caller
    return caller


def _with(headers: dict[str, str], send: Send) -> Send:
    """Send, with headers added to the answer."""
    if not headers:
        return send
    extra = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *extra]
        await send(message)

    return sending
