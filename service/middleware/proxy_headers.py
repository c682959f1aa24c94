"""Headers of a reverse proxy: the client's address and the public scheme, host and path.

``X-Forwarded-*`` is read only from trusted proxies, as any client could send it. Of several values
the last one is used, which the proxy added; the client may have sent those before it.
"""

import re
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.config.http_settings import ROOT_PATH
from service.config.settings import Settings

_MAX_PREFIX = 200
_HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")


class ProxyHeaders(ProxyHeadersMiddleware):
    """Puts the client's address, the public scheme and host, and the root path into the scope.

    uvicorn's middleware handles address and scheme. The root path is X-Forwarded-Prefix, else the
    setting. As ASGI requires, ``path`` then begins with it, whether or not the proxy removed it.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        entries = settings.trusted_proxies
        networks = [str(ip_network(entry, strict=False)) for entry in entries if entry != "*"]
        trusted = "*" if "*" in entries else networks
        super().__init__(app, trusted)  # type: ignore[arg-type] # its own types of ASGI
        self._root = settings.root_path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on as the client sent it to the proxy."""
        if scope["type"] != "http":
            return await super().__call__(scope, receive, send)
        host, port = scope.get("client") or ("", 0)
        if host:
            scope["client"] = (host := _plain(host), port)
        root = self._root
        if host in self.trusted_hosts:
            headers = MutableHeaders(scope=scope)
            root = _prefix(headers) or root
            if _HOST.fullmatch(public := _last(headers, "x-forwarded-host")):
                headers["host"] = public
        if root and not scope["path"].startswith(f"{root}/"):
            raw = scope.get("raw_path") or scope["path"].encode()
            scope["path"], scope["raw_path"] = root + scope["path"], root.encode() + raw
        scope["root_path"] = root
        return await super().__call__(scope, receive, send)


def _plain(host: str) -> str:
    """An IPv4 address that a dual-stack socket reports as ``::ffff:192.0.2.1``."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _last(headers: Headers, name: str) -> str:
    values = headers.getlist(name)
    return values[-1].rpartition(",")[2].strip() if values else ""


def _prefix(headers: Headers) -> str:
    """The prefix in X-Forwarded-Prefix; empty if it is missing or unsafe."""
    prefix = _last(headers, "x-forwarded-prefix").rstrip("/")
    return prefix if len(prefix) <= _MAX_PREFIX and ROOT_PATH.fullmatch(prefix) else ""
