"""Run functions in processes of their own, alone or as ranks of one training."""

import multiprocessing
import os

from tests.helpers.ports import free_port

# Neither a plain fork, which hangs where pyarrow's threads hold locks, nor a fresh interpreter,
# which imports torch anew each time: a server that has only imported is forked.
context = multiprocessing.get_context("forkserver")
# torch._dynamo is what the first optimizer would import, for seconds.
context.set_forkserver_preload(["training.trainer.run", "accelerate", "torch._dynamo"])
SECONDS = 120


def run_ranks(target, *args, count=2):
    """Call a function on each of `count` ranks; return the processes' exit codes."""
    port = free_port()
    ranks = [
        context.Process(target=as_rank, args=(r, count, port, target, args)) for r in range(count)
    ]
    return finish(ranks)


def finish(processes):
    """Run processes to their ends, within bounds."""
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=SECONDS)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    return codes


def as_rank(rank, count, port, target, args):
    import torch

    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    target(*args)


def answer(target, *args):
    """Return what a function returns in a fresh process."""
    queue = context.SimpleQueue()
    process = context.Process(target=tell, args=(queue, target, args))
    process.start()
    found = queue.get()
    process.join(timeout=SECONDS)
    return found


def tell(queue, target, args):
    queue.put(target(*args))
