"""The layers of the gate, in their order around an application."""

from collections.abc import Callable, Sequence

from fastapi import FastAPI

from service.exchange import Exchange
from service.gate.authentication import Authenticator
from service.gate.bodies import BodyLimit, Linger
from service.gate.context import Context, write_access_log
from service.gate.cors import Cors
from service.gate.doors import Doors
from service.gate.head import Head
from service.gate.proxies import Proxies
from service.settings import Settings


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
