"""A run's record of its training data, and the search for data that have moved, by digest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.common.errors import PreparedDataError
from training.data.manifest import TRAIN, Manifest


@dataclass(frozen=True)
class DataRecord:
    """One prepared folder, as it was when the run started; the fields are those of `Manifest`.

    Attributes:
        train: `{"images": n, "captions": n}` of the split that is trained on.
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


def read_record(place: str, digest: str) -> DataRecord:
    """Read the record of a run's data from its folder.

    Raises:
        PreparedDataError: the folder is gone, or holds other data than the run was trained on.
    """
    try:
        manifest = Manifest.load(Path(place))
    except PreparedDataError as error:
        raise PreparedDataError(f"{error}; if it has moved, say where with --data") from error
    if manifest.digest != digest:
        raise PreparedDataError(
            f"{place}: prepared anew since the run was trained on it ({manifest.digest}); "
            f"--data takes the folder with digest {digest}"
        )
    return DataRecord.of(manifest)


def relocate_data(
    data: Mapping[str, str], places: Sequence[Path], *, all_fit: bool = True
) -> dict[str, str]:
    """Return a run's data, digests by folder, with the folders that have moved replaced.

    Args:
        data: as the run has recorded it.
        places: where some or all of it is now, in any order.
        all_fit: whether every place must hold data of the run.

    Raises:
        PreparedDataError: no prepared data in a place, or not the run's.
    """
    digests = {str(place.resolve()): Manifest.load(place).digest for place in places}
    for place, digest in digests.items():
        if all_fit and digest not in data.values():
            raise PreparedDataError(f"{place} is not data that this run was started on")
    found: dict[str, str] = {}
    for old, digest in data.items():
        fitting = (place for place, other in digests.items() if other == digest)
        found[next((place for place in fitting if place not in found), old)] = digest
    return found
