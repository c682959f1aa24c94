"""`Client` and `AsyncClient` against a real API and a worker with the stub model.

The stub model fills with the grey level of the seed.
"""

import asyncio
import inspect
import subprocess
import sys
import threading
import time

import pytest
from PIL import Image

from captionfill import AsyncClient, Client
from captionfill.client import JobFailed, ServiceError
from tests.helpers.ports import free_port
from tests.helpers.waiting import eventually
from tests.reliability.harness.cluster import Cluster
from tests.reliability.harness.service import running_service

pytestmark = pytest.mark.server

SEED = 100
FAILING_SEED = 13


class Blocking:
    """An `AsyncClient` with the methods of a `Client`, so that one test holds for both."""

    def __init__(self, *arguments, **options):
        self._loop = asyncio.new_event_loop()
        self._client = AsyncClient(*arguments, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.run_until_complete(self._client.close())
        self._loop.close()

    def events(self, job):
        async def collect():
            return [status async for status in self._client.events(job)]

        return self._loop.run_until_complete(collect())

    def __getattr__(self, name):
        method = getattr(self._client, name)
        return lambda *some, **more: self._loop.run_until_complete(method(*some, **more))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("client")
    with Cluster(folder, {"AUTH": "off", "RATE_LIMIT": "0"}, seconds=0.01) as cluster:
        cluster.api()
        cluster.worker()
        cluster.wait_until_ready()
        yield cluster


@pytest.fixture(params=[Client, Blocking], ids=["sync", "async"])
def client(request, cluster):
    with request.param(cluster.address) as client:
        yield client


@pytest.fixture(scope="module")
def photo():
    return Image.new("RGB", (128, 96), (200, 40, 40))


def test_both_clients_have_the_same_methods():
    names = {name for name in vars(Client) if not name.startswith("_")}
    assert names == {name for name in vars(AsyncClient) if not name.startswith("_")}
    for name in names:
        arguments = inspect.signature(getattr(Client, name)).parameters
        assert arguments == inspect.signature(getattr(AsyncClient, name)).parameters


def test_candidates_and_a_comparison_come_as_images(client, photo):
    made = client.inpaint(
        photo,
        "a red wall",
        seed=SEED,
        n=3,
        compare="a blue wall",
        region=(32, 16, 64, 64),
        detail="none",
    )
    assert made.seeds == [SEED, SEED + 1, SEED + 2] and made.region == (32, 16, 64, 64)
    assert [image.getpixel((64, 48)) for image in made.images] == [(s,) * 3 for s in made.seeds]
    assert made.others[0].getpixel((64, 48)) == (SEED + 1,) * 3 and made.levels == [1.0] * 3
    assert made.image.getpixel((31, 48)) == (200, 40, 40)
    assert (made.model, made.engine) == ("stub", "brush")


def test_paths_and_bytes_are_accepted(client, photo, tmp_path):
    path = tmp_path / "photo.png"
    photo.save(path)
    results = [client.inpaint(one, "a wall", seed=SEED).pngs for one in (path, str(path), photo)]
    assert results[0] == results[1] == results[2]
    made = client.inpaint(path.read_bytes(), "a wall", seed=SEED)
    made.save(tmp_path / "filled.png")
    assert (tmp_path / "filled.png").read_bytes() == results[0][0]


def test_a_job_is_followed_to_its_result(client, photo):
    job = client.submit(photo, "a wall", seed=SEED, n=8)
    states = [status.state for status in client.events(job)]
    assert states[-1] == "done" and set(states) <= {"queued", "progress", "running", "done"}
    seen = []
    made = client.wait(job.id, seen.append)
    assert made.seeds[0] == SEED and seen[-1].state == "done"
    assert client.status(job).is_end


def test_a_failed_job_is_one_clear_error(client, photo):
    with pytest.raises(JobFailed, match="ended as failed"):
        client.wait(client.submit(photo, "a wall", seed=FAILING_SEED))


def test_a_cancelled_job_has_no_result(client, photo):
    job = client.submit(photo, "a wall", n=8, compare="another")
    client.cancel(job)
    with pytest.raises(ServiceError):
        client.wait(job)


def test_a_refusal_is_not_tried_again(client, photo):
    began = time.monotonic()
    with pytest.raises(ServiceError, match="Invalid region") as refused:
        client.inpaint(photo, "a wall", region=(0, 0, 500, 500))
    assert refused.value.status == 422 and refused.value.type == "/problems/invalid-region"
    assert time.monotonic() - began < 5


def test_a_batch_reports_every_image(client, photo, capsys):
    items = {"a.png": (photo, "a wall"), "b.png": (b"no image", "a wall"), "c.png": (photo, "sea")}
    made = client.batch(items, seed=SEED, detail="none", progress=True)
    assert made.images["a.png"].getpixel((64, 48)) == (SEED,) * 3
    assert sorted(made.pngs) == ["a.png", "c.png"] and list(made.errors) == ["b.png"]
    assert len(made.lines) == 3 and "3/3" in capsys.readouterr().err


def test_edits_fill_transparent_pixels(client, photo):
    mask = Image.new("RGBA", photo.size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (40, 30, 72, 62))
    [made] = client.edits(photo, "a wall", mask, seed=SEED, detail="none")
    assert made.getpixel((50, 40)) == (SEED,) * 3 and made.getpixel((39, 40)) == (200, 40, 40)


def test_inpaint_and_batch_take_masks(client, photo):
    mask = Image.new("L", photo.size)
    mask.paste(255, (40, 30, 72, 62))
    made = client.inpaint(photo, "a wall", mask=mask, seed=SEED).image
    assert made.getpixel((50, 40)) == (SEED,) * 3 and made.getpixel((39, 40)) == (200, 40, 40)
    batch = client.batch({"a.png": (photo, "a wall")}, mask=mask, seed=SEED)
    assert batch.images["a.png"].tobytes() == made.tobytes()


def test_models_are_listed(client):
    assert [model["id"] for model in client.models()] == ["stub"]


@pytest.mark.parametrize("kind", [Client, Blocking])
def test_a_service_that_is_away_is_one_error(kind, photo):
    with kind(f"http://127.0.0.1:{free_port()}", attempts=2) as client:
        with pytest.raises(ServiceError, match="cannot be reached") as error:
            client.inpaint(photo, "a wall")
        assert error.value.status == 0
        with pytest.raises(ServiceError, match="cannot be reached"):
            client.wait("0" * 32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Client, Blocking])
