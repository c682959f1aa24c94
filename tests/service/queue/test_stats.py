import pytest

from service.queue.consumer import observe

pytestmark = pytest.mark.server


def test_observations_add_up_in_one_hash(server, settings):
    key = f"{{{settings.namespace}}}:metrics"
    with server.pipeline() as pipeline:
        for size in (1, 3, 4, 100):
            observe(pipeline, key, "batch_size", size)
        pipeline.execute()
    found = {name.decode(): float(value) for name, value in server.hgetall(key).items()}
    assert found == {
        "batch_size:le:1": 1,
        "batch_size:le:4": 2,
        "batch_size:le:inf": 1,
        "batch_size:count": 4,
        "batch_size:sum": 108,
    }


@pytest.mark.parametrize(
    ("value", "bound"), [(0, "0.001"), (0.001, "0.001"), (0.0011, "0.0025"), (301, "inf")]
)
def test_a_bucket_holds_its_own_upper_bound(server, settings, value, bound):
    key = f"{{{settings.namespace}}}:metrics"
    observe(server, key, "model_seconds", value)
    assert server.hget(key, f"model_seconds:le:{bound}") == b"1"
