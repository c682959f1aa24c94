"""Settings of webhooks: their signature, their addresses and repeated attempts."""

from pydantic import BaseModel, Field, SecretStr, field_validator

from service.config.addresses import AllowList
from service.config.webhook_secrets import parse_secrets
from service.errors.redaction import register_secrets


class WebhookSettings(BaseModel):
    """Settings of webhooks: their signature, their addresses and repeated attempts."""

    webhook_secret: SecretStr = Field(
        SecretStr(""), description="whsec_ and base64; several, apart by spaces, while rotating"
    )
    webhook_allow: str = Field("", description="hosts and networks besides the public ones")
    webhook_timeout: float = Field(10, gt=0, description="for one attempt")
    webhook_max_attempts: int = Field(
        6, gt=0, description="of a webhook, after which it is abandoned"
    )
    webhook_backoff: float = Field(
        10, gt=0, description="before the second attempt; four times as long before each next"
    )

    @field_validator("webhook_secret")
    @classmethod
    def _check_webhook_secret(cls, secret: SecretStr) -> SecretStr:
        parse_secrets(secret.get_secret_value())
        register_secrets(secret.get_secret_value().split())
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
