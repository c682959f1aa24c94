"""A network as OpenVINO runs it on a CPU: one picture at a time, a thread for each."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.openvino_import import import_openvino
from models.runtime.conversion import convert


class CompiledNetwork:
    """A network compiled for this CPU. One caller at a time.

    Every row of a batch is a request of its own, computed by one thread with the same kernels:
    what it gives depends neither on its neighbours nor on how many are computed at once.

    Attributes:
        precision: what its convolutions and products are computed in: `f32`, `bf16` or `f16`.
    """

    def __init__(
        self, network: nn.Module, examples: Sequence[Tensor], *, exact: bool, threads: int
    ) -> None:
        """Convert and compile.

        Args:
            network: in eval mode, on the CPU.
            examples: one tensor of one row for each argument of `forward`.
            exact: compute in float32 even where the CPU has a shorter format in hardware.
            threads: how many rows are computed at one time.
        """
        openvino = import_openvino()
        settings: dict[str, Any] = {
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            # Each worker would pin its threads to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        if exact:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        model = convert(network, examples)
        compiled = _core().compile_model(model, "CPU", settings)
        self.precision: str = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self._shape = tuple(compiled.output(0).shape)[1:]
        # A queue hands each row to another thread, which costs a lone one half a millisecond.
        self._alone: Any = compiled.create_infer_request() if threads == 1 else None
        self._queue: Any = openvino.AsyncInferQueue(compiled, threads) if threads > 1 else None

    def __call__(self, *batch: Tensor) -> Tensor:
        """Compute a batch.

        Args:
            batch: what `forward` takes, float32 `(N, …)` on the CPU.

        Returns:
            float32 `(N, …)`.
        """
        arrays = [tensor.contiguous().numpy() for tensor in batch]
        count = len(arrays[0])
        rows = [[array[i : i + 1] for array in arrays] for i in range(count)]
        out = np.empty((count, *self._shape), np.float32)
        if self._alone is not None:
            for i, row in enumerate(rows):
                out[i] = self._alone.infer(row, share_outputs=True)[0][0]
            return torch.from_numpy(out)
        self._queue.set_callback(lambda request, i: _keep(request, out, i))
        for i, row in enumerate(rows):
            self._queue.start_async(row, i)
        self._queue.wait_all()
        return torch.from_numpy(out)


def _keep(request: Any, out: np.ndarray[Any, Any], i: int) -> None:
    out[i] = request.get_output_tensor(0).data[0]


@cache
def _core() -> Any:
    return import_openvino().Core()
