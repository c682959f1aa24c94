"""Order of the pictures: pure functions of a seed and the index of a batch.

A lane is one of the parallel read positions of a streamed set; a batch has rows of every lane.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def epoch_rows(count: int, share: int, index: int, seed: int) -> Tensor:
    """Return the rows of a batch from a set that is shuffled in each epoch."""
    positions = torch.arange(index * share, (index + 1) * share)
    rows = torch.empty(share, dtype=torch.long)
    for epoch in torch.unique(positions // count).tolist():
        here = positions // count == epoch
        rows[here] = permutation(count, mix_seed(seed, epoch))[positions[here] % count]
    return rows


def lane_rows(blocks: Tensor, lanes: Tensor, index: int, seed: int) -> Tensor:
    """Return the rows of a batch from a set that is read block by block.

    In each epoch the blocks are shuffled, concatenated and divided into one section for each lane.
    A lane reads its section in order, with the rows of each block shuffled. So every row comes
    once an epoch, a batch mixes as many blocks as there are lanes, and a reader of some lanes reads
    only the blocks of these.

    Args:
        blocks: number of rows of each block, `(blocks,)`.
        lanes: lane of each column of the batch, `(share,)`, from 0.
        index: of the batch.
        seed: of the order.
    """
    share, total = len(lanes), int(blocks.sum())
    if not share:
        return lanes
    columns = torch.zeros(share + 1, int(lanes.max()) + 1, dtype=torch.long)
    columns[1:] = torch.nn.functional.one_hot(lanes, columns.shape[1]).cumsum(0)

    def count_before(position: int) -> Tensor:
        """Number of positions before this one in each lane."""
        return position // share * columns[-1] + columns[position % share]

    positions = torch.arange(index * share, (index + 1) * share)
    rows = torch.empty(share, dtype=torch.long)
    for epoch in torch.unique(positions // total).tolist():
        here = positions // total == epoch
        before, after = count_before(epoch * total), count_before((epoch + 1) * total)
        starts = (after - before).cumsum(0) - (after - before)
        so_far = index * columns[-1][lanes[here]] + columns[positions[here] % share, lanes[here]]
        places = starts[lanes[here]] + so_far - before[lanes[here]]
        rows[here] = block_rows(blocks, places, mix_seed(seed, epoch))
    return rows


def block_rows(blocks: Tensor, places: Tensor, seed: int) -> Tensor:
    """Return the rows at positions of an epoch with shuffled blocks and shuffled rows in them."""
    order = permutation(len(blocks), seed)
    ends = blocks[order].cumsum(0)
    first = blocks.cumsum(0) - blocks
    which = torch.searchsorted(ends, places, right=True)
    rows = torch.empty_like(places)
    for number in which.unique().tolist():
        here, block = which == number, int(order[number])
        inner = permutation(int(blocks[block]), mix_seed(seed, block + 1))
        rows[here] = first[block] + inner[places[here] - ends[number] + blocks[block]]
    return rows


def lane_order(count: int, lanes: int, rng: torch.Generator) -> Tensor:
    """Shuffle the columns of a batch within their lanes (column modulo `lanes`), `(count,)`.

    Neighbours come from different lanes. Every `n`-th row, `n` a divisor of `lanes`, comes from the
    same lanes in every batch.
    """
    columns = [i + lanes * torch.randperm(count // lanes, generator=rng) for i in range(lanes)]
    return torch.stack(columns, dim=1).flatten()


def split_batch(counts: Sequence[int], batch_size: int, balance: float) -> list[int]:
    """Split a batch over sets in proportion to `count ** balance`, by largest remainders."""
    weights = [count**balance for count in counts]
    exact = [batch_size * w / sum(weights) for w in weights]
    whole = [int(e) for e in exact]
    by_remainder = sorted(range(len(counts)), key=lambda i: whole[i] - exact[i])
    for i in by_remainder[: batch_size - sum(whole)]:
        whole[i] += 1
    return whole


def permutation(count: int, seed: int) -> Tensor:
    """Return a random permutation; about 1 ms for 50,000, so nothing is cached."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def mix_seed(seed: int, index: int) -> int:
    """Hash a seed and an index to a seed for torch (splitmix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + index * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return (z ^ (z >> 31)) >> 1
