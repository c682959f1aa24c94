import pytest
from pydantic import ValidationError

from service.settings import Settings


def test_redis_host_and_port_go_by_their_bare_names(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://queue:1/2")
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("PORT", "81")
    settings = Settings()
    assert (settings.queue_url, settings.host, settings.port) == (
        "redis://queue:1/2",
        "0.0.0.0",
        81,
    )


def test_the_other_settings_go_by_a_prefix(monkeypatch):
    monkeypatch.setenv("CAPTIONFILL_MAX_PIXELS", "5000")
    monkeypatch.setenv("MAX_PIXELS", "6000")
    assert Settings().max_pixels == 5000


def test_a_redis_url_of_another_kind_is_refused(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "localhost:6379")
    with pytest.raises(ValidationError, match="redis://"):
        Settings()


def test_a_limit_of_zero_is_refused(monkeypatch):
    monkeypatch.setenv("CAPTIONFILL_QUEUE_LIMIT", "0")
    with pytest.raises(ValidationError):
        Settings()
