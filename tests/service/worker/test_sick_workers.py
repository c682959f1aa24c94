"""Devices and bundles that fail, beside ones that do not."""

import threading
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from captionfill.device_errors import is_device_error, is_out_of_memory
from captionfill.errors import StartError
from service.api.app import create_app
from service.config.settings import Settings
from service.queue.jobs import Job
from service.queue.task import WINDOW_BYTES, InferenceTask, TaskSuccess
from service.worker.model_manager import CircuitBreaker
from service.worker.model_process import DeviceError, ModelCrashedError, ModelProcess
from tests.helpers.service.queueing import new, outcome, outcomes, put
from tests.helpers.service.stub_model import HANGING_SEED, StubModel
from tests.helpers.waiting import eventually
from tests.reliability.harness.stub_worker import StubModelProcess

pytestmark = pytest.mark.server

CUDA = "CUDA error: device-side assert triggered"


class Sick(StubModel):
    """Fails at everything, in one of several ways, until ``cured`` is set."""

    def __init__(self, how, cured):
        super().__init__()
        self.how, self.cured = how, cured
        if how == "start" and Sick.loaded and not cured.is_set():
            raise StartError("no CUDA GPUs are available")
        Sick.loaded = True

    def predict(self, tasks):
        if self.cured.is_set():
            return super().predict(tasks)
        if self.how == "answers":
            return [ValueError("it fails at everything")] * len(tasks)
        raise {"device": DeviceError, "start": DeviceError, "signal": ModelCrashedError}.get(
            self.how, ValueError
        )(CUDA)


@pytest.fixture
def hire(hire, monkeypatch):
    """Start workers that probe and send heartbeats every 0.1 s."""
    monkeypatch.setattr("service.worker.model_manager._FIRST_PAUSE", 0.1)
    monkeypatch.setattr("service.worker.maintenance._HEARTBEAT_SECONDS", 0.1)
    Sick.loaded = False
    return hire


KINDS = ["answers", "device", "signal", "start", "raises"]


@pytest.mark.parametrize("how", KINDS)
def test_sick_worker_beside_a_healthy_one_loses_nothing(settings, hire, how):
    wide = settings.model_copy(update={"queue_limit": 300})
    hire(lambda: Sick(how, threading.Event()))
    hire(lambda: StubModel(0.002))
    assert [type(one) for one in outcomes(wide, *range(1000, 1200))] == [TaskSuccess] * 200


@pytest.mark.parametrize("how", KINDS)
def test_sick_worker_resumes_once_cured(settings, hire, how):
    cured = threading.Event()
    worker = hire(lambda: Sick(how, cured))
    [job] = put(settings, *new())
    assert eventually(lambda: worker._manager.facts()["unhealthy"])
    cured.set()
    assert isinstance(outcome(settings, job, 20), TaskSuccess)
    assert eventually(lambda: not worker._manager.facts()["unhealthy"])


def test_readiness_names_what_is_unhealthy(settings, hire):
    cured = threading.Event()
    hire(lambda: Sick("device", cured))
    put(settings, *new())
    with TestClient(create_app(settings)) as client:
        assert eventually(lambda: CUDA in client.get("/readyz").json().get("detail", ""))
        assert client.get("/readyz").status_code == 503
        hire(StubModel)
        assert eventually(lambda: client.get("/readyz").status_code == 200)
        ready = client.get("/readyz").json()
        assert ready["workers"] == 1 and CUDA in ready["unhealthy"][0]["reason"]


def test_failures_at_the_limit_lengthen_the_pause():
    clock = SimpleNamespace(now=0.0)
    health = CircuitBreaker(2, lambda: clock.now)
    health.record_failure(["m"], "first")
    assert health.unhealthy == {}
    pauses = []
    for _ in range(8):
        health.record_failure(["m"], "again")
        assert health.unhealthy == {"m": "again"} and not health.probe_due("m")
        before = clock.now
        while not health.probe_due("m"):
            clock.now += 0.5
        pauses.append(clock.now - before)
        health.half_open("m")
        assert health.unhealthy == {}
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    health.record_success("m")
    health.record_failure(["m"], "once")
    assert health.unhealthy == {}


