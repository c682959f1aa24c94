"""A complete service to test: processes of Valkey, APIs and workers, on loopback only."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
import redis

from service.queue.redis_keys import RedisKeys
from service.supervisor.embedded_redis import EmbeddedRedis
from tests.helpers.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
STUB_WORKER = ["-m", "tests.reliability.harness.stub_worker"]


@dataclass
class ForkedWorker:
    """A worker process that the fork server has started."""

    pid: int

    def poll(self) -> int | None:
        """Return None while the process is alive, else -9."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return -9
        return -9 if state == "Z" else None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)


@dataclass
class Cluster:
    """Processes with their settings. A caller that kills a process starts the next one.

    Attributes:
        folder: Valkey's data and all logs.
        settings: CAPTIONFILL_ settings of every process, by their short names.
        seconds: inference time of the stub model for one image.
        fsync: of Valkey's append-only file.
    """

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    fsync: str = "always"
    processes: list[subprocess.Popen] = field(default_factory=list)
    _workers: list[ForkedWorker] = field(default_factory=list)
    _fork_server: subprocess.Popen | None = None

    def __post_init__(self) -> None:
        self.server = EmbeddedRedis(self.folder / "valkey", "512mb", self.fsync)
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.keys = RedisKeys(self.settings.get("NAMESPACE", "captionfill"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.server.url, protocol=2)

    def depth(self) -> int:
        """Return the number of entries in all streams."""
        client = self.redis()
        streams = client.scan_iter(f"{self.keys.prefix}jobs*", count=1000)
        return sum(client.xlen(stream) for stream in streams)

    def api(self, port: int | None = None) -> subprocess.Popen:
        """Start an API process."""
        more = {"PORT": str(port or self.port), "HOST": "127.0.0.1"}
        return self._spawn("api", ["-m", "service.cli.main", "api"], more)

    def worker(self, kind: str = "") -> ForkedWorker:
        """Fork a worker with the stub model, or of another kind; it is running at once."""
        if self._fork_server is None:
            command = [*STUB_WORKER, str(self.seconds), "fork-server"]
            self._fork_server = self._spawn("worker", command, pipes=True)
        requests, replies = self._fork_server.stdin, self._fork_server.stdout
        assert requests is not None and replies is not None
        requests.write(f"{kind}\n")
        requests.flush()
        worker = ForkedWorker(int(replies.readline()))
        self._workers.append(worker)
        return worker

    def model_worker(self) -> subprocess.Popen:
        """Start a worker with the bundle of the settings."""
        return self._spawn("worker", ["-m", "service.cli.main", "worker"])

    def wait_until_ready(
        self, workers: int = 1, seconds: float = 60.0, address: str | None = None
    ) -> None:
        """Wait until the API (or the one at `address`) reports that many live workers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                answer = httpx.get(f"{address or self.address}/readyz", timeout=5)
                if answer.status_code == 200 and answer.json()["workers"] >= workers:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"not ready after {seconds:g} s; the logs are in {self.folder}")

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        """Return the environment of a process: this one's, with the settings of the cluster."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("CAPTIONFILL_") and key not in ("REDIS_URL", "HOST", "PORT")
        }
        chosen = {"REDIS_URL": self.server.url, **self.settings, **more}
        set_here = {f"CAPTIONFILL_{key}": value for key, value in chosen.items()}
        return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **set_here}

    def close(self) -> None:
        processes: list[ForkedWorker | subprocess.Popen] = [*self._workers, *self.processes]
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.server.stop()

    def _spawn(
        self,
        name: str,
        command: list[str],
        more: dict[str, str] | None = None,
        *,
        pipes: bool = False,
    ) -> subprocess.Popen:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                env=self.environment(more or {}),
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else log,
                stderr=log,
                cwd=self.folder,
                text=True,
            )
        self.processes.append(process)
        return process
