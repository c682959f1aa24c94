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
from models.generators import GENERATORS

FORMAT = 1
WEIGHTS, CONFIG, CARD = "generator.safetensors", "config.json", "README.md"
DEFAULT_BUNDLE = Path(__file__).parent / "weights" / "default"


class BundleError(ModelsError):
    """A bundle is missing, damaged, or made for something else."""


@dataclass(frozen=True)
class BundleConfig:
    """Everything but the weights.

    Attributes:
        name: what a person calls the bundle.
        generator: the generator's name in `models.generators.GENERATORS`.
        settings: the generator's own settings.
        encoder: the sentence encoder's name.
        encoder_fingerprint: `sha256:…` of the encoder's weights; another encoder is refused.
        caption_dim: length of a caption vector.
        noise_dim: length of a noise vector.
        training: where the weights come from (recipe, data digests, steps); for people.
    """

    name: str
    generator: str
    settings: dict[str, Any]
    encoder: str
    encoder_fingerprint: str
    caption_dim: int
    noise_dim: int
    training: dict[str, Any]


@dataclass(frozen=True)
class Bundle:
    """A generator ready for inference (eval mode, float32), its config and its digest."""

    generator: nn.Module
    config: BundleConfig
    digest: str

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


def save_bundle(folder: Path, generator: nn.Module, config: BundleConfig, model_card: str) -> str:
    """Write a bundle; floating-point weights are halved to float16.

    Args:
        folder: made if missing; files of an older bundle in it are replaced.
        generator: its `state_dict` is saved.
        config: goes to `config.json` with the digest of the weights.
        model_card: Markdown for people, `README.md`.

    Returns:
        The bundle's digest, `sha256:…`, over weights and config.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: halve(v) for k, v in generator.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)  # safetensors writes for the owner alone; a service is another
    record = {"format": FORMAT, **asdict(config), "weights": file_digest(folder / WEIGHTS)}
    digest = config_digest(record)
    text = json.dumps({**record, "digest": digest}, indent=2, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    (folder / CARD).write_text(model_card, encoding="utf-8")
    return digest


def load_bundle(folder: Path, device: str = "cpu") -> Bundle:
    """Read a bundle and check that it is whole.

    Args:
        folder: holds `generator.safetensors` and `config.json`.
        device: where the generator goes.

    Raises:
        BundleError: a file is missing or damaged, the digest does not fit, or the generator is
            unknown to this version.
    """
    record = read_config(folder)
    if not (folder / WEIGHTS).is_file():
        raise BundleError(f"no bundle at {folder}: {WEIGHTS} is missing")
    if file_digest(folder / WEIGHTS) != record.pop("weights", None):
        raise BundleError(f"bundle {folder} is damaged: {WEIGHTS} does not fit its digest")
    digest = str(record.pop("digest"))
    record.pop("format")
    try:
        config = BundleConfig(**record)
        generator = GENERATORS[config.generator](config.settings)
        weights = {
            k: v.float() if v.is_floating_point() else v
            for k, v in load_file(folder / WEIGHTS).items()
        }
        generator.load_state_dict(weights)
    except (TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise BundleError(f"bundle {folder} does not fit this version: {error}") from error
    return Bundle(generator.to(device).eval().requires_grad_(False), config, digest)


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
