"""Which errors of a computation are the device's and not the input's: by kind, else by message.

Most come as a plain RuntimeError, so that the message is all there is to go by. Sources: PyTorch's
c10/cuda/CUDAException.cpp and c10/core/impl/alloc_cpu.cpp, the CUDA runtime's list of errors, the
status codes of cuBLAS and cuDNN, and OpenCL's as OpenVINO's GPU plugin tells them.
"""

import re

_OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|not enough memory|cannot allocate memory"
    r"|_STATUS_ALLOC_FAILED|CL_MEM_OBJECT_ALLOCATION_FAILURE|bad_alloc",
    re.IGNORECASE,
)
# All of these stay: whatever the process computes from then on fails with the same error.
_DEVICE = re.compile(
    r"\b(CUDA|HIP|cuBLAS|cuDNN|cuFFT|cuSPARSE|cuRAND|NVRTC|MPS|XPU|NCCL)( driver| runtime)? error"
    r"|\b(CUBLAS|CUDNN|CUFFT|CUSPARSE|CUSOLVER)_STATUS_|device-side assert"
    r"|illegal (memory access|instruction)|uncorrectable ECC|unspecified launch failure"
    r"|no CUDA(-capable device|\s+GPUs)|CL_(OUT_OF_RESOURCES|DEVICE_NOT_AVAILABLE|INVALID_CONTEXT)",
    re.IGNORECASE,
)
# By name, since the worker's own process, which reads this module too, does without torch.
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
