"""From a request's headers to its caller."""

from starlette.datastructures import Headers

from captionfill.errors import StartError
from service.auth.api_keys import ApiKeyFile
from service.auth.principal import ANONYMOUS, LOCAL, Principal, auth_enabled
from service.config.settings import Settings
from service.errors.access import KeyRequired
from service.errors.capacity import NotReady

# Open to everybody: probes, what problems mean, and what the API looks like.
_OPEN = ("/healthz", "/readyz", "/openapi.json")
_OPEN_UNDER = ("/docs", "/problems")


def is_open(path: str) -> bool:
    """Whether a path is answered without a key, and beside every rate."""
    return path in _OPEN or any(
        path == under or path.startswith(f"{under}/") for under in _OPEN_UNDER
    )


class Authenticator:
    """Tells who asks. Where keys are off, everybody is the local caller."""

    def __init__(self, settings: Settings) -> None:
        self.keys = ApiKeyFile(settings.keys_path) if auth_enabled(settings) else None

    def caller(self, path: str, headers: Headers) -> Principal:
        """The caller of a request.

        Raises:
            KeyRequired: there is no key, or no such key.
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
        """What is wrong with the file of keys, where some of it can be used.

        Raises:
            NotReady: every key is refused, as there is no such file or it cannot be read.
        """
        trouble = self.keys.look() if self.keys else ""
        if trouble and self.keys and self.keys.is_refusing:
            raise NotReady(trouble)
        return [trouble] if trouble else []


def check_keys(settings: Settings) -> None:
    """Refuse to start where keys are needed and there is none, as nobody could ever get in.

    Raises:
        StartError: with the command that makes a key.
    """
    if auth_enabled(settings) and not ApiKeyFile(settings.keys_path).read():
        address = settings.published_on or settings.host
        raise StartError(
            f"{address} can be reached by others, so API keys are on, and {settings.keys_path} has "
            "none: make one with `captionfill keys new NAME`, or set CAPTIONFILL_AUTH=off"
        )


def _key(headers: Headers) -> str:
    """The key of a request, in either of the two customary places; empty where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return headers.get("x-api-key", "").strip()
