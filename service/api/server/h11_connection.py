"""h11's connection with more of RFC 9112: limits, empty lines, absolute-form targets."""

import re
from typing import Any

import h11

# Empty lines that are skipped before a request line (RFC 9112, 2.2: at least one).
_MAX_EMPTY_LINES = 16
_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)((?:[/?][^#]*)?)", re.IGNORECASE)
_SCHEME = re.compile(rb"https?://", re.IGNORECASE)


class Connection(h11.Connection):
    """Also limits headers that arrive in one piece, and skips empty lines before a request line.

    Absolute-form targets, as clients of proxies send them (3.2.2), become origin-form ones.
    """

    def __init__(self, header_bytes: int) -> None:
        super().__init__(h11.SERVER, header_bytes)
        self._header_bytes = header_bytes
        self._empty_lines = 0
        self.too_large = False

    def next_event(self) -> Any:
        """The next event; raises `h11.RemoteProtocolError` for what is not HTTP/1.0 or 1.1."""
        if self.their_state is h11.IDLE:
            self._skip_empty_lines()
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            self.too_large = error.error_status_hint == 431
            raise
        if isinstance(event, h11.Request):
            if event.http_version not in (b"1.0", b"1.1"):
                raise h11.RemoteProtocolError("unknown version")
            size = len(event.target) + sum(len(name) + len(value) for name, value in event.headers)
            if size > self._header_bytes:
                self.too_large = True
                raise h11.RemoteProtocolError("headers too large", error_status_hint=431)
            self._empty_lines = 0
            return _origin_form(event)
        return event

    def _skip_empty_lines(self) -> None:
        # h11 has no public method that removes bytes from its buffer.
        while self._empty_lines < _MAX_EMPTY_LINES:
            received = self.trailing_data[0]
            length = 2 if received[:2] == b"\r\n" else 1 if received[:1] == b"\n" else 0
            if not length:
                return
            self._receive_buffer.maybe_extract_at_most(length)
            self._empty_lines += 1


def _origin_form(request: h11.Request) -> h11.Request:
    """The request in origin form: its target is a path, its Host the authority of the old target.

    RFC 9112 requires that a server ignores the Host header beside an absolute-form target. Other
    targets are unchanged. Raises `h11.RemoteProtocolError` for a target without authority, or with
    user information or a fragment.
    """
    if not _SCHEME.match(request.target):
        return request
    parts = _ABSOLUTE.fullmatch(request.target)
    if parts is None:
        raise h11.RemoteProtocolError("the request target is not an absolute URI of a server")
    authority, path = parts.groups()
    if not path.startswith(b"/"):
        path = b"*" if request.method == b"OPTIONS" and not path else b"/" + path
    headers = [header for header in request.headers if header[0] != b"host"]
    return h11.Request(
        method=request.method,
        target=path,
        headers=[(b"host", authority), *headers],
        http_version=request.http_version,
    )
