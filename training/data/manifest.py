"""`manifest.json` of a prepared folder: contents, origin and digests."""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from training.common.errors import PreparedDataError

MANIFEST = "manifest.json"
TRAIN = "train"
# Names of validation splits, in order of preference.
VALIDATION_SPLITS = ("val", "dev", "validation", "test")


@dataclass(frozen=True)
class Manifest:
    """Contents of a prepared folder.

    Attributes:
        version: of captionfill.
        source: name of the reader, such as `flickr8k`.
        size: side of the square pictures in pixels.
        encoder_fingerprint: of the encoder's weights.
        splits: `{split: {"images": n, "captions": n}}`.
        passed_over: skipped items, `[{"file_name": ..., "reason": ...}]`.
        shards: `{path below the folder: sha256}`.
        digest: `sha256:…` of the names and digests of the shards.
    """

    version: str
    source: str
    size: int
    encoder: str
    encoder_fingerprint: str
    caption_dim: int
    distinct_captions: int
    splits: dict[str, dict[str, int]]
    passed_over: list[dict[str, str]]
    shards: dict[str, str]
    digest: str

    def save(self, folder: Path) -> None:
        """Write `manifest.json` into `folder`."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Manifest":
        """Read `manifest.json`; raise `PreparedDataError` if there is no valid one."""
        if not (folder / MANIFEST).is_file():
            raise PreparedDataError(f"{folder}: no prepared data there (no {MANIFEST})")
        try:
            return cls(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise PreparedDataError(f"{folder / MANIFEST}: not a manifest ({error})") from error

    @property
    def validation_split(self) -> str:
        """The validation split; `train` if there is none."""
        return next((split for split in VALIDATION_SPLITS if split in self.splits), TRAIN)

    def shards_of(self, split: str) -> list[str]:
        """Paths of the shards of one split, in order."""
        return sorted(path for path in self.shards if Path(path).name.startswith(f"{split}-"))


def tool_version() -> str:
    """Version of captionfill; `checkout` if it is not installed."""
    try:
        return version("captionfill")
    except PackageNotFoundError:
        return "checkout"


def file_digest(path: Path) -> str:
    """Sha256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def overall_digest(shards: dict[str, str]) -> str:
    """Digest of the names and digests of all shards."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(shards.items()))
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
