"""Distributed training: the processes (ranks) that torchrun or accelerate launch start.

With a single process every function here does nothing.

Gradients are averaged by hand, after `backward`, and not by DistributedDataParallel. DDP wants one
forward call for each backward; here a discriminator is called several times before one, through
`score_features` too, which is no `forward`, and a gradient penalty differentiates twice.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from training.common.console import is_main_process, print_stderr
from training.common.errors import RunError, TrainingError


def init_process_group(device: str, batch_size: int) -> None:
    """Join the process group, where a launcher has started several; each rank has its own GPU.

    Raises:
        RunError: the batch cannot be split evenly.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if batch_size % processes:
        raise RunError(f"run.batch_size {batch_size} cannot be split evenly over {processes} ranks")
    if processes == 1 or dist.is_initialized():
        return
    # Heavy to import; a single process does not need it.
    from accelerate import PartialState  # noqa: PLC0415

    cpu = device == "cpu" or not torch.cuda.is_available()
    # Objects are sent through the CPU, gradients from GPU to GPU.
    PartialState(cpu=cpu, backend="gloo" if cpu else "cuda:nccl,cpu:gloo")


def world_size() -> int:
    """Return the number of ranks."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return this process's rank, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


@contextmanager
def translate_dist_errors() -> Iterator[None]:
    """Raise `RunError` where torch reports that another rank is gone."""
    try:
        yield
    except RuntimeError as error:
        raise RunError(f"rank {rank()}: another rank is gone or does not answer") from error


def mean_over_ranks(figures: Mapping[str, float]) -> dict[str, float]:
    """Return metrics averaged over ranks, equal on all; NaN and infinity remain."""
    if world_size() == 1 or not figures:
        return dict(figures)
    values = torch.tensor(list(figures.values()), dtype=torch.float64)
    with translate_dist_errors():
        dist.all_reduce(values)
    return dict(zip(figures, (values / world_size()).tolist(), strict=True))


def any_rank(flag: bool) -> bool:
    """Return whether a flag is set on any rank."""
    return mean_over_ranks({"flag": float(flag)})["flag"] > 0


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace each gradient by its mean over ranks, in one all-reduce."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if world_size() == 1 or not gradients:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    with translate_dist_errors():
        dist.all_reduce(flat)
    parts = torch.split(flat / world_size(), [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view(gradient.shape))


def shard_rows(whole: Callable[[int], Tensor], rows: int) -> Tensor:
    """Sample rows for the whole batch, and return this rank's.

    All ranks' generators have the same state, so the rows are those of a single process.
    """
    return whole(rows * world_size())[rank() :: world_size()]


def all_rows(own: Tensor) -> Tensor:
    """Gather all ranks' rows in the order of the batch, without a gradient."""
    if world_size() == 1:
        return own
    parts = [torch.empty_like(own) for _ in range(world_size())]
    with translate_dist_errors():
        dist.all_gather(parts, own.contiguous())
    return torch.stack(parts, dim=1).flatten(0, 1)


def broadcast_bytes(data: bytes) -> bytes:
    """Return rank 0's bytes on every rank."""
    size = torch.tensor([len(data)])
    with translate_dist_errors():
        dist.broadcast(size, 0)
        text = torch.empty(int(size), dtype=torch.uint8)
        if rank() == 0 and data:
            text.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        dist.broadcast(text, 0)
    return text.numpy().tobytes()


def run_on_rank0(function: Callable[[], Any]) -> Any:
    """Call a function on rank 0, and return its result, which must be JSON, on every rank.

    Raises:
        TrainingError: as `function` raised it.
    """
    if world_size() == 1:
        return function()
    answer, raised = {}, None
    if is_main_process():
        try:
            answer = {"found": function()}
        except TrainingError as error:
            answer, raised = {"error": str(error)}, error
    answer = json.loads(broadcast_bytes(json.dumps(answer).encode()))
    if "error" in answer:
        raise raised or RunError(answer["error"])
    return answer["found"]


def convert_sync_bn(network: nn.Module, device: torch.device) -> nn.Module:
    """Convert batch norms to synchronised ones, which only CUDA has."""
    normed = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())
    if world_size() == 1 or not normed:
        return network
    if device.type == "cuda":
        convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
        return convert(network)
    if is_main_process():
        print_stderr(
            f"{type(network).__name__}: on a CPU each rank's batch norm sees its own rows alone"
        )
    return network
