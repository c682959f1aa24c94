"""Adds the middleware to an application, in order."""

from collections.abc import Callable, Sequence

from fastapi import FastAPI

from service.auth.authentication import Authenticator
from service.config.settings import Settings
from service.middleware.admission import Admission
from service.middleware.body_limit import BodyLimit, DrainBody
from service.middleware.cors import Cors
from service.middleware.head_requests import HeadRequests
from service.middleware.proxy_headers import ProxyHeaders
from service.middleware.request_context import RequestContext, write_access_log
from service.observability.request_record import RequestRecord


def install_middleware(
    app: FastAPI,
    settings: Settings,
    observers: Sequence[Callable[[RequestRecord], None]] = (),
    request_headers: tuple[str, ...] = (),
) -> None:
    """Add all middleware. Starlette adds from the inside out.

    Args:
        app: not yet started.
        settings: of the service.
        observers: called with the record of every request, beside the access log.
        request_headers: names of the headers that the routes read, for CORS.
    """
    app.state.authenticator = Authenticator(settings)
    app.add_middleware(HeadRequests)
    app.add_middleware(BodyLimit, settings=settings)  # inside Admission: it needs the caller
    app.add_middleware(Admission, settings=settings, authenticator=app.state.authenticator)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins, request_headers=request_headers)
    app.add_middleware(DrainBody)
    app.add_middleware(RequestContext, observers=(write_access_log, *observers))
    app.add_middleware(ProxyHeaders, settings=settings)
