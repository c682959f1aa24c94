"""The whole service, started as a user starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import redis

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Service:
    """A running `captionfill serve`: its one line, where it listens, and its queue."""

    process: subprocess.Popen
    line: str
    folder: Path

    @property
    def address(self):
        return re.search(r"http://\S+", self.line)[0]

    @property
    def queue(self):
        return redis.Redis(unix_socket_path=str(self.folder / ".captionfill" / "valkey.sock"))

    def worker_pid(self):
        """The newest worker's process, by the name it gives itself."""
        beats = self.queue.hgetall("{captionfill}:workers")
        newest = max(beats, key=beats.get).decode()
        return int(newest.rsplit("-", 2)[1])

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)


def start_service(folder, bundle):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    settings = {"CAPTIONFILL_BUNDLE": str(bundle), "PORT": str(port), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve"],
        cwd=folder,
        env={**kept, **settings, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return Service(process, process.stdout.readline(), folder)


@pytest.fixture(scope="session")
def service(tiny_bundle, tmp_path_factory):
    service = start_service(tmp_path_factory.mktemp("s"), tiny_bundle)
    yield service
    assert service.stop() == 0


@pytest.fixture
def own_service(tiny_bundle, tmp_path):
    """A service of one test's own, to be ill-treated."""
    service = start_service(tmp_path, tiny_bundle)
    yield service
    if service.process.poll() is None:
        service.stop()


@pytest.fixture(scope="session")
def client(service):
    with httpx.Client(base_url=service.address, timeout=60) as client:
        yield client
