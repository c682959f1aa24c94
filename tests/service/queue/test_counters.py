import pytest

from service.queue.counters import (
    BATCH_BUCKETS,
    SECONDS_BUCKETS,
    Counter,
    Histogram,
    bucket_field,
    count,
    observe,
)

pytestmark = pytest.mark.server


def test_counts_and_observations_add_up_in_one_hash(server, settings):
    key = f"{{{settings.namespace}}}:metrics"
    with server.pipeline() as pipeline:
        count(pipeline, key, Counter.DONE)
        count(pipeline, key, Counter.DONE, 2)
        for size in (1, 3, 4, 100):
            observe(pipeline, key, Histogram.BATCH_SIZE, size, BATCH_BUCKETS)
        pipeline.execute()
    told = {name.decode(): float(value) for name, value in server.hgetall(key).items()}
    assert told == {
        "done": 3,
        "batch_size:le:1": 1,
        "batch_size:le:4": 2,
        "batch_size:le:inf": 1,
        "batch_size:count": 4,
        "batch_size:sum": 108,
    }


@pytest.mark.parametrize(
    ("value", "bound"), [(0, "0.001"), (0.001, "0.001"), (0.0011, "0.0025"), (301, "inf")]
)
def test_a_bucket_holds_its_own_upper_bound(value, bound):
    assert bucket_field("x", SECONDS_BUCKETS, value) == f"x:le:{bound}"


def test_no_counter_has_the_name_of_a_histogram():
    assert not {*Counter} & {*Histogram}
