"""Traces of torch's networks, for OpenVINO and for ONNX."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, group_norm, layer_norm, normalize, pad
from torch.overrides import TorchFunctionMode

from models.openvino_import import import_openvino
from models.pixels import HOLE, SIZE
from models.runtime.bundle import Bundle


@dataclass(frozen=True)
class Trace:
    """A network that is still to be traced; its name is that of its class."""

    network: nn.Module
    examples: Sequence[Tensor]

    def __str__(self) -> str:
        return type(self.network).__name__

    def convert(self) -> Any:
        """Trace for OpenVINO: an `openvino.Model`."""
        return convert(self.network, self.examples)


def generator_example(bundle: Bundle) -> tuple[Tensor, ...]:
    """Return arguments of a bundle's generator, of one row."""
    picture, caption = torch.zeros(1, 3, SIZE, SIZE), torch.zeros(1, bundle.config.caption_dim)
    return picture, picture[:, :1], caption, torch.zeros(1, bundle.config.noise_dim)


def scorer_example(bundle: Bundle) -> tuple[Tensor, ...]:
    """Return arguments of a bundle's scorer, of one row."""
    return torch.zeros(1, 3, HOLE, HOLE), torch.zeros(1, bundle.config.caption_dim)


def convert(network: nn.Module, examples: Sequence[Tensor]) -> Any:
    """Convert a network to an `openvino.Model` for inputs of the shapes of the examples."""
    shapes = [list(example.shape) for example in examples]
    with traceable():
        # torch calls its trace out of date, but OpenVINO takes twelve seconds for what replaces it.
        # OpenVINO would check the trace, for which torch loads 100 MB of modules; the engine checks
        # the fills.
        trace: Callable[..., Any] = torch.jit.trace
        traced = trace(network, tuple(examples), check_trace=False)
        return import_openvino().convert_model(traced, example_input=tuple(examples), input=shapes)


@contextmanager
def traceable() -> Iterator[None]:
    """Let networks be traced in forms that OpenVINO computes, and without warnings.

    Shapes are traced as constants, as wanted.
    """
    with torch.no_grad(), warnings.catch_warnings(), _PortableForms():
        warnings.simplefilter("ignore")
        yield


class _PortableForms(TorchFunctionMode):
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
