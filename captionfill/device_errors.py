"""Classify errors of a computation: out of memory, a failed device, or the input's own.

Most are a plain RuntimeError, so that only the message tells them apart. Sources: PyTorch's
c10/cuda/CUDAException.cpp and c10/core/impl/alloc_cpu.cpp, the error list of the CUDA runtime, the
status codes of cuBLAS and cuDNN, and the OpenCL codes in messages of OpenVINO's GPU plugin.
"""

import re

_OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|not enough memory|cannot allocate memory"
    r"|_STATUS_ALLOC_FAILED|CL_MEM_OBJECT_ALLOCATION_FAILURE|bad_alloc",
    re.IGNORECASE,
)
# None of these passes: every later computation of the process fails with the same error.
_DEVICE = re.compile(
    r"\b(CUDA|HIP|cuBLAS|cuDNN|cuFFT|cuSPARSE|cuRAND|NVRTC|MPS|XPU|NCCL)( driver| runtime)? error"
    r"|\b(CUBLAS|CUDNN|CUFFT|CUSPARSE|CUSOLVER)_STATUS_|device-side assert"
    r"|illegal (memory access|instruction)|uncorrectable ECC|unspecified launch failure"
    r"|no CUDA(-capable device|\s+GPUs)|CL_(OUT_OF_RESOURCES|DEVICE_NOT_AVAILABLE|INVALID_CONTEXT)",
    re.IGNORECASE,
)
# By name: the worker's process imports this module without torch.
_DEVICE_KINDS = {"AcceleratorError"}
_MEMORY_KINDS = {"OutOfMemoryError", "MemoryError", "OutOfMemory"}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller computation may succeed on the same device."""
    return bool(_kinds(error) & _MEMORY_KINDS or _OUT_OF_MEMORY.search(str(error)))


def is_device_error(error: BaseException) -> bool:
    """Whether the device failed, so that the process that used it can compute nothing any more."""
    if is_out_of_memory(error):
        return False
    return bool(_kinds(error) & _DEVICE_KINDS or _DEVICE.search(str(error)))


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
