"""What the service's tests run on: a real server, pictures, and a predictor to steer."""

import sys
import threading
import time
from itertools import count

import pytest
import redis
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.cli.main import main
from service.config.settings import Settings
from service.queue.consumer import Consumer
from service.queue.redis_keys import RedisKeys
from service.supervisor.embedded_redis import EmbeddedRedis
from service.worker.batching import Batcher
from service.worker.worker import Worker
from tests.helpers.images import encode_image, noise_image
from tests.helpers.service.stub_model import StubModel

_spaces = count()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    # Forced to the disk each second alone: no test here is about a power cut.
    server = EmbeddedRedis(tmp_path_factory.mktemp("valkey"), fsync="everysec")
    yield server.url
    server.stop()


@pytest.fixture
def settings(redis_url):
    """Settings of a fresh namespace on the real server, with short times."""
    name = f"test{next(_spaces)}"
    return Settings(
        redis_url=redis_url,
        namespace=name,
        lease_seconds=0.3,
        request_timeout=30,
        queue_limit=20,
        allowed_hosts=("testserver",),  # what Starlette's test client calls the service
    )


@pytest.fixture
def server(redis_url):
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        yield client


@pytest.fixture
def consumer(settings):
    consumer = Consumer(settings)
    consumer.create_streams()
    return consumer


@pytest.fixture
def client(settings):
    """The API in this process, over a real Redis; an unexpected error is a response here too."""
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def picture():
    """A 64×64 PNG of noise."""
    return encode_image(noise_image())


@pytest.fixture
def keys(settings):
    return RedisKeys(settings.namespace)


@pytest.fixture
def worker(settings):
    """A real worker in a thread, with the stub model."""
    policy = Batcher(8, settings.lease_seconds, time.monotonic)
    worker = Worker(Consumer(settings), StubModel, policy)
    thread = threading.Thread(target=worker.run)
    thread.start()
    yield worker
    worker.stop()
    thread.join()


@pytest.fixture
def hire(settings):
    """Start workers in threads, each with models from a function; they end with the test."""
    hired = []

    def start(load, limit=8, settings=settings):
        policy = Batcher(limit, settings.lease_seconds, time.monotonic)
        worker = Worker(Consumer(settings), load, policy)
        thread = threading.Thread(target=worker.run)
        hired.append((worker, thread))
        thread.start()
        return worker

    yield start
    for worker, thread in hired:
        worker.stop()
        thread.join()


@pytest.fixture
def temperatures(monkeypatch):
    """Those of all work that painters are given, as it comes."""
    seen, predict = [], StubModel.predict

    def recording_predict(model, tasks):
        seen.extend(task.temperature for task in tasks)
        return predict(model, tasks)

    monkeypatch.setattr(StubModel, "predict", recording_predict)
    return seen


@pytest.fixture
def captionfill(monkeypatch, capsys):
    """Run the command in this process: its status and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["captionfill", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
            sys.exit(0)
        return ended.value.code or 0, capsys.readouterr()

    return run
