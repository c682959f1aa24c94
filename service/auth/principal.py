"""The caller of a request, and whether API keys are required."""

from dataclasses import dataclass
from ipaddress import ip_address

from service.config.settings import Settings
from service.errors.access import AdminOnly


@dataclass(frozen=True)
class Principal:
    """The authenticated caller of a request, who owns its jobs.

    Attributes:
        name: of its API key; "local" without API keys.
        admin: whether it may administer the service.
        rate: requests per second that its key allows, 0 for no limit; None for the default.
    """

    name: str
    admin: bool = False
    rate: float | None = None

    def check_admin(self) -> None:
        """Raise `AdminOnly` if the caller is not an administrator."""
        if not self.admin:
            raise AdminOnly(f"the key {self.name!r} is not an administrator's")


# Without API keys every client may do everything.
LOCAL = Principal("local", admin=True)
# With API keys, a request without key for an open path. No key can have this name.
ANONYMOUS = Principal("(anonymous)")


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
