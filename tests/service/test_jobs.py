from service.jobs import Failure, Job, Result, read_outcome


def as_stored(fields):
    """What Redis hands back: bytes, all of it."""
    values = {k: v if isinstance(v, bytes) else str(v).encode() for k, v in fields.items()}
    return {key.encode(): value for key, value in values.items()}


def test_a_job_comes_back_from_its_fields():
    job = Job.new(bytes(range(256)) * 48, "ein Hund läuft 🐕", 7, 3)
    assert Job.from_fields(job.id, as_stored(job.fields())) == job


def test_an_outcome_comes_back_from_its_fields():
    for outcome in (Result(b"\0\xff", "sha256:1", 2.5, 3.25, 4), Failure("no luck")):
        assert read_outcome(as_stored(outcome.fields())) == outcome


def test_a_job_that_runs_has_no_outcome():
    assert read_outcome(as_stored(Job.new(b"", "a").fields())) is None


def test_seeds_count_up_and_wrap_around():
    assert Job("", b"", "", 2**32 - 2, 3).seeds == [2**32 - 2, 2**32 - 1, 0]


def test_without_a_seed_each_job_has_its_own():
    assert len({Job.new(b"", "a").seed for _ in range(8)}) == 8
