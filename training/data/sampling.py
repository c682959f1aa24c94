"""Which pictures come when: pure functions of a seed and a batch's index, nothing is remembered."""

from collections.abc import Sequence

import torch
from torch import Tensor


def epoch_rows(count: int, share: int, index: int, seed: int) -> Tensor:
    """Return the rows a batch takes from a set that is shuffled anew each epoch."""
    positions = torch.arange(index * share, (index + 1) * share)
    rows = torch.empty(share, dtype=torch.long)
    for epoch in torch.unique(positions // count).tolist():
        here = positions // count == epoch
        rows[here] = shuffled(count, mix(seed, epoch))[positions[here] % count]
    return rows


def lane_rows(blocks: Tensor, lanes: Tensor, index: int, seed: int) -> Tensor:
    """Return the rows a batch takes from a set that is read block by block.

    An epoch is a fresh order of the blocks, laid end to end and cut into one stretch a lane; a
    lane goes through its stretch in order, each block's rows shuffled. So every row comes once an
    epoch, a batch mixes as many blocks as there are lanes, and who needs the rows of some lanes
    alone reads those lanes' blocks alone.

    Args:
        blocks: rows in each block, `(blocks,)`.
        lanes: the lane of each of the batch's columns, `(share,)`, 0 and up.
        index: of the batch.
        seed: of the order.
    """
    share, total = len(lanes), int(blocks.sum())
    if not share:
        return lanes
    columns = torch.zeros(share + 1, int(lanes.max()) + 1, dtype=torch.long)
    columns[1:] = torch.nn.functional.one_hot(lanes, columns.shape[1]).cumsum(0)

    def met(position: int) -> Tensor:
        """How many of the positions before this one were in each lane."""
        return position // share * columns[-1] + columns[position % share]

    positions = torch.arange(index * share, (index + 1) * share)
    rows = torch.empty(share, dtype=torch.long)
    for epoch in torch.unique(positions // total).tolist():
        here = positions // total == epoch
        before, after = met(epoch * total), met((epoch + 1) * total)
        starts = (after - before).cumsum(0) - (after - before)
        so_far = index * columns[-1][lanes[here]] + columns[positions[here] % share, lanes[here]]
        places = starts[lanes[here]] + so_far - before[lanes[here]]
        rows[here] = block_rows(blocks, places, mix(seed, epoch))
    return rows


def block_rows(blocks: Tensor, places: Tensor, seed: int) -> Tensor:
    """Return the rows at places of an epoch whose blocks, and rows within them, are shuffled."""
    order = shuffled(len(blocks), seed)
    ends = blocks[order].cumsum(0)
    first = blocks.cumsum(0) - blocks
    which = torch.searchsorted(ends, places, right=True)
    rows = torch.empty_like(places)
    for number in which.unique().tolist():
        here, block = which == number, int(order[number])
        inner = shuffled(int(blocks[block]), mix(seed, block + 1))
        rows[here] = first[block] + inner[places[here] - ends[number] + blocks[block]]
    return rows


def lane_order(count: int, lanes: int, rng: torch.Generator) -> Tensor:
    """Shuffle a batch's columns, each within its lane (column modulo `lanes`), `(count,)`.

    So neighbours come from different lanes, and every `n`-th row, `n` a divisor of `lanes`, from
    the same ones in every batch.
    """
    columns = [i + lanes * torch.randperm(count // lanes, generator=rng) for i in range(lanes)]
    return torch.stack(columns, dim=1).flatten()


def shares(counts: Sequence[int], batch_size: int, balance: float) -> list[int]:
    """Split a batch over sets of so many pictures, in proportion to `count ** balance`.

    Largest remainders go up.
    """
    weights = [count**balance for count in counts]
    exact = [batch_size * w / sum(weights) for w in weights]
    whole = [int(e) for e in exact]
    by_remainder = sorted(range(len(counts)), key=lambda i: whole[i] - exact[i])
    for i in by_remainder[: batch_size - sum(whole)]:
        whole[i] += 1
    return whole


def shuffled(count: int, seed: int) -> Tensor:
    """Return an order of `count` rows; about 1 ms for 50,000, so nothing is kept."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def mix(seed: int, index: int) -> int:
    """Turn a seed and an index into a seed for torch, far from its neighbours' (splitmix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + index * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return (z ^ (z >> 31)) >> 1
