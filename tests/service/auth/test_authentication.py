import pytest
from starlette.datastructures import Headers

from captionfill.errors import StartError
from service.auth.api_keys import LOCAL, ApiKeyFile
from service.auth.authentication import Authenticator, auth_enabled, caller_id, check_keys
from service.config.settings import Settings
from service.errors.queue import NotReady
from service.errors.requests import KeyRequired


@pytest.fixture
def elsewhere(tmp_path):
    return Settings(host="0.0.0.0", data_folder=tmp_path)


@pytest.mark.parametrize(
    ("settings", "on"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "::"}, True),
        ({"host": "192.168.1.4"}, True),
        ({"host": "myhost"}, True),
        ({"host": "0.0.0.0", "published_on": "127.0.0.1"}, False),
        ({"host": "0.0.0.0", "published_on": "0.0.0.0"}, True),
        ({"host": "0.0.0.0", "auth": "off"}, False),
        ({"auth": "on"}, True),
    ],
)
def test_keys_are_on_where_others_can_connect(settings, on):
    assert auth_enabled(Settings(**settings)) is on


def test_without_keys_everybody_is_the_local_administrator():
    assert Authenticator(Settings()).authenticate("/inpaint", Headers()) == LOCAL
    assert LOCAL.admin


@pytest.mark.parametrize(
    ("name", "form"),
    [("Authorization", "Bearer {}"), ("authorization", "bearer  {}"), ("X-API-Key", "{}")],
)
def test_a_key_is_read_from_either_header(elsewhere, name, form):
    key = ApiKeyFile(elsewhere.keys_path).create("ann")
    headers = Headers({name: form.format(key)})
    assert Authenticator(elsewhere).authenticate("/inpaint", headers).name == "ann"


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Basic YTpi"}, {"X-API-Key": "cf_wrong"}]
)
def test_missing_key_response_names_the_authentication_scheme(elsewhere, headers):
    with pytest.raises(KeyRequired) as caught:
        Authenticator(elsewhere).authenticate("/inpaint", Headers(headers))
    assert caught.value.headers["WWW-Authenticate"].startswith("Bearer")


def test_probes_and_problem_pages_need_no_key(elsewhere):
    for path in (
        "/healthz",
        "/readyz",
        "/problems/queue-full",
        "/docs",
        "/docs/x",
        "/openapi.json",
    ):
        assert not Authenticator(elsewhere).authenticate(path, Headers()).admin
    for path in ("/metrics", "/jobs/1", "/healthz/x", "/docsx", "//docs"):
        with pytest.raises(KeyRequired):
            Authenticator(elsewhere).authenticate(path, Headers())


def test_start_without_keys_is_refused_with_the_command(elsewhere):
    with pytest.raises(StartError, match="captionfill keys new NAME"):
        check_keys(elsewhere)
    ApiKeyFile(elsewhere.keys_path).create("ann")
    check_keys(elsewhere)


def test_readiness_tells_of_keys_that_cannot_be_read(tmp_path):
    file = ApiKeyFile(tmp_path / "keys.jsonl")
    file.create("ann")
    asked = Authenticator(Settings(auth="on", keys_file=file.path))
    assert asked.warnings() == [] and Authenticator(Settings(auth="off")).warnings() == []
    lines = file.path.read_bytes()
    file.path.write_bytes(lines + b"damaged\n")
    assert "damaged lines (2)" in asked.warnings()[0]
    file.path.unlink()
    with pytest.raises(NotReady, match="missing") as found:
        asked.warnings()
    assert str(tmp_path) not in str(found.value)  # everybody may ask for readiness
    file.path.write_bytes(lines)
    assert asked.warnings() == []


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8::1:2:3:4", "2001:db8::"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("testclient", "unknown"),
    ],
)
def test_a_household_of_ipv6_is_one_client(address, name):
    assert caller_id(LOCAL, address) == f"address:{name}"
