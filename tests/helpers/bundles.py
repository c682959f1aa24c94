"""Bundles written as `captionfill-train export` writes them."""

from pathlib import Path
from typing import Any

from models.runtime.bundle_files import OWNED
from models.runtime.bundle_writer import write_bundle
from models.runtime.replace_files import replace_folder


def save_bundle(folder: Path, *parts: Any, onnx: bool = False) -> str:
    """Write a bundle in the place of an older one, and return its digest."""
    with replace_folder(folder, OWNED) as draft:
        return write_bundle(draft, *parts, onnx=onnx)
