"""The networks in a process of their own."""

import os
import signal
import threading
from multiprocessing import Pipe

import pytest

from captionfill.errors import StartError
from service.queue.task import InferenceResult, InferenceTask
from service.worker.model_process import (
    ModelCrashedError,
    ModelProcess,
    TaskError,
    receive_results,
    receive_tasks,
    send_results,
    send_tasks,
)
from service.worker.predictor import Predictor
from tests.reliability.harness.stub_worker import StubModelProcess


def task(seed, **options):
    return InferenceTask(bytes(12288), "a cat", seed, **options)


@pytest.fixture(scope="module")
def model(tiny_bundle):
    model = ModelProcess([tiny_bundle], "cpu", 60)
    yield model
    model.close()


def test_work_goes_through_a_connection_whole():
    tasks = [task(1), InferenceTask(bytes(range(256)) * 48, "ein Hund 🐕", 2, 3, "b", "m", "d")]
    there, here = Pipe()
    send_tasks(there, tasks)
    assert receive_tasks(here) == tasks


def test_fills_and_failures_keep_their_place():
    fills = [
        InferenceResult(b"\1" * 6, [1, 2], "m", "d", b"\2" * 6, [0.5, 0.25], True),
        ValueError("no"),
        InferenceResult(b"\3" * 3, [4], "m", "d", scores=[]),
    ]
    there, here = Pipe()
    send_results(there, fills)
    first, failed, last = receive_results(here)
    assert (first, last) == (fills[0], fills[2])
    assert isinstance(failed, TaskError) and str(failed) == "ValueError: no"


@pytest.mark.slow
def test_the_process_fills_as_its_predictor_would(model, tiny_bundle):
    tasks = [task(1), task(2, count=3, other="two dogs")]
    there, here = model.predict(tasks), Predictor.load([tiny_bundle]).predict(tasks)
    assert [fill.fills + fill.others for fill in there] == [f.fills + f.others for f in here]
    assert (model.default, list(model.models)) == ("tiny", ["tiny"])


@pytest.mark.slow
def test_a_bad_piece_fails_alone_there_too(model):
    good, bad = model.predict([task(1), task(2, model="nobody")])
    assert isinstance(good, InferenceResult) and isinstance(bad, TaskError)


def test_unusable_bundle_is_one_clear_line(tmp_path):
    with pytest.raises(StartError, match="no bundle at"):
        ModelProcess([tmp_path], "cpu", 60)


def stub_process(seconds):
    """A process that holds the stub model: it starts at once, and replies as any other."""
    return StubModelProcess([], "0", seconds)


def test_crash_midway_is_reported_with_its_exit_reason():
    model = stub_process(60)
    os.kill(model._process.pid, signal.SIGSTOP)
    threading.Timer(0.3, lambda: os.kill(model._process.pid, signal.SIGKILL)).start()
    with pytest.raises(ModelCrashedError, match="signal 9"):
        model.predict([task(1)])
    model.close()


def test_a_model_that_hangs_is_ended():
    model = stub_process(0.3)
    os.kill(model._process.pid, signal.SIGSTOP)
    with pytest.raises(ModelCrashedError, match=r"over 0\.3 s"):
        model.predict([task(1)])
    assert model._process.poll() is not None
    model.close()


def test_the_process_ends_with_its_worker():
    model = stub_process(60)
    model._connection.close()  # as the kernel does when the worker is killed
    assert model._process.wait(60) == 0
