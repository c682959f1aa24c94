"""`captionfill serve`: the embedded server, a worker and the API as one command."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import redis
from redis.exceptions import RedisError

from service.embedded import EmbeddedServer
from service.errors import StartError
from service.example import write_example
from service.processes import spawn, stop
from service.settings import Settings

_POLL_SECONDS = 0.1
_READY_SECONDS = 120.0
_LONGEST_BACKOFF = 30.0
# A child that ran this long did not crash at start: its next restart is at once.
_HEALTHY_SECONDS = 30.0


@dataclass
class Child:
    """A process that is restarted when it ends, ever later when it ends at once."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    log: Path

    def __post_init__(self) -> None:
        self._backoff = 0.5
        self._run()

    def _run(self) -> None:
        self.process = self.start()
        self._started = time.monotonic()
        self._restart_at: float | None = None

    def tend(self, now: float) -> None:
        """Restart the process if it has ended and its time has come."""
        if self.process.poll() is None:
            return
        if self._restart_at is None:
            healthy = now - self._started > _HEALTHY_SECONDS
            self._backoff = 0.5 if healthy else min(2 * self._backoff, _LONGEST_BACKOFF)
            self._restart_at = now + self._backoff
        elif now >= self._restart_at:
            self._run()

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1].removeprefix("captionfill: ") if lines else "it said nothing"


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Run the whole service until SIGINT or SIGTERM, and leave no process behind.

    Args:
        settings: of every part; REDIS_URL takes the embedded server's place.
        say: told one line when the service is ready.

    Raises:
        StartError: the port is taken, or a part cannot start.
    """
    _check_port(settings)
    folder = settings.data_folder
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, _interrupt))
        environment = _environment(settings, _redis_url(settings, stack))
        children = [_child(name, folder, environment, stack) for name in ("worker", "api")]
        _wait_until_ready(settings, children)
        say(_welcome(settings))
        while True:
            for child in children:
                child.tend(time.monotonic())
            time.sleep(_POLL_SECONDS)


def _environment(settings: Settings, redis_url: str) -> dict[str, str]:
    """This process's environment, and what its command line may have changed."""
    chosen = {
        "REDIS_URL": redis_url,
        "HOST": settings.host,
        "PORT": str(settings.port),
        "BUNDLE": str(settings.bundle),
    }
    return {**os.environ, **{f"CAPTIONFILL_{name}": value for name, value in chosen.items()}}


def _redis_url(settings: Settings, stack: ExitStack) -> str:
    """The server that was asked for, if it answers; else an embedded one."""
    if settings.redis_url is None:
        server = EmbeddedServer(settings.data_folder)
        stack.callback(server.stop)
        return server.url
    try:
        with redis.Redis.from_url(settings.redis_url, socket_connect_timeout=5) as client:
            client.ping()
    except (RedisError, OSError, ValueError) as error:
        raise StartError(f"no Redis answers at REDIS_URL: {error}") from error
    return settings.redis_url


def _child(name: str, folder: Path, environment: dict[str, str], stack: ExitStack) -> Child:
    log = folder / f"{name}.log"
    log.write_bytes(b"")
    command = [sys.executable, "-m", "service.cli", name]
    child = Child(name, lambda: spawn(command, log, environment), log)
    stack.callback(lambda: stop(child.process))
    return child


def _wait_until_ready(settings: Settings, children: list[Child]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not _is_ready(settings):
        for child in children:
            if child.process.poll() is not None:
                raise StartError(f"the {child.name} ended: {child.last_words()}")
        if time.monotonic() > deadline:
            raise StartError(f"not ready after {_READY_SECONDS:g} s; see {children[0].log.parent}")
        time.sleep(_POLL_SECONDS)


def _is_ready(settings: Settings) -> bool:
    # Not urllib: it would ask a proxy for what is on this machine.
    connection = HTTPConnection(_local_host(settings), settings.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (HTTPException, OSError):
        return False
    finally:
        connection.close()


def _check_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            place = f"{settings.host}:{settings.port}"
            raise StartError(f"cannot listen on {place}: {error.strerror}; set PORT=") from error


def _local_host(settings: Settings) -> str:
    """The host by which this machine reaches the API."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104


def _address(settings: Settings) -> str:
    host = _local_host(settings)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _welcome(settings: Settings) -> str:
    example, caption = write_example(settings.data_folder.resolve())
    picture = shlex.quote(f"image=@{example}")
    words = shlex.quote(f"caption={caption}")
    command = f"curl -F {picture} -F {words} -o filled.png {_address(settings)}/inpaint"
    return f"ready on {_address(settings)}  try: {command}"


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