def test_a_killed_api_loses_no_request(kind, photo, tmp_path):
    with Cluster(tmp_path, {"AUTH": "off", "RATE_LIMIT": "0"}, seconds=0.5) as cluster:
        api = cluster.api()
        cluster.worker()
        cluster.wait_until_ready()
        results = []

        def call(method):
            with kind(cluster.address, attempts=20) as client:
                if method == "inpaint":
                    results.append(client.inpaint(photo, "a wall", seed=SEED, n=2))
                else:
                    results.append(client.wait(client.submit(photo, "a wall", seed=7, n=4)))

        threads = [threading.Thread(target=call, args=(name,)) for name in ("inpaint", "wait")]
        for thread in threads:
            thread.start()
        assert eventually(cluster.depth)
        api.kill()
        api.wait()
        cluster.api()
        for thread in threads:
            thread.join(60)
    assert sorted(made.seeds[0] for made in results) == [7, SEED]
    stored = {made.job for made in results}
    assert len(stored) == 2


def test_a_key_is_sent(photo, tmp_path):
    with running_service(tmp_path) as (cluster, key):
        with Client(cluster.address, key=key) as client:
            assert client.inpaint(photo, "a wall", seed=SEED).seeds == [SEED]
        with Client(cluster.address) as client, pytest.raises(ServiceError) as refused:
            client.models()
    assert refused.value.status == 401


def test_importing_the_client_imports_no_torch():
    code = (
        "import captionfill, sys; captionfill.Client;"
        "assert not {'torch', 'models', 'numpy'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
