"""The examples that call the service, against a real API and a worker with the stub model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from captionfill import Client
from tests.reliability.harness.cluster import Cluster
from tests.reliability.harness.service import running_service

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
CAPTION = "a dog runs"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    with Cluster(folder, {"AUTH": "off", "RATE_LIMIT": "0"}, seconds=0.01) as cluster:
        cluster.api()
        cluster.worker()
        cluster.wait_until_ready()
        yield cluster


@pytest.fixture
def photo(tmp_path, noise):
    noise(90, 80).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def run(folder, command, address, **environment):
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "CAPTIONFILL_URL": address, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def address(cluster):
    return f"http://127.0.0.1:{cluster.port}"


def same_as_the_client(cluster, photo, seed, filled):
    """Whether a file is what the client gets for the photo."""
    with Client(address(cluster)) as client:
        [png] = client.inpaint(photo, CAPTION, seed=seed).pngs
    return png == (photo.parent / filled).read_bytes() != photo.read_bytes()


def test_curl_fills_at_once_and_as_job(service, photo):
    command = ["sh", str(EXAMPLES / "fill.sh"), str(photo), CAPTION, "filled.png"]
    done = run(photo.parent, command, address(service))
    assert done.returncode == 0, done.stderr
    assert same_as_the_client(service, photo, 7, "filled.png")
    assert same_as_the_client(service, photo, 8, "filled-job.png")
    assert done.stdout.splitlines()[-1] == "event: done"


def test_curl_shows_a_refusal(service, photo):
    photo.write_bytes(b"no picture")
    command = ["sh", str(EXAMPLES / "fill.sh"), str(photo), CAPTION, "filled.png"]
    assert run(photo.parent, command, address(service)).returncode != 0


def requests_example(photo):
    place = EXAMPLES / "python" / "fill_by_requests.py"
    return [sys.executable, str(place), str(photo), CAPTION, "filled.png"]


def test_requests_fill_a_photo(service, photo):
    done = run(photo.parent, requests_example(photo), address(service))
    assert done.returncode == 0, done.stderr
    assert same_as_the_client(service, photo, 7, "filled.png")


def test_requests_show_a_refusal(service, photo):
    photo.write_bytes(b"no picture")
    done = run(photo.parent, requests_example(photo), address(service))
    assert done.returncode == 1 and "Traceback" not in done.stderr and "image" in done.stderr


def test_requests_send_a_key(tmp_path, photo):
    with running_service(tmp_path) as (cluster, key):
        done = run(tmp_path, requests_example(photo), address(cluster), CAPTIONFILL_KEY=key)
    assert done.returncode == 0, done.stderr
