"""The layers of the gate, in their order around an application."""

from collections.abc import Callable, Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from service.gate.bodies import BodyLimit, Linger
from service.gate.context import Context, Exchange, write_access_log
from service.gate.doors import Doors
from service.settings import Settings

_ASKED = (
    "Authorization", "X-API-Key", "X-Request-Id", "Idempotency-Key", "Prefer", "If-None-Match",
    "Last-Event-ID",
)  # fmt: skip
_TOLD = (
    "ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id", "X-Job-Id",
    "X-Seed", "X-Bundle-Digest", "X-Engine", "X-Queue-Ms", "X-Inference-Ms", "X-Batch-Size",
)  # fmt: skip


def install_gate(
    app: FastAPI, settings: Settings, observers: Sequence[Callable[[Exchange], None]] = ()
) -> None:
    """Put the gate around an application. Starlette adds from the inside out.

    Args:
        app: not yet started.
        settings: of all layers.
        observers: told of every exchange, besides the log.
    """
    app.add_middleware(Doors, settings=settings)
    app.add_middleware(BodyLimit, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "HEAD", "POST", "DELETE"),
            allow_headers=_ASKED,
            expose_headers=_TOLD,
        )
    app.add_middleware(Linger)
    app.add_middleware(Context, observers=(write_access_log, *observers))
