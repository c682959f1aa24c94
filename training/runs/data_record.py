"""A run's record of its training data, for use when they are gone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.common.errors import PreparedDataError
from training.data.manifest import TRAIN, Manifest


@dataclass(frozen=True)
class DataRecord:
    """One prepared folder, as it was when the run started.

    Attributes:
        source: name of the reader, such as `flickr8k`.
        digest: of the folder, `sha256:…`.
        train: `{"images": n, "captions": n}` of the split that is trained on.
        encoder: name of the sentence encoder.
        encoder_fingerprint: of the encoder's weights.
        caption_dim: numbers in a caption vector.
    """

    source: str
    digest: str
    train: dict[str, int]
    encoder: str
    encoder_fingerprint: str
    caption_dim: int

    @classmethod
    def of(cls, manifest: Manifest) -> "DataRecord":
        """Return the record of a manifest."""
        return cls(
            manifest.source,
            manifest.digest,
            manifest.splits.get(TRAIN, {"images": 0, "captions": 0}),
            manifest.encoder,
            manifest.encoder_fingerprint,
            manifest.caption_dim,
        )


def read_records(data: Mapping[str, str]) -> tuple[DataRecord, ...]:
    """Read from their folders the records that a run of an older version did not keep.

    Args:
        data: digests by folder, as in the run's `run.json`.

    Raises:
        PreparedDataError: a folder is gone, or holds other data than the run was trained on.
    """
    manifests = [Manifest.load(Path(place)) for place in data]
    for manifest, (place, digest) in zip(manifests, data.items(), strict=True):
        if manifest.digest != digest:
            raise PreparedDataError(
                f"{place}: prepared anew since the run was trained on it "
                f"({manifest.digest}, not {digest})"
            )
    return tuple(map(DataRecord.of, manifests))
