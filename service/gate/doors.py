"""The doors in front of every route: how many at once, from where, who, and how often."""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Busy, ServiceError
from service.gate.authentication import Authenticator, is_open
from service.gate.caller import Caller
from service.gate.hosts import Origins
from service.gate.rates import RateLimiter
from service.problems import respond
from service.settings import Settings

_ALIVE = ("/healthz", "/readyz")
_PROBES = (*_ALIVE, "/metrics")


class Doors:
    """Lets a request through with its caller in ``request.state.caller``, or answers it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._origins = Origins(settings)
        self._authenticator = Authenticator(settings)
        self._limiter = RateLimiter(settings)
        self._most = settings.max_requests
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, and pass it on."""
        if scope["type"] == "lifespan":
            try:
                return await self._app(scope, receive, send)
            finally:
                await self._limiter.close()
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        try:
            headers = await self._admit(scope)
        except ServiceError as error:
            return await respond(scope, error)(scope, receive, send)
        return await self._through(scope, receive, _with(headers, send))

    async def _admit(self, scope: Scope) -> dict[str, str]:
        """Every check, the cheap ones first. Returns headers for the answer."""
        path, headers = scope["path"], Headers(scope=scope)
        if self._inside >= self._most and path not in _PROBES:
            raise Busy(f"{self._most} requests are being answered")
        if path not in _ALIVE:  # an orchestrator asks by whatever address it knows
            self._origins.check(scope["method"], headers)
        caller: Caller = self._authenticator.caller(path, headers)
        scope.setdefault("state", {})["caller"] = caller
        if is_open(path) or path in _PROBES:
            return {}
        client = scope.get("client") or ("", 0)
        allowance = await self._limiter.admit(caller, client[0])
        return {} if allowance is None else allowance.headers

    async def _through(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1


def caller_of(request: Request) -> Caller:
    """Who sent a request: what the doors found."""
    caller: Caller = request.state.caller
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
