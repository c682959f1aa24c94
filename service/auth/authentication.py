"""Authenticates requests by API key, where keys are required."""

from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import Scope

from captionfill.errors import StartError
from service.auth.api_keys import ANONYMOUS, LOCAL, ApiKeyFile, Principal
from service.config.settings import Settings
from service.errors.queue import NotReady
from service.errors.requests import KeyRequired

# Open without a key: probes, explanations of problems, and the description of the API.
_OPEN = ("/healthz", "/readyz", "/openapi.json", "/docs", "/problems", "/")
_OPEN_UNDER = ("/docs/", "/page/", "/problems/")


def route_path(scope: Scope) -> str:
    """The path within this service, without the root path that it is published under."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def is_open(path: str) -> bool:
    """Whether a path needs no key and has no rate limit."""
    return path in _OPEN or path.startswith(_OPEN_UNDER)


def auth_enabled(settings: Settings) -> bool:
    """Whether requests need an API key."""
    return settings.auth == "on" or (settings.auth == "auto" and not is_private(settings))


def is_private(settings: Settings) -> bool:
    """Whether the service is reachable from this host only."""
    return is_loopback(settings.published_on or settings.host)


def is_loopback(host: str) -> bool:
    """Whether an address or name is the loopback interface. Names are not resolved."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def caller_id(caller: Principal, address: str) -> str:
    """The identity that limits apply to: the key's name, or without a key the address.

    For IPv6 it is the /64 of the address, which one client may have as a whole.
    """
    if caller is not LOCAL and caller is not ANONYMOUS:
        return f"key:{caller.name}"
    try:
        parsed = ip_address(address)
    except ValueError:
        return "address:unknown"
    if isinstance(parsed, IPv6Address):
        network = ip_network((parsed, 64), strict=False)
        return f"address:{parsed.ipv4_mapped or network.network_address}"
    return f"address:{parsed}"


class Authenticator:
    """Finds the caller of a request. Without API keys every request is the local caller's."""

    def __init__(self, settings: Settings) -> None:
        self.keys = ApiKeyFile(settings.keys_path) if auth_enabled(settings) else None

    def authenticate(self, path: str, headers: Headers) -> Principal:
        """The caller of a request; raises `KeyRequired` if the key is missing or unknown."""
        if self.keys is None:
            return LOCAL
        key = _key(headers)
        found = self.keys.find(key) if key else None
        if found is not None:
            return found
        if is_open(path):
            return ANONYMOUS
        raise KeyRequired("this API key is not known" if key else "send an API key")

    def wants_token(self, headers: Headers) -> bool:
        """Whether a signed address may take the place of a key: keys are on, and none is sent."""
        return self.keys is not None and not _key(headers)

    def owner(self, name: str) -> Principal:
        """The caller who signed an address; raises `KeyRequired` if its keys are revoked."""
        found = self.keys.named(name) if self.keys else LOCAL
        if found is None:
            raise KeyRequired("the API key that this address was made with is revoked")
        return found

    def warnings(self) -> list[str]:
        """Problems of the file of keys that leave other keys valid.

        Raises:
            NotReady: every key is refused, as the file is missing or cannot be read.
        """
        problem = self.keys.refresh() if self.keys else ""
        if problem and self.keys and self.keys.is_refusing:
            raise NotReady(problem)
        return [problem] if problem else []


def check_keys(settings: Settings) -> None:
    """Raise `StartError` if API keys are required and there is none."""
    if auth_enabled(settings) and not ApiKeyFile(settings.keys_path).read():
        address = settings.published_on or settings.host
        raise StartError(
            f"{address} is reachable from other hosts, so API keys are required, and "
            f"{settings.keys_path} has none: create one with "
            "`captionfill keys new NAME`, or set CAPTIONFILL_AUTH=off"
        )


def _key(headers: Headers) -> str:
    """The key in `Authorization: Bearer` or `X-API-Key`; empty if there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return headers.get("x-api-key", "").strip()
