"""How many processes and threads the machine has use for, within the limits of a container.

A worker fills several images at a time, a thread each; its networks are held once in memory.
"""

import logging
import math
import os
from pathlib import Path

log = logging.getLogger("captionfill.settings")

_CGROUP = Path("/sys/fs/cgroup")
_THREADS_A_WORKER = 8  # beyond that, one process that hands out images is the bottleneck
_WORKER_BYTES = 2 * 2**30
_MOST_IMAGE_THREADS = 8


def usable_cores(cgroup: Path = _CGROUP) -> int:
    """Return the cores that this process may use: its affinity, and the CPU quota of its cgroup."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _cpu_quota(cgroup)
    return max(1, min(cores or 1, math.ceil(quota) if quota else cores or 1))


def usable_memory(cgroup: Path = _CGROUP) -> int:
    """Return the bytes of memory of the machine, or of the limit of this process's cgroup."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = (_number(cgroup / name) for name in ("memory.max", "memory/memory.limit_in_bytes"))
    return min([whole, *(limit for limit in limits if limit)])


def default_workers(cores: int | None = None, memory: int | None = None) -> int:
    """Return how many workers fit: one for eight cores, each with two GiB of memory."""
    free = _model_cores(usable_cores() if cores is None else cores)
    most = (usable_memory() if memory is None else memory) // _WORKER_BYTES
    return max(1, min(math.ceil(free / _THREADS_A_WORKER), most))


def default_threads(workers: int, cores: int | None = None) -> int:
    """Return how many images each worker fills at a time: one core is left to API and queue."""
    free = _model_cores(usable_cores() if cores is None else cores)
    return min(_THREADS_A_WORKER, max(1, free // workers))


def default_image_threads(cores: int | None = None) -> int:
    """Return how many images the API decodes or encodes at a time."""
    return min(_MOST_IMAGE_THREADS, max(2, usable_cores() if cores is None else cores))


def log_machine(**chosen: int) -> None:
    """Log what the machine has, and the numbers that were set or derived from it."""
    facts = {"cores": usable_cores(), "memory_mib": usable_memory() // 2**20}
    log.info("machine", extra={**facts, **chosen})


def _model_cores(cores: int) -> int:
    return max(1, cores - 1)


def _cpu_quota(cgroup: Path) -> float | None:
    """Return the cores of a quota, by cgroup version 2 or 1; None without one."""
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        quota_us, period_us = (_number(cgroup / f"cpu/cpu.cfs_{name}_us")
                               for name in ("quota", "period"))  # fmt: skip
        return quota_us / period_us if quota_us and period_us else None


def _number(place: Path) -> int | None:
    """Return the positive number in a file; None for any other content, or without the file."""
    try:
        found = int(place.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return found if found > 0 else None
