"""The settings of the service: one environment variable each, checked at the start."""

import re
from pathlib import Path
from typing import Any, Self

from pydantic import AliasChoices, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError

from captionfill.errors import StartError
from service.config.environment import PREFIX, SERVICE_LINK, rename_variables
from service.config.http_settings import HttpSettings
from service.config.model_settings import ModelSettings
from service.config.queue_settings import QueueSettings
from service.config.upload_settings import UploadSettings
from service.config.webhook_settings import WebhookSettings

_MOST_SECONDS = 10 * 366 * 86_400
_MOST = 2**53  # beyond it a number is no longer exact in Lua and JSON


# pydantic lists the fields of the last base first.
class Settings(
    WebhookSettings, QueueSettings, UploadSettings, ModelSettings, HttpSettings, BaseSettings
):
    """Read from ``CAPTIONFILL_<NAME>``; ``REDIS_URL``, ``HOST`` and ``PORT`` also go bare."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        populate_by_name=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a secret, or the password in a Redis URL
        allow_inf_nan=False,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read options and the environment, without service links, under today's names."""
        assert isinstance(env_settings, EnvSettingsSource)
        env_settings.env_vars = rename_variables(
            {
                name: value
                for name, value in env_settings.env_vars.items()
                if value is None or not SERVICE_LINK.fullmatch(value)
            }
        )
        return init_settings, env_settings

    data_folder: Path = Path(".captionfill")

    @field_validator("*")
    @classmethod
    def _check_range(cls, value: Any, info: ValidationInfo) -> Any:
        is_time = (info.field_name or "").endswith(("_seconds", "_timeout", "_backoff"))
        most = _MOST_SECONDS if is_time else _MOST
        if isinstance(value, int | float) and value > most:
            raise ValueError(f"must be at most {most:,}")
        return value

    @field_validator("host", "published_on", "device", "allowed_hosts")
    @classmethod
    def _check_word(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for word in (value,) if isinstance(value, str) else value or ():
            if not re.fullmatch(r"[^\s/\x00-\x1f]+", word):
                raise ValueError("must be a name or an address: no scheme, no slash, no space")
        return value

    @property
    def keys_path(self) -> Path:
        """The file of API keys."""
        return self.keys_file or self.data_folder / "keys.jsonl"

    @model_validator(mode="after")
    def _check_inference_timeout(self) -> Self:
        # Beside an input that hangs others wait: for its batch, then for it alone, then for
        # themselves and the model's restarts.
        if 3 * self.batch_timeout > self.request_timeout:
            raise ValueError(
                f"CAPTIONFILL_INFERENCE_TIMEOUT ({self.batch_timeout:g}) must be at most a third "
                f"of CAPTIONFILL_REQUEST_TIMEOUT ({self.request_timeout:g}), or jobs beside an "
                "input that hangs get 504"
            )
        if self.model_failures >= self.max_deliveries:
            raise ValueError(
                f"CAPTIONFILL_MODEL_FAILURES ({self.model_failures}) must be less than "
                f"CAPTIONFILL_MAX_DELIVERIES ({self.max_deliveries}), or one failing worker uses "
                "up all tries of a job"
            )
        return self

    @property
    def batch_timeout(self) -> float:
        """After how long a batch is taken for hung."""
        return self.inference_timeout or self.request_timeout / 4


def load_settings(**options: Any) -> Settings:
    """Settings from the environment, and from the options that are not None.

    Raises:
        StartError: a value is invalid; it names the environment variable.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place, *inner = first["loc"] or ("",)
        setting = _variables(str(place)) if place else "settings"
        within = "".join(f", {part}" for part in inner)
        message = first["msg"].removeprefix("Value error, ")
        raise StartError(f"{setting}{within}: {message}") from None
    except SettingsError as error:
        names = (name for name in Settings.model_fields if f'"{name}"' in str(error))
        raise StartError(f"{_variables(next(names, ''))}: not valid JSON") from None


def _variables(place: str) -> str:
    """A setting as its user knows it, by the name of its field or by one of its variables."""
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        known = [str(one) for one in alias.choices] if isinstance(alias, AliasChoices) else []
        variables = known or [f"{PREFIX}{name}".upper()]
        if place in (name, *variables):
            return f"setting {name} ({' or '.join(variables)})"
    return f"setting {place}"
