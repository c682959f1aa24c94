"""Which arithmetic is fast here: bfloat16 where there is hardware for it, else single precision."""

from contextlib import AbstractContextManager

import torch

FP32, BF16, AUTO = "fp32", "bf16", "auto"


def has_bf16(device: str) -> bool:
    """Return whether a kind of device (`cpu`, `cuda`) computes bfloat16 itself.

    A processor without it takes it apart, and convolves seven times as slowly as in single
    precision.
    """
    if device == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return device == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def pick_precision(precision: str, device: str) -> str:
    """Return `fp32` or `bf16`; `auto` is the latter where it is fast."""
    if precision != AUTO:
        return precision
    return BF16 if has_bf16(device) else FP32


def autocast(precision: str, device: str) -> AbstractContextManager[None]:
    """Return a precision as a context."""
    enabled = pick_precision(precision, device) == BF16
    context: AbstractContextManager[None] = torch.autocast(device, torch.bfloat16, enabled=enabled)
    return context
