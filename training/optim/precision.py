"""Precision: bfloat16 where the hardware has it, else float32."""

from contextlib import AbstractContextManager
from typing import Literal

import torch

Precision = Literal["fp32", "bf16", "auto"]


def has_bf16(device: str) -> bool:
    """Return whether a kind of device (`cpu`, `cuda`) computes bfloat16 itself.

    A processor without it takes it apart, and convolves seven times as slowly as in single
    precision.
    """
    if device == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return device == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def pick_precision(precision: Precision, device: str) -> Literal["fp32", "bf16"]:
    """Return `fp32` or `bf16`; `auto` is `bf16` where the device computes it itself."""
    if precision != "auto":
        return precision
    return "bf16" if has_bf16(device) else "fp32"


def autocast(precision: Precision, device: str) -> AbstractContextManager[None]:
    """Return a precision as a context."""
    enabled = pick_precision(precision, device) == "bf16"
    context: AbstractContextManager[None] = torch.autocast(device, torch.bfloat16, enabled=enabled)
    return context
