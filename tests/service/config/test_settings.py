import pytest
from pydantic import ValidationError

from captionfill.errors import StartError
from service.config.environment import RENAMED
from service.config.settings import Settings, load_settings


def test_redis_host_and_port_use_their_bare_names(monkeypatch):
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


# What Kubernetes injects for a Service of our name, and Docker for a link.
INJECTED = {
    "CAPTIONFILL_PORT": "tcp://10.0.0.1:8000",
    "CAPTIONFILL_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "CAPTIONFILL_PORT_8000_TCP_PROTO": "tcp",
    "CAPTIONFILL_PORT_8000_TCP_PORT": "8000",
    "CAPTIONFILL_PORT_8000_TCP_ADDR": "10.0.0.1",
    "CAPTIONFILL_SERVICE_HOST": "10.0.0.1",
    "CAPTIONFILL_SERVICE_PORT": "8000",
    "CAPTIONFILL_SERVICE_PORT_HTTP": "8000",
}


def test_variables_of_a_kubernetes_service_are_ignored(monkeypatch):
    plain = Settings()
    for name, value in INJECTED.items():
        monkeypatch.setenv(name, value)
    assert Settings() == plain
    monkeypatch.setenv("PORT", "81")
    assert Settings().port == 81


@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
def test_a_service_link_is_ignored_for_any_setting(monkeypatch, name):
    monkeypatch.setenv(f"CAPTIONFILL_{name}", "udp://[fd00::1]:8000")
    assert Settings() == Settings.model_construct(**dict(Settings()))


NONSENSE = ("\x01", "-7", "nan", "inf", "1e300", "9" * 30, "{", "[", "a b\n", "tcp://x")


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_nonsense_is_one_line_that_names_the_variable(monkeypatch, name):
    variable = f"CAPTIONFILL_{name.upper()}"
    for value in NONSENSE:
        monkeypatch.setenv(variable, value)
        try:
            load_settings()
        except StartError as error:
            assert variable in str(error) and len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://h?foo=bar"),
        ("HOST", "no host"),
        ("PORT", "0"),
        ("REQUEST_TIMEOUT", "inf"),
        ("LEASE_SECONDS", "1e12"),
        ("MAX_BYTES", "1e400"),
        ("NAMESPACE", "{a}"),
        ("NAMESPACE", "a b"),
        ("BODY_LIMITS", "{"),
        ("BODY_LIMITS", '{"/batches": 0}'),
        ("BODY_LIMITS", '{"/batches": "much"}'),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy.example"),
        ("CORS_ORIGINS", "app.example"),
        ("CORS_ORIGINS", "https://app.example/path"),
        ("ALLOWED_HOSTS", "https://app.example"),
        ("PUBLISHED_ON", "http://x"),
        ("DEVICE", ""),
        ("WEBHOOK_SECRET", "short"),
        ("WEBHOOK_ALLOW", "10.0.0.0/99"),
        ("WORKERS", "100000"),
        ("QUEUE_MEMORY", "0mb"),
        ("ENGINE", "steam"),
    ],
)
def test_what_would_fail_later_is_refused_at_start(monkeypatch, name, value):
    monkeypatch.setenv(f"CAPTIONFILL_{name}", value or " ")
    with pytest.raises(StartError, match=f"CAPTIONFILL_{name}") as caught:
        load_settings()
    assert len(str(caught.value).splitlines()) == 1


def test_hung_batch_timeout_follows_the_request_timeout():
    assert Settings().batch_timeout == 15
    assert Settings(request_timeout=8).batch_timeout == 2


@pytest.mark.parametrize(
    ("values", "names"),
    [({"inference_timeout": 21}, ("inference_timeout", "request_timeout")),
     ({"inference_timeout": 15, "request_timeout": 30}, ("inference_timeout", "request_timeout")),
     ({"model_failures": 5}, ("model_failures", "max_deliveries"))],
)  # fmt: skip
def test_settings_in_conflict_are_one_line_naming_both(values, names):
    with pytest.raises(StartError) as caught:
        load_settings(**values)
    assert all(name.upper() in str(caught.value) for name in names) and "\n" not in str(
        caught.value
    )


def test_former_variables_still_set_renamed_settings(monkeypatch, caplog):
    monkeypatch.setenv("CAPTIONFILL_ANSWER_SECONDS", "45")
    assert Settings().request_timeout == 45
    assert "use CAPTIONFILL_REQUEST_TIMEOUT" in caplog.text
    monkeypatch.setenv("CAPTIONFILL_REQUEST_TIMEOUT", "50")
    assert Settings().request_timeout == 50


def test_every_renamed_variable_has_a_setting():
    assert {name.lower() for name in RENAMED.values()} <= set(Settings.model_fields)
