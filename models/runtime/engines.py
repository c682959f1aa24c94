"""Loads engines, which compute a bundle's fills: OpenVINO on a CPU, torch on any device.

torch is imported only where it computes.
"""

import importlib.util
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from models.errors import ModelsError
from models.openvino_import import is_installed
from models.runtime.bundle_files import BundleError, BundleFiles, read_bundle
from models.runtime.engine import Engine, EngineError
from models.runtime.openvino_engine import OpenVinoEngine

if TYPE_CHECKING:
    from models.runtime.bundle import Bundle

Kind = Literal["auto", "torch", "openvino", "openvino-f32"]
KINDS: tuple[str, ...] = get_args(Kind)

# Of NVIDIA, the same under WSL, and AMD.
GPU_DRIVERS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")

log = logging.getLogger("captionfill.engine")


def open_engine(folder: Path, device: str = "cpu", kind: str = "auto", threads: int = 1) -> Engine:
    """Load a bundle on an engine; without torch where OpenVINO fills and the bundle has ONNX.

    Args:
        folder: of the bundle.
        device: as torch names it.
        kind: see `load_engine`.
        threads: see `load_engine`.

    Raises:
        BundleError: no sound bundle there, or the device cannot be used.
        EngineError: the engine cannot be used, or needs torch, which is not installed.
    """
    files = read_bundle(folder)
    _check_kind(kind)
    if device == "cpu" and kind != "torch" and files.has_onnx and is_installed():
        engine = _compiled(files, kind, threads)
        if engine is not None:
            return engine
    if not _has_torch():
        raise _torch_missing(files, device, kind)
    # Here and below: torch takes seconds and a gigabyte, and is not always there.
    from models.runtime.bundle import load_bundle  # noqa: PLC0415

    return load_engine(load_bundle(folder, device), kind, threads)


def load_engine(bundle: "Bundle", kind: str = "auto", threads: int = 1) -> Engine:
    """Load an engine for a bundle whose networks torch has loaded.

    Args:
        bundle: on its device.
        kind: `torch`; `openvino`, in the CPU's own best format; `openvino-f32`, closest to torch;
            `auto` for `openvino` where the bundle is on a CPU, OpenVINO is installed and the
            network can be converted, else `torch`.
        threads: how many images OpenVINO computes at one time, a thread each. It changes no bit.

    Raises:
        EngineError: the engine was requested by name and is not available.
    """
    from models.runtime.torch_engine import TorchEngine  # noqa: PLC0415

    _check_kind(kind)
    torch_engine = TorchEngine(bundle)
    if kind == "torch" or (kind == "auto" and not _suits(torch_engine.device)):
        return torch_engine
    if not is_installed():
        raise EngineError(f"engine {kind!r} needs the package openvino")
    if torch_engine.device != "cpu":
        raise EngineError(f"OpenVINO fills on a CPU here, not on {torch_engine.device}")
    return _compiled(bundle, kind, threads) or torch_engine


def move_engine(engine: Engine, device: str, kind: str = "auto", threads: int = 1) -> Engine:
    """Return the engine of a kind on another device, for the same bundle.

    Raises:
        BundleError, EngineError: see `open_engine`.
        RuntimeError, AssertionError: torch's, where there is no such device.
    """
    if isinstance(engine.bundle, BundleFiles):
        return open_engine(engine.bundle.folder, device, kind, threads)
    from models.runtime.bundle import Bundle  # noqa: PLC0415

    assert isinstance(engine.bundle, Bundle)
    for network in filter(None, (engine.bundle.generator, engine.bundle.scorer)):
        network.to(device)
    return load_engine(engine.bundle, kind, threads)


def default_device() -> str:
    """Return `cuda` where torch is installed and finds a GPU, else `cpu`.

    On Linux torch is only asked where a driver of a GPU is loaded.
    """
    has_driver = sys.platform != "linux" or any(Path(place).exists() for place in GPU_DRIVERS)
    if not has_driver or not _has_torch():
        return "cpu"
    import torch  # noqa: PLC0415

    return "cuda" if torch.cuda.is_available() else "cpu"


def _compiled(bundle: "BundleFiles | Bundle", kind: str, threads: int) -> Engine | None:
    """Compile for this CPU; None, with a warning, where `auto` may take torch instead."""
    try:
        return OpenVinoEngine(bundle, exact=kind == "openvino-f32", threads=threads)
    except EngineError as error:
        if kind != "auto" or not _has_torch():
            raise
        reason = {"bundle": bundle.config.name, "reason": str(error)}
        log.warning("OpenVINO cannot fill by this bundle, torch will, slower", extra=reason)
        return None


def _suits(device: str) -> bool:
    return is_installed() and device == "cpu"


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise EngineError(f"no engine is called {kind!r}; there are: {', '.join(KINDS)}")


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def _torch_missing(files: BundleFiles, device: str, kind: str) -> ModelsError:
    """Say why a bundle needs torch, which is not installed."""
    remedy = "torch, which is not installed: pip install 'captionfill[gpu]'"
    if device != "cpu":
        return BundleError(f"device {device} needs {remedy}")
    if kind == "torch" or not is_installed():
        return EngineError(f"without the package openvino the engine is {remedy}"
                           if kind != "torch" else f"engine 'torch' needs {remedy}")  # fmt: skip
    return BundleError(
        f"bundle {files.config.name!r} carries no ONNX, as older bundles do not, so it needs "
        f"{remedy}, or `captionfill-train onnx {files.folder}` where torch is"
    )
