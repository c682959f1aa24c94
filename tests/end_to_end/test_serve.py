"""`captionfill serve`, as a newcomer meets it."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.end_to_end.running import start_service
from tests.helpers.waiting import eventually

pytestmark = [pytest.mark.server, pytest.mark.slow]
in_proc = pytest.mark.skipif(
    not Path("/proc").is_dir(), reason="processes are counted in /proc"
)  # fmt: skip


def ready(service):
    try:
        return httpx.get(f"{service.address}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def processes_of(service):
    """Every process that works in the service's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(service.folder):
                found.append(int(process.name))
    return found


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl to paste the line to")
def test_the_printed_line_works_as_pasted(service):
    command = service.line.split("try: ")[1]
    subprocess.run(command, shell=True, cwd=service.folder, check=True, capture_output=True)
    assert Image.open(service.folder / "filled.png").size == (256, 256)


def test_the_service_is_ready_once_it_says_so(service):
    assert ready(service)


def names(service):
    """What each process of the service runs, by its id."""
    return {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in processes_of(service)}


def is_whole(service):
    """Whether there are a supervisor, a queue, an API, a worker and its model, and it is ready."""
    return len(processes_of(service)) == 5 and ready(service)


@pytest.fixture(scope="module")
def shared(tiny_bundle, tmp_path_factory):
    """What the tests that ill-treat a service have in common: it takes long to start."""
    started = []

    def start():
        if not started or started[-1].process.poll() is not None:
            started.append(start_service(tmp_path_factory.mktemp("battered"), tiny_bundle))
        return started[-1]

    yield start
    for service in started:
        if service.process.poll() is None:
            assert service.stop() == 0


@pytest.fixture
def battered(shared):
    """A service to be ill-treated, whole again after the last time."""
    service = shared()
    assert eventually(lambda: is_whole(service), pause=0.2)
    return service


def fill(service):
    picture = (service.folder / ".captionfill" / "example.png").read_bytes()
    form = {"caption": "the sun"}
    return httpx.post(f"{service.address}/inpaint", files={"image": picture}, data=form, timeout=60)


@in_proc
def test_embedded_server_restarts_with_accepted_jobs(battered):
    later = {"Prefer": "respond-async"}
    picture = (battered.folder / ".captionfill" / "example.png").read_bytes()
    accepted = httpx.post(f"{battered.address}/inpaint", files={"image": picture},
                          data={"caption": "the sun"}, headers=later)  # fmt: skip
    [server] = [pid for pid, line in names(battered).items() if "valkey-server" in line]
    os.kill(server, signal.SIGKILL)
    result = f"{battered.address}{accepted.headers['location']}/result"
    assert eventually(lambda: httpx.get(result, timeout=30).status_code == 200, pause=0.2)
    assert fill(battered).status_code == 200


@in_proc
def test_sighup_replaces_api_and_workers_and_nobody_notices(battered):
    before = {pid for pid, line in names(battered).items() if "service.cli.main" in line}
    battered.process.send_signal(signal.SIGHUP)
    statuses = []

    def replaced():
        statuses.append(fill(battered).status_code)
        now = {pid for pid, line in names(battered).items() if "service.cli.main" in line}
        return len(now) == len(before) and len(now & before) == 1  # the supervisor itself

    assert eventually(replaced, pause=0.2) and set(statuses) == {200}


@in_proc
def test_a_killed_worker_comes_back(battered):
    first = battered.worker_pid()
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: battered.worker_pid() != first, pause=0.2)
    assert eventually(lambda: is_whole(battered), pause=0.2) and fill(battered).status_code == 200


@in_proc
def test_ctrl_c_leaves_no_process(battered):
    assert battered.stop() == 0
    assert processes_of(battered) == []


def test_missing_bundle_exits_with_one_line(tmp_path):
    service = start_service(tmp_path, tmp_path / "nowhere")
    assert (service.line, service.process.wait(60)) == ("", 1)
    [line] = (tmp_path / "serve.err").read_text().splitlines()
    assert line.startswith("captionfill: the worker ended: no bundle at")
    assert processes_of(service) == []
