"""Absolute-form request targets, as clients of proxies send them (RFC 9112, 3.2.2)."""

import re

import h11

_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)((?:[/?][^#]*)?)", re.IGNORECASE)
_SCHEME = re.compile(rb"https?://", re.IGNORECASE)


def origin_form(request: h11.Request) -> h11.Request:
    """The request with a path for its target, and the target's authority for its Host.

    RFC 9112 has a server ignore the Host header beside an absolute-form target, so that whatever
    checks hosts looks at the authority that the target names. Other targets stay as they are.

    Raises:
        h11.RemoteProtocolError: the target has no authority, one with user information, or a
            fragment.
    """
    if not _SCHEME.match(request.target):
        return request
    parts = _ABSOLUTE.fullmatch(request.target)
    if parts is None:
        raise h11.RemoteProtocolError("the request target is no absolute URI of a server")
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
