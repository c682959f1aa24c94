"""What stands before the first boundary of a multipart body, and is to be ignored (RFC 2046)."""


class Preamble:
    """Skips the preamble of a body that comes in pieces; holds no more of it than a boundary.

    Args:
        boundary: of the body, without its two hyphens.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\n--" + boundary
        # The first boundary begins a line, and the body's beginning is one.
        self._held = b"\n"
        self.is_over = False

    def skip(self, piece: bytes) -> bytes:
        """The next piece, without what belongs to the preamble."""
        if self.is_over:
            return piece
        held = self._held + piece
        start = held.find(self._delimiter)
        if start == -1:
            self._held = held[-len(self._delimiter) + 1 :]
            return b""
        self.is_over, self._held = True, b""
        return held[start + 1 :]
