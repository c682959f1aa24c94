"""The API as a server process: uvicorn, with the gate's protocol."""

import resource
import signal
import sys

import uvicorn

from service.app import create_app
from service.errors import StartError
from service.gate.protocol import guarded_protocol
from service.settings import Settings

_GRACE_SECONDS = 10


def run_api(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests in hand are then finished, status 0."""
    _allow_connections()
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises it again when it has ended
        signal.signal(number, lambda *_: sys.exit(0))
    server = uvicorn.Server(server_config(settings))
    server.run()
    if not server.started:
        raise StartError("the API could not start; the log says why")


def server_config(settings: Settings) -> uvicorn.Config:
    """How uvicorn is to serve."""
    app = create_app(settings)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=guarded_protocol(settings, app.state.metrics.reject),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=settings.idle_seconds,  # type: ignore[arg-type] # fractions work, too
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _allow_connections() -> None:
    """Raise the limit of open files as far as allowed: 1,024 are few for one server's clients."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
