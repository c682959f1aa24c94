"""Authenticates requests by API key."""

from starlette.datastructures import Headers

from captionfill.errors import StartError
from service.auth.api_keys import ApiKeyFile
from service.auth.principal import ANONYMOUS, LOCAL, Principal, auth_enabled
from service.config.settings import Settings
from service.errors.access import KeyRequired
from service.errors.capacity import NotReady

# Open without a key: probes, explanations of problems, and the description of the API.
_OPEN = ("/healthz", "/readyz", "/openapi.json")
_OPEN_UNDER = ("/docs", "/problems")


def is_open(path: str) -> bool:
    """Whether a path needs no key and has no rate limit."""
    return path in _OPEN or any(
        path == under or path.startswith(f"{under}/") for under in _OPEN_UNDER
    )


class Authenticator:
    """Finds the caller of a request. Without API keys every request is the local caller's."""

    def __init__(self, settings: Settings) -> None:
        self.keys = ApiKeyFile(settings.keys_path) if auth_enabled(settings) else None

    def authenticate(self, path: str, headers: Headers) -> Principal:
        """The caller of a request.

        Raises:
            KeyRequired: the key is missing or unknown.
        """
        if self.keys is None:
            return LOCAL
        key = _key(headers)
        found = self.keys.find(key) if key else None
        if found is not None:
            return found
        if is_open(path):
            return ANONYMOUS
        raise KeyRequired("this API key is not known" if key else "send an API key")

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
    """Refuse to start if API keys are required and there is none.

    Raises:
        StartError: names the command that creates a key.
    """
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
