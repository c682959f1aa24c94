"""The queue from both sides, for tests."""

import asyncio
from itertools import count

from service.queue.client import Queue
from service.queue.jobs import Job, Priority
from service.queue.task import WINDOW_BYTES, InferenceResult, InferenceTask, TaskSuccess

RESULT = TaskSuccess(InferenceResult(b"\0" * 3072, [1], "m", "sha256:x", scores=[]), 1.0, 2.0, 1)
ALL = [(Priority.INTERACTIVE, 100), (Priority.BATCH, 100)]
_seeds = count(1000)


def new(number=1, **options):
    """Jobs, each with work of its own."""
    return [
        Job(InferenceTask(bytes(WINDOW_BYTES), "a cat", next(_seeds)), seconds=60, **options)
        for _ in range(number)
    ]


def with_queue(settings, action):
    """Run `action(queue)` on an event loop of its own."""

    async def run():
        queue = Queue(settings)
        try:
            return await action(queue)
        finally:
            await queue.close()

    return asyncio.run(run())


def put(settings, *jobs):
    async def action(queue):
        for job in jobs:
            await queue.put(job)

    with_queue(settings, action)
    return jobs


async def wait_for(queue, job, seconds=60.0):
    with queue.notifier.subscribe(job.task.id) as completion:
        completion.set()
        return await queue.wait(job.id, seconds, completion)


def outcome(settings, job, seconds=60.0):
    return with_queue(settings, lambda queue: wait_for(queue, job, seconds))


def outcomes(settings, *seeds, **options):
    """Queue one job a seed, all at once, and wait for every outcome."""
    jobs = [
        Job(InferenceTask(bytes(WINDOW_BYTES), "a cat", seed), seconds=60, **options)
        for seed in seeds
    ]

    async def run(queue):
        for job in jobs:
            await queue.put(job)
        return await asyncio.gather(*(wait_for(queue, job) for job in jobs))

    return with_queue(settings, run)


def state(settings, job):
    return with_queue(settings, lambda queue: queue.status(job.id)).state
