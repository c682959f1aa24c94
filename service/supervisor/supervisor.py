"""`captionfill serve`: supervises the embedded Redis, the workers and the API."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from captionfill.errors import StartError
from service.api.server.listener import listen
from service.config.data_folder import prepare_data_folder
from service.config.settings import Settings
from service.queue.redis_check import check_redis
from service.supervisor.embedded_redis import EmbeddedRedis
from service.supervisor.example import write_example
from service.supervisor.managed_process import ManagedProcess, Start
from service.supervisor.spawn import spawn

_POLL_SECONDS = 0.1
_READY_SECONDS = 300.0


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Run the service until SIGINT or SIGTERM.

    SIGHUP replaces the workers and the API by new processes, without losing a request. ``say``
    prints the line that reports that the service is ready.

    Raises:
        StartError: the port is taken, or a part cannot start.
    """
    folder = prepare_data_folder(settings.data_folder)
    settings = settings.model_copy(update={"data_folder": folder})
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, _interrupt))
        roll = threading.Event()
        signal.signal(signal.SIGHUP, lambda *_: roll.set())
        # This process keeps the socket open, so that no connection is refused while the API
        # process is replaced.
        listener = stack.enter_context(listen(settings.host, settings.port))
        server = None
        if settings.redis_url is None:
            memory, fsync = settings.queue_memory, settings.queue_fsync
            server = EmbeddedRedis(settings.data_folder, memory, fsync)
            stack.callback(server.stop)
        else:
            check_redis(settings, must_answer=True)
        environment = _environment(settings, server.url if server else settings.queue_url)
        children = _children(settings, environment, listener.fileno(), stack)
        _wait_until_ready(settings, children)
        say(_startup_message(settings))
        while True:
            _poll(server, children)
            if roll.is_set():
                roll.clear()
                for child in children:
                    child.replace()
            time.sleep(_POLL_SECONDS)


def _poll(server: EmbeddedRedis | None, children: list[ManagedProcess]) -> None:
    if server is not None:
        with suppress(StartError):  # its log has the reason; the next round tries again
            server.poll()
    for child in children:
        child.poll(time.monotonic())


def _environment(settings: Settings, redis_url: str) -> dict[str, str]:
    """Return the children's environment: this process's own, and options of the command line."""
    chosen = {
        "REDIS_URL": redis_url,
        "HOST": settings.host,
        "PORT": str(settings.port),
        "BUNDLE": str(settings.bundle),
        "ENGINE": settings.engine,
    }
    # Threads of OpenMP that wait would spin, on cores that others have use for.
    idle = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    return {
        **idle,
        **os.environ,
        **{f"CAPTIONFILL_{name}": value for name, value in chosen.items()},
    }


def _children(
    settings: Settings, environment: dict[str, str], listener: int, stack: ExitStack
) -> list[ManagedProcess]:
    names = [f"worker-{i}" if i else "worker" for i in range(settings.workers)]
    children = []
    for name in [*names, "api"]:
        log = settings.data_folder / f"{name}.log"
        log.write_bytes(b"")
        start = _starter("api" if name == "api" else "worker", log, environment, listener)
        children.append(ManagedProcess(name, start, log, settings.drain_timeout + 5))
        stack.callback(children[-1].stop)
    return children


def _starter(command: str, log: Path, environment: dict[str, str], listener: int) -> Start:
    def start(ready: int) -> subprocess.Popen[bytes]:
        variables = {"CAPTIONFILL_READY_FD": str(ready)}
        inherited = [ready]
        if command == "api":
            variables["CAPTIONFILL_LISTEN_FD"] = str(listener)
            inherited.append(listener)
        line = [sys.executable, "-m", "service.cli.main", command]
        return spawn(line, log, {**environment, **variables}, inherited)

    return start


def _wait_until_ready(settings: Settings, children: list[ManagedProcess]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not all(child.is_ready() for child in children):
        for child in children:
            if child.process.poll() is not None:
                raise StartError(f"the {child.name} ended: {child.log_tail()}")
        if time.monotonic() > deadline:
            raise StartError(f"not ready after {_READY_SECONDS:g} s; see {children[0].log.parent}")
        time.sleep(_POLL_SECONDS)


def _startup_message(settings: Settings) -> str:
    # The address for connections from this machine.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    address = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    example, caption = write_example(settings.data_folder)
    picture = shlex.quote(f"image=@{example}")
    words = shlex.quote(f"caption={caption}")
    command = f"curl -F {picture} -F {words} -o filled.png {address}/inpaint"
    return f"ready on {address}  try: {command}"


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
