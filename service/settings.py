"""Every setting of the service: an environment variable each, checked at start."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.webhooks.addresses import AllowList
from service.webhooks.signing import parse_secrets

DEFAULT_BUNDLE = Path(__file__).resolve().parents[1] / "models" / "weights" / "default"


class Settings(BaseSettings):
    """Read from ``CAPTIONFILL_<NAME>``; ``REDIS_URL``, ``HOST`` and ``PORT`` also go bare."""

    model_config = SettingsConfigDict(
        env_prefix="CAPTIONFILL_",
        populate_by_name=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a secret, or the password in a Redis URL
    )

    redis_url: str | None = Field(
        None, validation_alias=AliasChoices("CAPTIONFILL_REDIS_URL", "REDIS_URL")
    )
    host: str = Field("127.0.0.1", validation_alias=AliasChoices("CAPTIONFILL_HOST", "HOST"))
    port: int = Field(
        8000, ge=1, le=65535, validation_alias=AliasChoices("CAPTIONFILL_PORT", "PORT")
    )

    bundle: Path = DEFAULT_BUNDLE
    device: str = "cpu"
    data_folder: Path = Path(".captionfill")
    namespace: str = Field("captionfill", min_length=1, description="prefix of every Redis key")

    max_bytes: int = Field(10 * 2**20, gt=0, description="of one request's body")
    max_pixels: int = Field(40_000_000, gt=0, description="of one picture")
    max_held_pixels: int = Field(
        200_000_000, gt=0, description="of all pictures that wait for their fill"
    )
    upload_seconds: float = Field(60, gt=0, description="for a client to send its request")
    decoders: int = Field(2, gt=0, description="pictures decoded or encoded at one time")

    queue_limit: int = Field(512, gt=0, description="jobs waiting or running; more get 503")
    answer_seconds: float = Field(60, gt=0, description="from acceptance to answer; then 504")
    result_seconds: float = Field(60, gt=0, description="a result stays in Redis this long")
    batch_limit: int = Field(8, gt=0, description="images in one batch")
    lease_seconds: float = Field(15, gt=0, description="a silent worker's jobs are then retaken")
    max_deliveries: int = Field(3, gt=0, description="then the job is a dead letter")

    webhook_secret: SecretStr = Field(
        SecretStr(""), description="whsec_ and base64; several, apart by spaces, while rotating"
    )
    webhook_allow: str = Field("", description="hosts and networks besides the public ones")
    webhook_seconds: float = Field(10, gt=0, description="for one attempt")
    webhook_tries: int = Field(6, gt=0, description="then the webhook is given up")
    webhook_pause_seconds: float = Field(
        10, gt=0, description="before the second attempt; four times as long before each next"
    )

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must start with redis://, rediss:// or unix://")
        return url

    @field_validator("webhook_secret")
    @classmethod
    def _check_webhook_secret(cls, secret: SecretStr) -> SecretStr:
        parse_secrets(secret.get_secret_value())
        return secret

    @field_validator("webhook_allow")
    @classmethod
    def _check_webhook_allow(cls, text: str) -> str:
        AllowList.parse(text)
        return text

    @property
    def webhook_secrets(self) -> list[bytes]:
        """The keys that webhooks are signed with; without one, none is sent."""
        return parse_secrets(self.webhook_secret.get_secret_value())

    @property
    def queue_url(self) -> str:
        """The Redis to use where none is embedded: ``REDIS_URL``, or the one of this host."""
        return self.redis_url or "redis://localhost:6379/0"
