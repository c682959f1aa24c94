import asyncio

import pytest

from service.errors.queue import NoSuchBatch
from service.queue.batch_store import BatchEntry, BatchManifest, BatchStore
from service.queue.client import Queue

pytestmark = pytest.mark.server
MINE = BatchManifest(
    "me", [BatchEntry("a\0.png", "job1"), BatchEntry("b", problem={"status": 415})]
)


@pytest.fixture
def with_batches(settings):
    """Run a coroutine function on a store whose manifests are kept for a time."""

    def run(script, keep_seconds=5.0):
        async def main():
            queue = Queue(settings)
            times = {"job_timeout": keep_seconds / 2, "result_seconds": keep_seconds / 2}
            try:
                return await script(BatchStore(queue, settings.model_copy(update=times)))
            finally:
                await queue.close()

        return asyncio.run(main())

    return run


def test_a_manifest_comes_back_as_it_was(with_batches):
    async def script(batches):
        await batches.save(MINE)
        return await batches.load(MINE.id, "me")

    assert with_batches(script) == MINE and MINE.jobs == ["job1"]


def test_batch_is_invisible_to_another_caller(with_batches):
    async def script(batches):
        await batches.save(MINE)
        await batches.load(MINE.id, "you")

    with pytest.raises(NoSuchBatch):
        with_batches(script)


def test_deleted_or_expired_manifest_is_gone(with_batches):
    async def forgotten(batches):
        await batches.save(MINE)
        await batches.forget(MINE)
        await batches.load(MINE.id, "me")

    async def old(batches):
        await batches.save(MINE)
        await asyncio.sleep(0.05)
        await batches.load(MINE.id, "me")

    for script in (forgotten, old):
        with pytest.raises(NoSuchBatch):
            with_batches(script, 0.02 if script is old else 5)
