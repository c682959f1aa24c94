"""The address a client gives for its webhook, checked before anything is queued."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from service.errors import InvalidWebhook
from service.webhooks.addresses import AllowList

if TYPE_CHECKING:
    from service.settings import Settings

MAX_URL = 2048
_PRINTABLE = re.compile(r"[!-~]+")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True)
class Target:
    """Where a webhook goes. A request is made from these parts; the text is not read again."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        standard = {"https": 443, "http": 80}[self.scheme]
        return host if self.port == standard else f"{host}:{self.port}"


def check_target(url: str, settings: "Settings") -> Target:
    """Check a webhook's address as far as that goes without asking the DNS.

    Names are resolved, and what they resolve to is checked, when the webhook is sent.

    Raises:
        InvalidWebhook: no webhooks here, not a plain https address, or not a public one.
    """
    if not settings.webhook_secrets:
        raise InvalidWebhook("this service sends no webhooks: CAPTIONFILL_WEBHOOK_SECRET is unset")
    target = _parse(url)
    allowed = AllowList.parse(settings.webhook_allow)
    if target.scheme == "http" and not allowed.names(target.host):
        raise InvalidWebhook("a webhook's address must begin with https://")
    if not allowed.names(target.host):
        _check_public(target.host, allowed)
    return target


def _parse(url: str) -> Target:
    if len(url) > MAX_URL or not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise InvalidWebhook(f"a webhook's address has at most {MAX_URL:,} printable characters")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise InvalidWebhook("the webhook's address cannot be read") from error
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidWebhook("a webhook's address must begin with https:// and a host")
    if "@" in parts.netloc or parts.fragment or port == 0:
        raise InvalidWebhook("a webhook's address has neither user, password, fragment nor port 0")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    default = 443 if parts.scheme == "https" else 80
    return Target(parts.scheme, _check_host(host), port or default, path)


def _check_host(host: str) -> str:
    if ":" in host:
        return _check_address(host)
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidWebhook("the webhook's host is not a plain name; write other scripts as xn--")
    # 127.1, 0x7f.0.0.1 and 2130706433 are addresses to a resolver, too.
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):
        return _check_address(host)
    return host


def _check_address(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError as error:
        raise InvalidWebhook("the webhook's address must be written in full") from error
    if "%" in host:
        raise InvalidWebhook("the webhook's address names an interface of this machine")
    return str(address)


def _check_public(host: str, allowed: AllowList) -> None:
    try:
        public = bool(allowed.permits(host, [ip_address(host)]))
    except ValueError:  # a name; what it stands for is found out when the webhook is sent
        inner = "." not in host or host.endswith((".localhost", ".local", ".internal"))
        public = bool(allowed.networks) or not inner
    if not public:
        raise InvalidWebhook(f"{host} is not a public address, and is not allowed here")
