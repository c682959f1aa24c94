"""Loader of batches, made in this process or ahead of time by worker processes."""

import itertools
import multiprocessing
import signal
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from training.common import distributed
from training.data.batches import Batch, BatchSource


class BatchParts(Dataset[Batch]):
    """A rank's rows of batches 0, 1, 2, …, each batch divided into `parts` items.

    `DataLoader` assigns items in turn, so that a worker gets the same part of every batch: the
    same lanes of a streamed set. No two workers read the same block.
    """

    def __init__(self, source: BatchSource, first: int, step: int, parts: int) -> None:
        self.source, self.first, self.step, self.parts = source, first, step, parts

    def __getitem__(self, number: int) -> Batch:
        index, part = divmod(number, self.parts)
        rows = slice(self.first + part * self.step, None, self.parts * self.step)
        return self.source.batch(index, rows)


class Loader:
    """Batches by index, with the rows of this rank.

    Workers make batches ahead in the order of their indices; a request out of order restarts
    them. The content of a batch does not depend on the workers. Without workers this process makes
    batches on request.
    """

    def __init__(self, source: BatchSource, workers: int) -> None:
        rows = source.batch_size // distributed.world_size()
        self.workers = min(workers, rows)
        self.parts = BatchParts(
            source, distributed.rank(), distributed.world_size(), max(self.workers, 1)
        )
        self.next = -1
        self.iterator: Iterator[Batch] = iter(())

    def batch(self, index: int) -> Batch:
        """Return this rank's rows of a batch."""
        if not self.workers:
            return self.parts[index]
        if index != self.next:
            self.start(index)
        self.next = index + 1
        return interleave([next(self.iterator) for _ in range(self.workers)])

    def start(self, index: int) -> None:
        """Start workers that make batches from this index on."""
        self.close()
        # A plain fork can deadlock with pyarrow's threads; the fork server only imports modules.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        loader = DataLoader(
            self.parts,
            batch_size=None,
            sampler=itertools.count(index * self.workers),
            num_workers=self.workers,
            multiprocessing_context=context,
            worker_init_fn=ignore_signals,
            # A separate generator: drawing from torch's global one would change the run.
            generator=torch.Generator(),
        )
        self.iterator = iter(loader)

    def close(self) -> None:
        """End the workers."""
        self.next, self.iterator = -1, iter(())


def interleave(parts: list[Batch]) -> Batch:
    """Join n parts of a batch; part i has rows i, i + n, i + 2n and so on."""
    if len(parts) == 1:
        return parts[0]
    fields = []
    for pieces in zip(*parts, strict=True):
        whole = pieces[0].new_empty(sum(map(len, pieces)), *pieces[0].shape[1:])
        for number, piece in enumerate(pieces):
            whole[number :: len(pieces)] = piece
        fields.append(whole)
    return Batch(*fields)


def ignore_signals(_worker: int) -> None:
    """Ignore SIGINT and SIGTERM in workers: the trainer needs batches to finish its step."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
