"""Hands a run its batches, made on the way or ahead of time by worker processes."""

import itertools
import multiprocessing
import signal
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from training.common import distributed
from training.data.batches import Batch, BatchSource


class Parts(Dataset[Batch]):
    """A rank's rows of batch 0, 1, 2, …, each batch in so many parts one after the other.

    A loader hands its work round, so a worker gets the same part of every batch: the same lanes
    of a streamed set, and reads no block that another one reads.
    """

    def __init__(self, source: BatchSource, first: int, step: int, parts: int) -> None:
        self.source, self.first, self.step, self.parts = source, first, step, parts

    def __getitem__(self, number: int) -> Batch:
        index, part = divmod(number, self.parts)
        rows = slice(self.first + part * self.step, None, self.parts * self.step)
        return self.source.batch(index, rows)


class Loader:
    """Batches by index, this rank's rows of them.

    With workers, batches are made ahead in the order of their indices; another one than the next
    starts them anew. What is in a batch does not depend on the workers, only when it is there.

    Args:
        source: where batches come from.
        workers: processes that make them; 0 makes them here, when they are asked for.
    """

    def __init__(self, source: BatchSource, workers: int) -> None:
        rows = source.batch_size // distributed.world_size()
        self.workers = min(workers, rows)
        self.parts = Parts(
            source, distributed.rank(), distributed.world_size(), max(self.workers, 1)
        )
        self.next = -1
        self.coming: Iterator[Batch] = iter(())

    def batch(self, index: int) -> Batch:
        """Return this rank's rows of a batch."""
        if not self.workers:
            return self.parts[index]
        if index != self.next:
            self.start(index)
        self.next = index + 1
        return interleave([next(self.coming) for _ in range(self.workers)])

    def start(self, index: int) -> None:
        """Let workers make the batches from this one on."""
        self.close()
        # A plain fork hangs where pyarrow's threads hold locks; a server that has only imported
        # is forked instead.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        loader = DataLoader(
            self.parts,
            batch_size=None,
            sampler=itertools.count(index * self.workers),  # type: ignore[arg-type]
            num_workers=self.workers,
            multiprocessing_context=context,
            worker_init_fn=hold_signals,
            # Of its own: a number drawn from torch's would change the run.
            generator=torch.Generator(),
        )
        self.coming = iter(loader)

    def close(self) -> None:
        """End the workers."""
        self.next, self.coming = -1, iter(())


def interleave(parts: list[Batch]) -> Batch:
    """Put together a batch of which part *i* has every n-th row from the *i*-th on."""
    if len(parts) == 1:
        return parts[0]
    fields = []
    for pieces in zip(*parts, strict=True):
        whole = pieces[0].new_empty(sum(map(len, pieces)), *pieces[0].shape[1:])
        for number, piece in enumerate(pieces):
            whole[number :: len(pieces)] = piece
        fields.append(whole)
    return Batch(*fields)


def hold_signals(_worker: int) -> None:
    """Leave Ctrl-C and SIGTERM to the trainer, which needs its batches to finish the step."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