@pytest.mark.parametrize(
    "message",
    [CUDA, "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might",
     "CUDA error: uncorrectable ECC error", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
     "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(handle)`",
     "HIP error: invalid device function", "CUDA error: unspecified launch failure",
     "No CUDA GPUs are available", "[GPU] clFinish, error code: -5 CL_OUT_OF_RESOURCES"],
)  # fmt: skip
def test_errors_of_the_device_are_known(message):
    assert is_device_error(RuntimeError(message)) and not is_out_of_memory(RuntimeError(message))


@pytest.mark.parametrize(
    "message",
    ["CUDA out of memory. Tried to allocate 20.00 MiB", "CUDA error: out of memory",
     "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried",
     "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"],
)  # fmt: skip
def test_a_lack_of_memory_is_known(message):
    assert is_out_of_memory(RuntimeError(message)) and not is_device_error(RuntimeError(message))


@pytest.mark.parametrize("message", ["shapes (1, 2) and (3, 4)", "index 7 is out of bounds"])
def test_an_error_of_the_input_is_neither(message):
    error = ValueError(message)
    assert not is_device_error(error) and not is_out_of_memory(error)


class Failing(ModelProcess):
    module = "tests.service.worker.failing_model"

    def __init__(self, message):
        self._timeout = 60
        self._start([message])


@pytest.mark.parametrize("how", ["raise", "return"])
def test_device_error_ends_the_model_process(how):
    model = Failing(f"{how}:{CUDA}")
    with pytest.raises(DeviceError, match="device-side assert"):
        model.predict([InferenceTask(bytes(WINDOW_BYTES), "a", 1)])
    assert model._process.poll() == 0
    model.close()


@pytest.fixture
def api(settings):
    with TestClient(create_app(settings)) as client:
        yield client


def test_a_reload_without_workers_is_not_done(api):
    for answer in (api.post("/admin/reload"), api.get("/admin/reload")):
        body = answer.json()
        assert (body["done"], body["state"]) == (False, "no-workers")


def test_failed_reload_is_reported_with_its_reason(api, hire):
    tries = []

    def load():
        tries.append(1)
        if len(tries) > 1:
            raise StartError("the bundle is damaged")
        return StubModel()

    hire(load)
    assert eventually(lambda: api.get("/admin/reload").json()["state"] == "done")
    assert api.post("/admin/reload").json()["state"] in ("loading", "failed")
    assert eventually(lambda: api.get("/admin/reload").json()["state"] == "failed")
    body = api.get("/admin/reload").json()
    assert not body["done"] and body["workers"][0]["error"] == "the bundle is damaged"
    assert body["workers"][0]["generation"] < body["generation"]


def test_reload_is_complete_once_every_worker_has_it(api, hire):
    release = threading.Event()
    loads = []

    def slow():
        loads.append(1)
        if len(loads) > 1:
            release.wait(20)
        return StubModel()

    hire(slow)
    hire(StubModel)
    assert eventually(lambda: len(api.get("/admin/reload").json()["workers"]) == 2)
    api.post("/admin/reload")
    assert eventually(
        lambda: [w["generation"] for w in api.get("/admin/reload").json()["workers"]].count(1) == 1
    )
    assert api.get("/admin/reload").json()["state"] == "loading"
    release.set()
    assert eventually(lambda: api.get("/admin/reload").json()["done"])


@pytest.mark.slow
def test_tasks_beside_a_hanging_input_finish_in_time(settings, hire):
    settings = Settings(
        redis_url=settings.redis_url, namespace=settings.namespace, request_timeout=20
    )
    seeds = [HANGING_SEED, *range(1000, 1007)]
    jobs = [Job(InferenceTask(bytes(WINDOW_BYTES), "a cat", seed), seconds=20) for seed in seeds]
    put(settings, *jobs)
    hire(lambda: StubModelProcess([], "0", settings.batch_timeout))
    waited = [outcome(settings, job, settings.request_timeout) for job in jobs[1:]]
    assert [type(one) for one in waited] == [TaskSuccess] * 7
