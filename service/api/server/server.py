"""The API as a server process: uvicorn, with the gate's protocol."""

import resource
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn

from captionfill.errors import StartError
from service.api.app import create_app
from service.api.server.http_protocol import guarded_protocol
from service.api.server.listener import inherit, listen
from service.config.data_folder import check_temp_folder
from service.config.settings import Settings


class Server(uvicorn.Server):
    """uvicorn's server, which tells whoever started it when it accepts connections."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, and tell."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def run_api(settings: Settings, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests in hand are then finished, status 0.

    Args:
        settings: of the service.
        ready: called once, when connections are accepted.
    """
    _allow_connections()
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises it again when it has ended
        signal.signal(number, lambda *_: sys.exit(0))
    check_temp_folder(settings.temp_folder)
    handed = settings.listen_fd
    listener = listen(settings.host, settings.port) if handed is None else inherit(handed)
    server = Server(server_config(settings), ready)
    server.run([listener])
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
        proxy_headers=False,  # service/middleware/proxy_headers.py reads them
        timeout_keep_alive=settings.idle_timeout,  # type: ignore[arg-type] # fractions work, too
        timeout_graceful_shutdown=int(settings.drain_timeout),
    )


def _allow_connections() -> None:
    """Raise the limit of open files as far as allowed: 1,024 are few for one server's clients."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
