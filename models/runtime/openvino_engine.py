"""The engine for CPUs: OpenVINO, from a bundle's ONNX or from torch's networks."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file

from models.pixels import Floats
from models.runtime.bundle_files import (
    GENERATOR_ONNX,
    OWNED,
    REFERENCE,
    SCORER_ONNX,
    BundleFiles,
)
from models.runtime.engine import Engine, EngineError
from models.runtime.openvino_network import CompiledNetwork
from models.runtime.sampling import example_inputs

if TYPE_CHECKING:
    from models.runtime.bundle import Bundle

GENERATOR_INPUTS = ("context", "mask", "caption", "noise")
SCORER_INPUTS = ("centre", "caption")
# Largest mean difference from torch in 8-bit levels: in f32, where only the order of sums differs,
# and in a shorter format.
MAX_ERROR = {"f32": 0.01}
MAX_ERROR_SHORT = 2.0
MAX_SCORE_ERROR = 1e-4

Sources = tuple[Any, Any, Mapping[str, Floats]]


class OpenVinoEngine(Engine):
    """The networks compiled for this CPU.

    The generator is computed in the CPU's short format if it has one in hardware (bfloat16 with
    AVX512-BF16 or AMX), unless it is to be exact. The scorer, whose numbers are returned, is
    always exact.
    """

    def __init__(
        self, bundle: "BundleFiles | Bundle", *, exact: bool = False, threads: int = 1
    ) -> None:
        """Compile, and compare with torch's fills.

        Raises:
            EngineError: a network cannot be converted, or its fills differ from torch's.
        """
        self.bundle = bundle
        sources = _files_of(bundle) if isinstance(bundle, BundleFiles) else _traces_of(bundle)
        with sources as (generator, scorer, right):
            self._generator = _compile(generator, GENERATOR_INPUTS, exact, threads)
            self._scorer = scorer and _compile(scorer, SCORER_INPUTS, True, threads)
        self.has_scorer = self._scorer is not None
        self.name = f"openvino-{self._generator.precision}"
        self._check(right)

    def generate(self, *inputs: Floats) -> Floats:
        """Compute the bundle's generator, `(N, 3, 32, 32)`."""
        return self._generator(*inputs)

    def _score(self, centres: Floats, captions: Floats) -> Floats:
        assert self._scorer is not None
        return self._scorer(centres, captions)

    def _check(self, right: Mapping[str, Floats]) -> None:
        """Refuse an engine that computes wrongly on this CPU."""
        config = self.bundle.config
        pixels, inputs = example_inputs(config.caption_dim, config.noise_dim)
        max_error = MAX_ERROR.get(self._generator.precision, MAX_ERROR_SHORT)
        error = float(np.abs(self.generate(*inputs) - right["fills"]).mean()) * 127.5
        if not error <= max_error:  # nor NaN
            raise EngineError(f"{self.name} is {error:.3g} levels from torch, over {max_error:g}")
        if self.has_scorer:
            error = float(np.abs(self.score(pixels, inputs[2]) - right["scores"]).max())
            if not error <= MAX_SCORE_ERROR:
                raise EngineError(f"a score of {self.name} is {error:.3g} from torch's")


@contextmanager
def _files_of(bundle: BundleFiles) -> Iterator[Sources]:
    """Yield generator and scorer as ONNX files, and what torch computed of examples."""
    with _without_links(bundle.folder) as folder:
        scorer = None if bundle.config.scorer is None else str(folder / SCORER_ONNX)
        yield str(folder / GENERATOR_ONNX), scorer, load_file(folder / REFERENCE)


@contextmanager
def _without_links(folder: Path) -> Iterator[Path]:
    """Yield a folder with a bundle's files: a copy where they are symbolic links, as on the Hub.

    OpenVINO does not read weights beside a graph that is a link, or that are one themselves.
    """
    names = [name for name in OWNED if (folder / name).exists()]
    if not any((folder / name).is_symlink() for name in names):
        yield folder
        return
    with TemporaryDirectory(ignore_cleanup_errors=True) as copy:
        for name in names:
            shutil.copyfile(folder / name, Path(copy) / name)
        yield Path(copy)


@contextmanager
def _traces_of(bundle: "Bundle") -> Iterator[Sources]:
    """Yield torch's networks for `_compile`, and what torch computes of examples."""
    from models.runtime import tracing  # noqa: PLC0415
    from models.runtime.torch_engine import reference  # noqa: PLC0415

    generator = tracing.Trace(bundle.generator, tracing.generator_example(bundle))
    scorer = bundle.scorer and tracing.Trace(bundle.scorer, tracing.scorer_example(bundle))
    yield generator, scorer, reference(bundle)


def _compile(model: Any, names: Sequence[str], exact: bool, threads: int) -> CompiledNetwork:
    try:
        source = model if isinstance(model, str) else model.convert()
        return CompiledNetwork(source, names, exact=exact, threads=threads)
    except Exception as error:  # the libraries raise many kinds, of many lines
        first = str(error).strip().partition("\n")[0]
        raise EngineError(f"OpenVINO cannot compute {model}: {first}") from error
