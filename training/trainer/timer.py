"""How long a process has worked."""

import time

import torch


def work_clock(device: torch.device) -> float:
    """Return a reading in seconds; only differences mean anything.

    On a CPU it is processor time over torch's threads, so that what else runs on the machine costs
    nothing: runs of equal time are equal work. On another device, which that says nothing of, it is
    wall time.
    """
    if device.type == "cpu":
        return time.process_time() / torch.get_num_threads()
    return time.perf_counter()
