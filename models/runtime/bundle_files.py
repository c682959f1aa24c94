"""The files of a bundle, checked against its digests, without torch."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.captions import CaptionEncoder, EncoderError
from models.errors import ModelsError

FORMAT = 1
WEIGHTS, CONFIG, CARD = "generator.safetensors", "config.json", "README.md"
SCORER_WEIGHTS = "scorer.safetensors"
GENERATOR_ONNX, SCORER_ONNX = "generator.onnx", "scorer.onnx"
REFERENCE = "reference.safetensors"
ONNX_FILES = (GENERATOR_ONNX, SCORER_ONNX, REFERENCE)
# The files of an older bundle that are replaced.
OWNED = (WEIGHTS, CONFIG, CARD, SCORER_WEIGHTS, *ONNX_FILES)
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


@dataclass(frozen=True, kw_only=True)
class BundleInfo:
    """What is known of a bundle without its networks.

    Attributes:
        digest: `sha256:…` over all its files but the model card.
        weights_digest: `sha256:…` over weights and config alone; it stays when the networks are
            added as ONNX. Equal to `digest` for a bundle without them.
    """

    config: BundleConfig
    digest: str = ""
    weights_digest: str = ""

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


@dataclass(frozen=True, kw_only=True)
class BundleFiles(BundleInfo):
    """A folder whose files fit the bundle's digests.

    Attributes:
        has_onnx: the networks are there as ONNX (`GENERATOR_ONNX`, `SCORER_ONNX`), too.
    """

    folder: Path
    has_onnx: bool


def read_bundle(folder: Path) -> BundleFiles:
    """Read a bundle's config and check that its files are complete and undamaged.

    Raises:
        BundleError: a file is missing or damaged, the digest does not fit, or the config is of
            another version.
    """
    record = read_config(folder)
    digests = {WEIGHTS: record.get("weights"), **record.get("onnx", {})}
    if record.get("scorer") is not None:
        digests[SCORER_WEIGHTS] = record.get("scorer_weights")
    for name, digest in digests.items():
        check_file(folder, name, digest)
    files = {"format", "weights", "scorer_weights", "onnx", "digest"}
    try:
        config = BundleConfig(**{k: v for k, v in record.items() if k not in files})
    except TypeError as error:
        raise BundleError(f"bundle {folder} does not fit this version: {error}") from error
    return BundleFiles(
        config=config,
        digest=str(record["digest"]),
        weights_digest=weights_digest(record),
        folder=folder,
        has_onnx="onnx" in record,
    )


def check_file(folder: Path, name: str, digest: str | None) -> None:
    """Raise `BundleError` where a file is missing or has another digest."""
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
    if config_digest(record) != record.get("digest"):
        raise BundleError(f"bundle {folder} is damaged: {CONFIG} does not fit its digest")
    return record


def write_config(folder: Path, record: dict[str, Any]) -> str:
    """Write `config.json` with its digest, and return the digest."""
    record["digest"] = digest = config_digest(record)
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    return digest


def config_digest(record: dict[str, Any]) -> str:
    """Hash a config in canonical JSON; it holds the files' digests, so it names the bundle."""
    named = {key: value for key, value in record.items() if key != "digest"}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def weights_digest(record: dict[str, Any]) -> str:
    """Hash a config as if the networks were not there as ONNX."""
    return config_digest({key: value for key, value in record.items() if key != "onnx"})


def file_digest(path: Path) -> str:
    """Hash a file, `sha256:…`."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
