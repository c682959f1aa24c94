"""Headers of a reverse proxy: the client's address and the public scheme, host and path.

``X-Forwarded-*`` is read only from trusted proxies, as any client could send it. Of several values
the last one is used, which the proxy added; the client may have sent those before it.
"""

import re
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.config.settings import ROOT_PATH, Settings

_MAX_PREFIX = 200
_HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")


class ProxyHeaders:
    """Puts the client's address, the public scheme and host, and the root path into the scope.

    The root path is X-Forwarded-Prefix, else the setting. As ASGI requires, ``path`` then begins
    with it, whether or not the proxy removed it.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        trusted = list(settings.trusted_proxies)
        self._app = app
        self._root = settings.root_path
        self._any = "*" in trusted
        self._networks = [ip_network(entry, strict=False) for entry in trusted if entry != "*"]
        networks = ["*"] if self._any else [str(network) for network in self._networks]
        self._forwarded = ProxyHeadersMiddleware(app, trusted_hosts=networks)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as the client sent it to the proxy."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        host, port = scope.get("client") or ("", 0)
        if host:
            scope["client"] = (host := _plain(host), port)
        headers = Headers(scope=scope)
        root = self._root
        trusted = self._trusts(host)
        if trusted:
            root = _prefix(headers) or root
            _set_host(scope, headers)
        if root and not scope["path"].startswith(f"{root}/"):
            raw = scope.get("raw_path") or scope["path"].encode()
            scope["path"], scope["raw_path"] = root + scope["path"], root.encode() + raw
        scope["root_path"] = root
        inner = self._forwarded if trusted else self._app
        await inner(scope, receive, send)  # type: ignore[arg-type]

    def _trusts(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return self._any
        return self._any or any(address in network for network in self._networks)


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


def _set_host(scope: Scope, headers: Headers) -> None:
    """Replace Host by the public name of the service."""
    host = _last(headers, "x-forwarded-host")
    if host and _HOST.fullmatch(host):
        MutableHeaders(scope=scope)["host"] = host
