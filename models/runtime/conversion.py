"""torch network -> OpenVINO network, in the forms that OpenVINO's CPU kernels can take."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, group_norm, layer_norm, normalize, pad
from torch.overrides import TorchFunctionMode

from models.openvino_import import import_openvino


class _Forms(TorchFunctionMode):
    """Writes three things otherwise while a network is traced; the numbers stay the same.

    - A crop by negative padding becomes a slice: OpenVINO pads, and cannot crop so.
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
    """Leave out so much before and after, from the last dimension backwards, as `pad` counts."""
    for back, (before, after) in enumerate(zip(edges[::2], edges[1::2], strict=True), 1):
        x = x.narrow(x.ndim - back, before, int(x.shape[-back]) - before - after)
    return x


def _norm_groups(x: Tensor, groups: int, eps: float) -> Tensor:
    shape = [int(side) for side in x.shape]
    rows = x.reshape(shape[0], groups, -1)
    length = int(rows.shape[-1])
    return layer_norm(rows, (length,), eps=eps).reshape(shape)


def convert(network: nn.Module, examples: Sequence[Tensor]) -> Any:
    """Convert a network for inputs of just these shapes.

    Args:
        network: in eval mode, on the CPU.
        examples: one tensor for each argument of `forward`.

    Returns:
        An `openvino.Model`, with the arguments of `forward` as inputs, in their order.

    Raises:
        Exception: whatever OpenVINO or torch raise where they cannot.
    """
    openvino = import_openvino()
    shapes = [list(example.shape) for example in examples]
    with torch.no_grad(), warnings.catch_warnings(), _Forms():
        # Shapes are traced as constants, which is what is wanted. torch calls its trace out of
        # date, but OpenVINO takes twelve seconds over what replaces it. Left to OpenVINO the trace
        # would be checked, for which torch loads 100 MB of modules; the engine checks the answers.
        warnings.simplefilter("ignore")
        trace: Callable[..., Any] = torch.jit.trace
        traced = trace(network, tuple(examples), check_trace=False)
        return openvino.convert_model(traced, example_input=tuple(examples), input=shapes)
