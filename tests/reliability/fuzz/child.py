"""Runner of one fuzzing target: tries inputs in forked processes and survives their crashes.

`python -m tests.reliability.fuzz.child TARGET SEED INPUTS STALL FOLDER` writes a JSON line an
input to stdout. An input that broke something is kept in the folder, whoever died of it.
"""

import json
import mmap
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from captionfill.errors import CaptionfillError
from tests.reliability.fuzz.mutations import MOST_BYTES, make_input
from tests.reliability.fuzz.seeds import SEEDS
from tests.reliability.fuzz.targets import TARGETS

# CPU seconds of one input: other load on the machine is not the decoder's.
MOST_SECONDS = 1.0
_MOST_FINDINGS = 20


class Held:
    """The input that is tried, in memory that outlives the process that tries it."""

    def __init__(self) -> None:
        self._room = mmap.mmap(-1, 16 + MOST_BYTES)

    def put(self, index: int, data: bytes) -> None:
        self._room[16 : 16 + len(data)] = data
        self._room[:16] = index.to_bytes(8, "big") + len(data).to_bytes(8, "big")

    def get(self) -> tuple[int, bytes]:
        size = int.from_bytes(self._room[8:16], "big")
        return int.from_bytes(self._room[:8], "big"), self._room[16 : 16 + size]


def run_input(target: str, data: bytes) -> dict[str, Any]:
    """Try an input; whatever is not the service's own error is a fault."""
    start, fault = time.process_time(), ""
    try:
        outcome = TARGETS[target][0](data)
    except CaptionfillError as error:
        outcome = error.slug
        fault = "internal error" if error.status >= 500 else ""
    except BaseException as error:  # the very thing that is looked for
        outcome, fault = "fault", f"{type(error).__name__}: {error}"[:200]
    seconds = round(time.process_time() - start, 4)
    if seconds > MOST_SECONDS:
        fault = fault or f"{seconds} s"
    return {"outcome": outcome, "fault": fault, "seconds": seconds}


class Trial:
    """Inputs of one target, tried by processes that may die of them."""

    def __init__(self, target: str, seed: int, stall: float, folder: Path) -> None:
        self._target, self._seed, self._stall, self._folder = target, seed, stall, folder
        self._seeds = SEEDS[TARGETS[target][1]]()
        self._held = Held()

    def run(self, inputs: int) -> None:
        """Try inputs 0 to ``inputs``, with a new process after each that died."""
        start, deaths = 0, 0
        while start < inputs and deaths < _MOST_FINDINGS:
            self._held.put(start, b"")
            process = os.fork()
            if process == 0:
                self._try(range(start, inputs))
                os._exit(0)
            _, status = os.waitpid(process, 0)
            if status == 0:
                return
            start, deaths = self._record_crash(status) + 1, deaths + 1

    def _try(self, numbers: Sequence[int]) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # it ends a process that hangs in C, too
        for index in numbers:
            data, ways = make_input(self._seed, index, self._seeds)
            self._held.put(index, data)
            signal.setitimer(signal.ITIMER_REAL, self._stall)
            self._print_result(index, data, {"ways": ways, **run_input(self._target, data)})

    def _record_crash(self, status: int) -> int:
        """Tell of a process that died, and of what."""
        index, data = self._held.get()
        code = os.waitstatus_to_exitcode(status)
        fault = "hang" if code == -signal.SIGALRM else f"exit {code}"
        self._print_result(
            index, data, {"ways": [], "outcome": "death", "fault": fault, "seconds": 0}
        )
        return index

    def _print_result(self, index: int, data: bytes, message: dict[str, Any]) -> None:
        if message["fault"]:
            message["kept"] = f"{self._target}-{self._seed}-{index}.bin"
            (self._folder / message["kept"]).write_bytes(data)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"index": index, "peak_kib": peak, **message}), flush=True)


def main(target: str, seed: str, inputs: str, stall: str, folder: str) -> None:
    Trial(target, int(seed), float(stall), Path(folder)).run(int(inputs))


if __name__ == "__main__":
    main(*sys.argv[1:])
