"""What a reverse proxy in front of the service says of the client and of the public address.

``X-Forwarded-*`` is believed of trusted proxies alone: anybody could send it. Of several values the
last one counts, which the proxy itself added; those before it are the client's.
"""

import re
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.config.settings import ROOT_PATH, Settings

_LONGEST = 200
_HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")


class ProxyHeaders:
    """Puts the client's address, the public scheme and host, and the root path into the scope.

    The root path is X-Forwarded-Prefix, else the setting. As ASGI has it, ``path`` then begins with
    it, whether or not the proxy has taken it off.
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
        """Pass the request on, as its client sent it."""
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
    """An IPv4 address as itself where a dual-stack socket tells it as ``::ffff:192.0.2.1``."""
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
    """The prefix in X-Forwarded-Prefix; empty where there is none, or no safe one."""
    prefix = _last(headers, "x-forwarded-prefix").rstrip("/")
    return prefix if len(prefix) <= _LONGEST and ROOT_PATH.fullmatch(prefix) else ""


def _set_host(scope: Scope, headers: Headers) -> None:
    """Let Host be the name by which the client knows the service."""
    host = _last(headers, "x-forwarded-host")
    if host and _HOST.fullmatch(host):
        MutableHeaders(scope=scope)["host"] = host
