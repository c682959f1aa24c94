"""The systems under load, each started with the same bundle on loopback, one at a time."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.helpers.ports import free_port
from tests.performance.requests import Encode, encode_form, encode_json
from tests.performance.servers.predictor import STUB
from tests.reliability.harness.cluster import Cluster

_READY_SECONDS = 180.0


@dataclass(frozen=True)
class System:
    """A running system: its port, its root processes by name, how it takes a request."""

    port: int
    roots: dict[str, int]
    encode: Encode

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time of each root process with its children [s]."""
        return {name: _family_seconds(pid) for name, pid in self.roots.items()}


def _family_seconds(pid: int) -> float:
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return sum(sum(one.cpu_times()[:2]) for one in (root, *root.children(recursive=True)))
    return 0.0


@contextmanager
def captionfill(bundle: str) -> Iterator[System]:
    """Run one API process, one worker and the embedded queue, as `captionfill serve` does."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        settings = {"RATE_LIMIT": "0", "WORKERS": "1", "THREADS": "1"}
        if bundle != STUB:
            settings["BUNDLE"] = bundle
        with Cluster(Path(folder), settings) as cluster:
            api = cluster.api()
            worker = cluster.worker() if bundle == STUB else cluster.model_worker()
            cluster.wait_until_ready(seconds=_READY_SECONDS)
            queue = cluster.redis().info("server")["process_id"]
            roots = {"api": api.pid, "worker": worker.pid, "queue": queue}
            yield System(cluster.port, roots, encode_form)


def _served_by(module: str, encode: Encode) -> Callable[[str], AbstractContextManager[System]]:
    @contextmanager
    def run(bundle: str) -> Iterator[System]:
        port = free_port()
        command = [sys.executable, "-m", f"tests.performance.servers.{module}", str(port), bundle]
        with tempfile.TemporaryFile() as log:
            server = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                _wait_for(port, server)
                yield System(port, {"server": server.pid}, encode)
            finally:
                _end(server)

    return run


def _wait_for(port: int, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(httpx.TransportError):
            # LitServe listens before its model is loaded; FastAPI has no /health.
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code in (200, 404):
                return
        time.sleep(0.1)
    raise TimeoutError(f"{server.args!r} is not ready")


def _end(server: subprocess.Popen) -> None:
    """End a server with all its processes."""
    family = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    server.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.wait(5)
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    server.kill()
    server.wait()


SYSTEMS: dict[str, Callable[[str], AbstractContextManager[System]]] = {
    "captionfill": captionfill,
    "fastapi": _served_by("fastapi_server", encode_form),
    "litserve": _served_by("litserve_server", encode_json),
}
