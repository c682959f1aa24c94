"""Checks of webhook URLs, before a job is queued."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import idna

from service.config.addresses import AllowList
from service.errors.requests import InvalidWebhook

if TYPE_CHECKING:
    from service.config.settings import Settings

MAX_URL = 2048
# Characters of a URL (RFC 3986), and those that are not percent-encoded.
_ASCII = re.compile(r"[!-~]+")
_SAFE = "!#$%&'()*+,/:;=?@[]~"
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True)
class WebhookUrl:
    """A checked URL in parts. Requests are made from these; the text is not parsed again."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        standard = {"https": 443, "http": 80}[self.scheme]
        return host if self.port == standard else f"{host}:{self.port}"


def check_webhook_url(url: str, settings: "Settings") -> WebhookUrl:
    """Check a webhook URL without DNS look-ups.

    `service.webhooks.sender` resolves names and checks the addresses when the webhook is sent.

    Raises:
        InvalidWebhook: webhooks are disabled, or the URL is invalid, not https, or not public.
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


def _parse(url: str) -> WebhookUrl:
    _check_characters(url)
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise InvalidWebhook(
            "the webhook's address is no valid URL, or its port is over 65535"
        ) from error
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidWebhook("a webhook's address must begin with https:// and a host")
    if "@" in parts.netloc or parts.fragment or port == 0:
        raise InvalidWebhook("a webhook's address must have no user, password, fragment or port 0")
    # An IRI's characters become those of a URI (RFC 3987, 3.1).
    path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), _SAFE)
    default = 443 if parts.scheme == "https" else 80
    return WebhookUrl(parts.scheme, _check_host(host), port or default, path)


def _check_characters(url: str) -> None:
    if len(url) > MAX_URL:
        raise InvalidWebhook(f"the webhook's address has more than {MAX_URL:,} characters")
    for place, character in enumerate(url, 1):
        if character.isspace():
            raise InvalidWebhook(
                f"the webhook's address has a space or line break as character {place}; within "
                "its path or query, write %20"
            )
        if character == "\\" or not character.isprintable():
            raise InvalidWebhook(f"the webhook's address has {character!r} as character {place}")


def _check_host(host: str) -> str:
    if ":" in host:
        return _check_address(host)
    if not _ASCII.fullmatch(host):
        host = _to_ascii(host)
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidWebhook(f"the webhook's host {host[:100]!r} is no valid host name")
    # Resolvers also accept 127.1, 0x7f.0.0.1 and 2130706433 as addresses.
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):
        return _check_address(host)
    return host


def _to_ascii(host: str) -> str:
    """Return the ASCII form of an internationalised name (IDNA 2008, UTS 46 mapping)."""
    try:
        return idna.encode(host, uts46=True).decode().lower()
    except idna.IDNAError as error:
        raise InvalidWebhook(
            f"the webhook's host {host[:100]!r} is no valid name: {error}"
        ) from error


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
    except ValueError:  # a name: resolved when the webhook is sent
        inner = "." not in host or host.endswith((".localhost", ".local", ".internal"))
        public = bool(allowed.networks) or not inner
    if not public:
        raise InvalidWebhook(f"{host} is not a public address, and is not allowed here")
