"""How much of a process each caller may hold: requests at one time, and bytes of bodies."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from service.config.settings import Settings
from service.errors.capacity import Busy, TooManyAtOnce, UploadsFull

# What a form may hold besides its picture: boundaries, headers, a caption.
OVERHEAD = 64 * 1024


class ConcurrencyLimit:
    """Counts the requests in hand, of all and of each caller."""

    def __init__(self, settings: Settings) -> None:
        self._most = settings.max_requests
        self._share = settings.max_caller_requests
        self._inside = 0
        self._of: Counter[str] = Counter()

    def check_room(self) -> None:
        """Raise `Busy` where as many requests as are taken are in hand."""
        if self._inside >= self._most:
            raise Busy(f"{self._most} requests are being answered")

    def check_share(self, caller: str) -> None:
        """Raise `TooManyAtOnce` where the caller has as many as one may have."""
        if self._of[caller] >= self._share:
            raise TooManyAtOnce(f"at most {self._share} requests of one caller at once")

    @contextmanager
    def hold(self, caller: str) -> Iterator[None]:
        """Count a request while it is in hand; a caller without a name has no share."""
        self._inside += 1
        self._of[caller] += bool(caller)
        try:
            yield
        finally:
            self._inside -= 1
            self._of[caller] -= bool(caller)
            if not self._of[caller]:
                del self._of[caller]


class ByteBudget:
    """Bounds the bytes of all request bodies in hand, wherever they lie.

    A body may end up in memory whole once it has arrived, so the disk does not lift the bound.
    One caller may take half of it, and always one body of the largest size.
    """

    def __init__(self, settings: Settings) -> None:
        largest = max(settings.max_bytes, *settings.body_limits.values(), 0) + OVERHEAD
        self._most = max(settings.max_upload_bytes, largest)
        self._share = max(self._most // 2, largest)
        self._taken = 0
        self._of: Counter[str] = Counter()

    def reserve(self, caller: str, count: int) -> None:
        """Take room for bytes of a caller's body.

        Raises:
            TooManyAtOnce: the caller's share does not hold them.
            UploadsFull: nobody's would.
        """
        if self._of[caller] + count > self._share:
            raise TooManyAtOnce(f"at most {self._share:,} bytes of one caller's uploads at once")
        if self._taken + count > self._most:
            raise UploadsFull(f"at most {self._most:,} bytes of uploads are in hand at once")
        self._taken += count
        self._of[caller] += count

    def release(self, caller: str, count: int) -> None:
        """Give room back."""
        self._taken -= count
        self._of[caller] -= count
        if not self._of[caller]:
            del self._of[caller]
