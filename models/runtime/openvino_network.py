"""A network compiled by OpenVINO for a CPU: one image at a time, a thread for each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.openvino_import import import_openvino, openvino_core
from models.pixels import Floats


class CompiledNetwork:
    """A network compiled for this CPU. One caller at a time.

    Every row of a batch is computed by one thread with the same kernels: the result depends
    neither on the other rows nor on how many are computed at once.

    Attributes:
        precision: of convolutions and products: `f32`, `bf16` or `f16`.
    """

    def __init__(self, model: Any, names: Sequence[str], *, exact: bool, threads: int) -> None:
        """Compile.

        Args:
            model: an `openvino.Model`, or an ONNX file, for batches of one row.
            names: of the arguments. A model has its inputs in this order; an ONNX file may lack
                those that the network does not read.
            exact: compute in float32 even where the CPU has a shorter format in hardware.
            threads: how many rows are computed at one time.
        """
        settings: dict[str, Any] = {
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            # Each worker would pin its threads to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        if exact:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        compiled = openvino_core().compile_model(model, "CPU", settings)
        self.precision: str = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self._shape = tuple(compiled.output(0).shape)[1:]
        self._inputs = _input_order(compiled, names)
        # A queue hands each row to another thread, which costs a single row half a millisecond.
        self._request: Any = compiled.create_infer_request() if threads == 1 else None
        self._queue: Any = None
        if threads > 1:
            self._queue = import_openvino().AsyncInferQueue(compiled, threads)

    def __call__(self, *batch: NDArray[Any]) -> Floats:
        """Compute the network for a batch, float32 `(N, …)`."""
        arrays = [np.ascontiguousarray(batch[i]) for i in self._inputs]
        count = len(batch[0])
        rows = [[array[i : i + 1] for array in arrays] for i in range(count)]
        out = np.empty((count, *self._shape), np.float32)
        if self._request is not None:
            for i, row in enumerate(rows):
                out[i] = self._request.infer(row, share_outputs=True)[0][0]
            return out
        self._queue.set_callback(lambda request, i: _copy_output(request, out, i))
        for i, row in enumerate(rows):
            self._queue.start_async(row, i)
        self._queue.wait_all()
        return out


def _input_order(compiled: Any, names: Sequence[str]) -> list[int]:
    """Return which argument each input of a compiled model takes."""
    given = [next(iter(one.names), "") for one in compiled.inputs]
    if set(given) <= set(names):
        return [names.index(name) for name in given]
    return list(range(len(names)))


def _copy_output(request: Any, out: Floats, i: int) -> None:
    out[i] = request.get_output_tensor(0).data[0]
