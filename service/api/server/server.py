"""Runs the API in uvicorn, with the protocol of `http_protocol`."""

import ctypes
import os
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

# `mallopt` of glibc's malloc.h, and how many arenas the process has at most.
_M_ARENA_MAX, _ARENAS = -8, 2


class Server(uvicorn.Server):
    """uvicorn's server; it calls back when it accepts connections."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, and call back."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def run_api(settings: Settings, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; active requests are then finished, exit status 0.

    ``ready`` is called once connections are accepted.
    """
    _allow_connections()
    _limit_arenas()
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal again at its end
        signal.signal(number, lambda *_: sys.exit(0))
    check_temp_folder(settings.temp_folder)
    inherited = settings.listen_fd
    listener = listen(settings.host, settings.port) if inherited is None else inherit(inherited)
    server = Server(server_config(settings), ready)
    server.run([listener])
    if not server.started:
        raise StartError("the API could not start; see the log")


def server_config(settings: Settings) -> uvicorn.Config:
    """Uvicorn's configuration."""
    app = create_app(settings)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=guarded_protocol(settings, app.state.metrics.count_problem),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # service/middleware/proxy_headers.py reads them
        timeout_keep_alive=settings.idle_timeout,  # type: ignore[arg-type] # fractions work
        timeout_graceful_shutdown=int(settings.drain_timeout),
    )


def _allow_connections() -> None:
    """Raise the soft limit of open files to the hard one; 1,024 are too few for a server."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _limit_arenas() -> None:
    """Let all threads share two of glibc's malloc arenas; `MALLOC_ARENA_MAX` overrides it.

    By default each decoding thread gets an arena of its own, and what one image needed stays there:
    40 MiB more after 720 requests, and still growing. Other C libraries have no such option.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_M_ARENA_MAX, _ARENAS)
