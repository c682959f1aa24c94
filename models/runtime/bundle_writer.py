"""Writes bundles."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from models.runtime.bundle import halve, load_bundle
from models.runtime.bundle_files import (
    CARD,
    FORMAT,
    SCORER_WEIGHTS,
    WEIGHTS,
    BundleConfig,
    file_digest,
    read_config,
    write_config,
)
from models.runtime.engines import open_engine
from models.runtime.onnx_export import write_onnx
from models.runtime.replace_files import replace_folder


def write_bundle(
    folder: Path,
    generator: nn.Module,
    config: BundleConfig,
    model_card: str,
    scorer: nn.Module | None = None,
    *,
    onnx: bool = True,
) -> str:
    """Write a bundle's files into an empty folder; floating-point weights are halved to float16.

    Args:
        folder: a draft of `replace_folder`, so that an older bundle stays until this is complete.
        generator: its `state_dict` is saved.
        config: goes to `config.json` with the digests of the other files.
        model_card: Markdown, `README.md`.
        scorer: what `config.scorer` describes, or None where that is None.
        onnx: add the networks as ONNX, so that a CPU fills without torch.

    Returns:
        The bundle's digest, `sha256:…`, over all files but the model card.

    Raises:
        OSError: the folder cannot be written.
        EngineError: ONNX cannot express a network, or computes it differently.
    """
    if (scorer is None) != (config.scorer is None):
        raise ValueError("a bundle has a scorer and its description, or neither")
    record = {"format": FORMAT, **asdict(config)}
    record["weights"] = save_weights(folder / WEIGHTS, generator)
    if scorer is None:  # older bundles have no such key, and keep their digest
        del record["scorer"]
    else:
        record["scorer_weights"] = save_weights(folder / SCORER_WEIGHTS, scorer)
    digest = write_config(folder, record)
    (folder / CARD).write_text(model_card, encoding="utf-8")
    return _write_onnx(folder, record) if onnx else digest


def add_onnx(folder: Path) -> str:
    """Add the networks of an older bundle as ONNX, and return the new digest.

    Raises:
        BundleError: no sound bundle there.
        EngineError: ONNX cannot express a network, or computes it differently.
        ReplaceError: the folder cannot be written.
    """
    record = read_config(folder)
    record.pop("onnx", None)
    with replace_folder(folder, ()) as draft:
        for name in (WEIGHTS, SCORER_WEIGHTS):
            if (folder / name).exists():
                (draft / name).write_bytes((folder / name).read_bytes())
        write_config(draft, record)
        return _write_onnx(draft, record)


def _write_onnx(folder: Path, record: dict[str, Any]) -> str:
    record["onnx"] = write_onnx(folder, load_bundle(folder))
    digest = write_config(folder, record)
    open_engine(folder, kind="openvino-f32")  # compares with torch
    return digest


def save_weights(path: Path, network: nn.Module) -> str:
    """Write a network's weights, halved to float16, and return the file's digest."""
    try:
        save_file({k: halve(v) for k, v in network.state_dict().items()}, path)
    except SafetensorError as error:
        raise OSError(f"{path.name}: {error}") from error
    path.chmod(0o644)  # safetensors writes for the owner alone; a service may be another user
    return file_digest(path)
