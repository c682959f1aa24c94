"""Absolute-form request targets, as clients of proxies send them (RFC 9112, 3.2.2)."""

import re

import h11

_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)((?:[/?][^#]*)?)", re.IGNORECASE)
_SCHEME = re.compile(rb"https?://", re.IGNORECASE)


def origin_form(request: h11.Request) -> h11.Request:
    """The request in origin form: its target is a path, its Host the authority of the old target.

    RFC 9112 requires that a server ignores the Host header beside an absolute-form target. Other
    targets are unchanged.

    Raises:
        h11.RemoteProtocolError: the target has no authority, one with user information, or a
            fragment.
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
