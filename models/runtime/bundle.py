"""Bundles: what inference needs, as safetensors and JSON, named by a digest."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from models.captions import CaptionEncoder, EncoderError
from models.errors import ModelsError
from models.frozen.scorers import SCORERS
from models.generators import GENERATORS

FORMAT = 1
WEIGHTS, CONFIG, CARD = "generator.safetensors", "config.json", "README.md"
SCORER_WEIGHTS = "scorer.safetensors"
OWNED = (WEIGHTS, CONFIG, CARD, SCORER_WEIGHTS)  # the files of an older bundle that are replaced
DEFAULT_BUNDLE = Path(__file__).parents[1] / "weights" / "default"


class BundleError(ModelsError):
    """A bundle is missing, damaged, or made for something else."""


@dataclass(frozen=True)
class BundleConfig:
    """Everything but the weights.

    Attributes:
        generator: a name in `models.generators.GENERATORS`, with its `settings`.
        encoder: the sentence encoder's name.
        encoder_fingerprint: `sha256:…` of the encoder's weights; another encoder is refused.
        training: where the weights come from (recipe, data digests, steps), for readers.
        scorer: a name in `models.frozen.scorers.SCORERS` as `kind`, and its `settings`; None for
            a bundle without one.
    """

    name: str
    generator: str
    settings: dict[str, Any]
    encoder: str
    encoder_fingerprint: str
    caption_dim: int
    noise_dim: int
    training: dict[str, Any]
    scorer: dict[str, Any] | None = None


@dataclass(frozen=True)
class Bundle:
    """Networks ready for inference (eval mode, float32), and their config.

    Attributes:
        digest: `sha256:…` over weights and config.
        scorer: scores how well a fill fits a caption (`models.frozen.scorers`), if there is one.
    """

    generator: nn.Module
    config: BundleConfig
    digest: str
    scorer: nn.Module | None = None

    def check_encoder(self, encoder: CaptionEncoder) -> None:
        """Refuse an encoder whose vectors this generator was not trained on.

        Raises:
            EncoderError: the fingerprints differ.
        """
        if encoder.fingerprint != self.config.encoder_fingerprint:
            raise EncoderError(
                f"bundle {self.config.name!r} was trained with encoder {self.config.encoder!r} "
                f"({self.config.encoder_fingerprint[:19]}…), not with {encoder.name!r} "
                f"({encoder.fingerprint[:19]}…)"
            )


def write_bundle(
    folder: Path,
    generator: nn.Module,
    config: BundleConfig,
    model_card: str,
    scorer: nn.Module | None = None,
) -> str:
    """Write a bundle's files into an empty folder; floating-point weights are halved to float16.

    Args:
        folder: a draft of `replace_folder`, so that an older bundle stays until this is complete.
        generator: its `state_dict` is saved.
        config: goes to `config.json` with the digests of the weights.
        model_card: Markdown, `README.md`.
        scorer: what `config.scorer` describes, or None where that is None.

    Returns:
        The bundle's digest, `sha256:…`, over weights and config.

    Raises:
        OSError: the folder cannot be written.
    """
    if (scorer is None) != (config.scorer is None):
        raise ValueError("a bundle has a scorer and its description, or neither")
    record = {"format": FORMAT, **asdict(config)}
    record["weights"] = save_weights(folder / WEIGHTS, generator)
    if scorer is None:  # older bundles have no such key, and keep their digest
        del record["scorer"]
    else:
        record["scorer_weights"] = save_weights(folder / SCORER_WEIGHTS, scorer)
    digest = config_digest(record)
    text = json.dumps({**record, "digest": digest}, indent=2, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    (folder / CARD).write_text(model_card, encoding="utf-8")
    return digest


def load_bundle(folder: Path, device: str = "cpu") -> Bundle:
    """Read a bundle and check that it is complete.

    Raises:
        BundleError: a file is missing or damaged, the digest does not fit, a network is unknown
            to this version, or the device cannot be used.
    """
    record = read_config(folder)
    check_weights(folder, WEIGHTS, record.pop("weights", None))
    if record.get("scorer") is not None:
        check_weights(folder, SCORER_WEIGHTS, record.pop("scorer_weights", None))
    digest = str(record.pop("digest"))
    record.pop("format")
    scorer = None
    try:
        config = BundleConfig(**record)
        generator = load_weights(folder / WEIGHTS, GENERATORS[config.generator](config.settings))
        if config.scorer is not None:
            scorer = SCORERS[config.scorer["kind"]](config.scorer["settings"])
            scorer = load_weights(folder / SCORER_WEIGHTS, scorer)
    except (TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise BundleError(f"bundle {folder} does not fit this version: {error}") from error
    try:
        return Bundle(generator.to(device), config, digest, scorer and scorer.to(device))
    except (AssertionError, RuntimeError) as error:  # torch without CUDA fails an assertion
        raise BundleError(f"device {device} cannot be used: {error}") from error


def save_weights(path: Path, network: nn.Module) -> str:
    """Write a network's weights, halved to float16, and return the file's digest."""
    try:
        save_file({k: halve(v) for k, v in network.state_dict().items()}, path)
    except SafetensorError as error:
        raise OSError(f"{path.name}: {error}") from error
    path.chmod(0o644)  # safetensors writes for the owner alone; a service may be another user
    return file_digest(path)


def load_weights(path: Path, network: nn.Module) -> nn.Module:
    """Fill a network with saved weights as float32, ready for inference."""
    weights = {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def check_weights(folder: Path, name: str, digest: str | None) -> None:
    """Raise `BundleError` where a weights' file is missing or has another digest."""
    if not (folder / name).is_file():
        raise BundleError(f"no bundle at {folder}: {name} is missing")
    if file_digest(folder / name) != digest:
        raise BundleError(f"bundle {folder} is damaged: {name} does not fit its digest")


def read_config(folder: Path) -> dict[str, Any]:
    """Read `config.json` and check its own digest.

    Raises:
        BundleError: missing, not JSON, of another format, or changed after it was written.
    """
    try:
        record = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"no bundle at {folder}: {CONFIG}: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise BundleError(f"bundle {folder} is not of format {FORMAT}")
    if config_digest({k: v for k, v in record.items() if k != "digest"}) != record.get("digest"):
        raise BundleError(f"bundle {folder} is damaged: {CONFIG} does not fit its digest")
    return record


def config_digest(record: dict[str, Any]) -> str:
    """Hash a config in canonical JSON; it holds the weights' digest, so it names the bundle."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def file_digest(path: Path) -> str:
    """Hash a file, `sha256:…`."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def halve(value: torch.Tensor) -> torch.Tensor:
    """Return a contiguous CPU copy, in float16 where it was floating-point."""
    value = value.detach().cpu().contiguous()
    return value.half() if value.is_floating_point() else value
