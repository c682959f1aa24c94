"""A network compiled by OpenVINO for a CPU: one image at a time, a thread for each."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, group_norm, layer_norm, normalize, pad
from torch.overrides import TorchFunctionMode

from models.openvino_import import import_openvino, openvino_core


class CompiledNetwork:
    """A network compiled for this CPU. One caller at a time.

    Every row of a batch is computed by one thread with the same kernels: the result depends
    neither on the other rows nor on how many are computed at once.

    Attributes:
        precision: of convolutions and products: `f32`, `bf16` or `f16`.
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
        settings: dict[str, Any] = {
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            # Each worker would pin its threads to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        if exact:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        compiled = openvino_core().compile_model(convert(network, examples), "CPU", settings)
        self.precision: str = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self._shape = tuple(compiled.output(0).shape)[1:]
        # A queue hands each row to another thread, which costs a single row half a millisecond.
        self._request: Any = compiled.create_infer_request() if threads == 1 else None
        self._queue: Any = None
        if threads > 1:
            self._queue = import_openvino().AsyncInferQueue(compiled, threads)

    def __call__(self, *batch: Tensor) -> Tensor:
        """Compute `forward` of a batch, float32 `(N, …)` on the CPU."""
        arrays = [tensor.contiguous().numpy() for tensor in batch]
        count = len(arrays[0])
        rows = [[array[i : i + 1] for array in arrays] for i in range(count)]
        out = np.empty((count, *self._shape), np.float32)
        if self._request is not None:
            for i, row in enumerate(rows):
                out[i] = self._request.infer(row, share_outputs=True)[0][0]
            return torch.from_numpy(out)
        self._queue.set_callback(lambda request, i: _copy_output(request, out, i))
        for i, row in enumerate(rows):
            self._queue.start_async(row, i)
        self._queue.wait_all()
        return torch.from_numpy(out)


def convert(network: nn.Module, examples: Sequence[Tensor]) -> Any:
    """Convert a network to an `openvino.Model` for inputs of the shapes of the examples."""
    shapes = [list(example.shape) for example in examples]
    with torch.no_grad(), warnings.catch_warnings(), _OpenVinoForms():
        # Shapes are traced as constants, as wanted. torch calls its trace out of date, but OpenVINO
        # takes twelve seconds for what replaces it. OpenVINO would check the trace, for which torch
        # loads 100 MB of modules; the engine checks the fills.
        warnings.simplefilter("ignore")
        trace: Callable[..., Any] = torch.jit.trace
        traced = trace(network, tuple(examples), check_trace=False)
        return import_openvino().convert_model(traced, example_input=tuple(examples), input=shapes)


class _OpenVinoForms(TorchFunctionMode):
    """Replaces three operations while a network is traced; the numbers stay the same.

    - A crop by negative padding becomes a slice: OpenVINO's padding cannot crop.
    - A cosine, which OpenVINO does not know, becomes the product of two vectors of length 1.
    - A group norm without weights becomes a layer norm of each group. OpenVINO 2026.4 crashes
      (the process ends by a signal) compiling its own group norm where a product follows it.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is pad and all(int(edge) <= 0 for edge in args[1]):
            return _crop(args[0], [-int(edge) for edge in args[1]])
        if func is group_norm and kwargs.get("weight") is kwargs.get("bias") is None:
            return _norm_groups(args[0], args[1], kwargs["eps"])
        if func is cosine_similarity:
            one, other = (normalize(codes, dim=1, eps=1e-8) for codes in args)
            return (one * other).sum(1)
        return func(*args, **kwargs)


def _crop(x: Tensor, edges: Sequence[int]) -> Tensor:
    """Crop so much before and after, from the last dimension backwards, in the order of `pad`."""
    for back, (before, after) in enumerate(zip(edges[::2], edges[1::2], strict=True), 1):
        x = x.narrow(x.ndim - back, before, int(x.shape[-back]) - before - after)
    return x


def _norm_groups(x: Tensor, groups: int, eps: float) -> Tensor:
    shape = [int(side) for side in x.shape]
    rows = x.reshape(shape[0], groups, -1)
    length = int(rows.shape[-1])
    return layer_norm(rows, (length,), eps=eps).reshape(shape)


def _copy_output(request: Any, out: np.ndarray[Any, Any], i: int) -> None:
    out[i] = request.get_output_tensor(0).data[0]
