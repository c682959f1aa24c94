"""The layers of the gate, in their order around an application."""

from collections.abc import Callable, Sequence

from fastapi import FastAPI

from service.auth.authentication import Authenticator
from service.config.settings import Settings
from service.middleware.admission import Doors
from service.middleware.body_limit import BodyLimit, Linger
from service.middleware.cors import Cors
from service.middleware.head_requests import Head
from service.middleware.proxy_headers import Proxies
from service.middleware.request_context import Context, write_access_log
from service.observability.request_record import Exchange


def install_gate(
    app: FastAPI,
    settings: Settings,
    observers: Sequence[Callable[[Exchange], None]] = (),
    request_headers: tuple[str, ...] = (),
) -> None:
    """Put the gate around an application. Starlette adds from the inside out.

    Args:
        app: not yet started.
        settings: of all layers.
        observers: told of every exchange, besides the log.
        request_headers: names of the headers that the routes read, for CORS.
    """
    app.state.authenticator = Authenticator(settings)
    app.add_middleware(Head)
    app.add_middleware(BodyLimit, settings=settings)  # within Doors: a body is its caller's
    app.add_middleware(Doors, settings=settings, authenticator=app.state.authenticator)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins, request_headers=request_headers)
    app.add_middleware(Linger)
    app.add_middleware(Context, observers=(write_access_log, *observers))
    app.add_middleware(Proxies, settings=settings)
