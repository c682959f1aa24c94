"""Finds data that have moved since a run was started, by their digests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from training.common.errors import PreparedDataError
from training.data.manifest import Manifest


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


def check_data(data: Mapping[str, str]) -> None:
    """Check by the manifests that a run's data is where it was, and is the same.

    Raises:
        PreparedDataError: a folder is gone or holds other data; says what to do.
    """
    for place, digest in data.items():
        try:
            manifest = Manifest.load(Path(place))
        except PreparedDataError as error:
            raise PreparedDataError(f"{error}; if it has moved, say where with --data") from error
        if manifest.digest != digest:
            raise PreparedDataError(
                f"{place} is not the data this run was started on (prepared anew?); "
                f"--data takes the folder with digest {digest[:19]}…"
            )
