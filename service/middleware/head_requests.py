"""HEAD for every GET route (RFC 9110, 9.3.2): the same status and headers, and no content."""

from contextlib import suppress

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """Passes HEAD to the route of GET, and ends the response after its headers.

    A stream (events, the zip of a batch) is stopped.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, a HEAD as a GET."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return await self._app(scope, receive, send)

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
            elif message.get("more_body"):
                raise OSError("the response to HEAD has no content")

        # From this version on, a streaming response treats an OSError as a disconnection.
        asgi = {**scope.get("asgi", {}), "spec_version": "2.4"}
        inner = {**scope, "method": "GET", "asgi": asgi}
        try:
            with suppress(ClientDisconnect):
                await self._app(inner, receive, send_head)
        finally:
            if "route" in inner:  # for the log and the metrics
                scope["route"] = inner["route"]
