"""One running service for all the tests here, and one for a test to ill-treat."""

import httpx
import pytest

from tests.end_to_end.running import start_service


@pytest.fixture(scope="session")
def service(tiny_bundle, tmp_path_factory):
    service = start_service(tmp_path_factory.mktemp("s"), tiny_bundle)
    yield service
    assert service.stop() == 0


@pytest.fixture
def serve(tmp_path):
    """Start services of one test's own with a given bundle; they are stopped after it."""
    started = []

    def start(bundle):
        started.append(start_service(tmp_path, bundle))
        return started[-1]

    yield start
    for service in started:
        if service.process.poll() is None:
            service.stop()


@pytest.fixture(scope="session")
def client(service):
    with httpx.Client(base_url=service.address, timeout=60) as client:
        yield client
