from dataclasses import replace

from service.queue.jobs import Job, State
from service.queue.task import WINDOW_BYTES, InferenceResult, InferenceTask, TaskSuccess


def as_stored(fields):
    """What Redis hands back: bytes, all of it."""
    values = {k: v if isinstance(v, bytes) else str(v).encode() for k, v in fields.items()}
    return {key.encode(): value for key, value in values.items()}


def test_work_comes_back_from_its_fields():
    task = InferenceTask(
        bytes(range(256)) * 48, "ein Hund läuft 🐕", 7, 3, "eine Katze", "b", "sha256:1", "n", 0.25
    )
    assert InferenceTask.from_fields(as_stored(task.fields())) == task


def test_a_result_comes_back_from_its_fields():
    fill = InferenceResult(b"\0\xff", [7, 8], "m", "sha256:1", b"\1", [0.5, -0.25], True)
    result = TaskSuccess(fill, 2.5, 3.25, 4)
    assert TaskSuccess.from_fields(as_stored(result.fields())) == result
    found = replace(result, fill=replace(fill, unknown=True))
    assert TaskSuccess.from_fields(as_stored(found.fields())) == found


def test_fingerprint_of_equal_work_covers_every_part():
    task = InferenceTask(b"w", "a", 1)
    others = [
        InferenceTask(b"v", "a", 1),
        InferenceTask(b"w", "b", 1),
        InferenceTask(b"w", "a", 2),
        InferenceTask(b"w", "a", 1, 2),
        InferenceTask(b"w", "a", 1, 1, "b"),
        InferenceTask(b"w", "a", 1, model="m"),
        InferenceTask(b"w", "a", 1, model_version="d"),
        InferenceTask(b"w", "a", 1, nonce="n"),
        InferenceTask(b"w", "a", 1, temperature=0.5),
    ]
    assert InferenceTask(b"w", "a", 1).id == task.id
    assert len({one.id for one in [task, *others]}) == 10


def test_seeds_count_up_and_wrap_around():
    assert InferenceTask(b"", "", 2**32 - 2, 3).seeds == [2**32 - 2, 2**32 - 1, 0]


def test_a_comparison_is_twice_the_images():
    window = bytes(WINDOW_BYTES)
    assert InferenceTask(window, "a", 1, 3).images == 3
    assert InferenceTask(window, "a", 1, 3, "b").images == 6


def test_each_job_has_an_id_of_its_own():
    assert Job(InferenceTask(b"", "a", 1)).id != Job(InferenceTask(b"", "a", 1)).id


def test_a_job_ends_done_failed_cancelled_or_expired():
    assert [state for state in State if not state.is_end] == [State.QUEUED, State.RUNNING]
