import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from captionfill.errors import StartError
from service.api.app import create_app
from service.auth.authentication import route_path
from service.config.http_settings import ROOT_PATH
from service.config.settings import Settings
from tests.service.middleware.conftest import small_app


@pytest.fixture
def behind(settings):
    """Make a client of the small application that connects from an address."""

    def make(address="127.0.0.1", **changes):
        changed = {"trusted_proxies": ("127.0.0.1", "10.0.0.0/8"), **changes}
        app = small_app(settings.model_copy(update=changed))

        @app.get("/where")
        async def where(request: Request):
            return {
                "root": request.scope["root_path"],
                "url": str(request.url),
                "client": request.client and request.client.host,
            }

        return TestClient(app, client=(address, 1), follow_redirects=False)

    return make


FORWARDED = {
    "X-Forwarded-Prefix": "/fill",
    "X-Forwarded-Host": "testserver:8443",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "192.0.2.9",
}


@pytest.mark.parametrize("path", ["/where", "/fill/where"])
@pytest.mark.parametrize("address", ["127.0.0.1", "10.9.8.7", "::ffff:10.9.8.7"])
def test_a_trusted_proxy_is_believed(behind, path, address):
    body = behind(address).get(path, headers=FORWARDED).json()
    assert body == {
        "root": "/fill",
        "url": "https://testserver:8443/fill/where",
        "client": "192.0.2.9",
    }


def test_anybody_else_is_not(behind):
    client = behind("192.0.2.1")
    body = client.get("/where", headers=FORWARDED).json()
    assert body == {"root": "", "url": "http://testserver/where", "client": "192.0.2.1"}
    assert client.get("/fill/where", headers=FORWARDED).status_code == 404


@pytest.mark.parametrize("path", ["/where", "/base/fill/where"])
def test_the_setting_holds_for_everybody(behind, path):
    body = behind("192.0.2.1", root_path="/base/fill").get(path).json()
    assert body["url"] == "http://testserver/base/fill/where"


@pytest.mark.parametrize(
    "prefix",
    ["//evil.example", "/a//b", "/../x", "/.", "fill", "https://x", "/a b", "/é", "/%2e",
     "/x" * 150, "/a\\b", "/a?b", "/", "", ","],
)  # fmt: skip
def test_an_unsafe_prefix_is_ignored(behind, prefix):
    headers = {"X-Forwarded-Prefix": prefix.encode()}
    assert behind(root_path="/base").get("/where", headers=headers).json()["root"] == "/base"


def test_last_header_value_wins_over_the_clients(behind):
    headers = [("X-Forwarded-Prefix", "/evil, /fill/"), ("X-Forwarded-Host", "evil, testserver")]
    assert behind().get("/where", headers=headers).json()["url"] == "http://testserver/fill/where"


def test_an_unsafe_host_is_ignored(behind):
    for host in ("evil.example/path", "a@b", "a b", "x" * 300, "[::1"):
        headers = {"X-Forwarded-Host": host}
        assert behind().get("/where", headers=headers).json()["url"] == "http://testserver/where"


def test_a_redirect_keeps_the_prefix(behind):
    for path in ("/where/", "/fill/where/"):
        answer = behind().get(path, headers=FORWARDED)
        assert answer.headers["location"] == "https://testserver:8443/fill/where"


def test_limits_and_probes_match_paths_below_the_prefix(behind, kind):
    client = behind(auth="on", keys_file="/nowhere/keys", body_limits={"/echo": 10**6})
    for path in ("/healthz", "/fill/healthz"):
        assert client.get(path, headers=FORWARDED).status_code == 200
    assert client.get("/fill/where", headers=FORWARDED).status_code == 401
    roomy = behind(max_bytes=1000, body_limits={"/echo": 10**6})
    assert roomy.post("/fill/echo", headers=FORWARDED, content=bytes(500_000)).is_success
    refused = roomy.post("/fill/refuse", headers=FORWARDED, content=bytes(500_000))
    assert kind(refused) == "body-too-large"


def test_the_document_tells_the_prefix_of_each_request(settings):
    app = create_app(settings.model_copy(update={"trusted_proxies": ("127.0.0.1",)}))
    client = TestClient(app, client=("127.0.0.1", 1))
    for path in ("/openapi.json", "/fill/openapi.json"):
        assert client.get(path, headers=FORWARDED).json()["servers"] == [{"url": "/fill"}]
    assert "servers" not in client.get("/openapi.json").json()
    assert 'fetch("openapi.json")' in client.get("/fill/docs/start.js", headers=FORWARDED).text


@given(st.text(max_size=30))
def test_a_path_that_passes_is_plain(text):
    if ROOT_PATH.fullmatch(text):
        assert text.isascii() and text.startswith("/") and not text.endswith("/")
        assert not {"", ".", ".."} & set(text.split("/")[1:])


@pytest.mark.parametrize("path", ["fill", "/a b", "//x", "/../x", "https://x/y", "/é"])
def test_a_root_path_that_is_none_is_refused(path):
    with pytest.raises(ValueError, match="must be a path"):
        Settings(root_path=path)


@pytest.mark.parametrize("path", ["/v1", "/jobs/x", "/docs"])
def test_a_root_path_over_a_route_is_refused(path):
    with pytest.raises(StartError, match="CAPTIONFILL_ROOT_PATH"):
        create_app(Settings(root_path=path))


def test_trailing_slash_of_root_path_is_removed():
    assert (
        Settings(root_path="/fill/").root_path == "/fill" and not Settings(root_path="/").root_path
    )


@pytest.mark.parametrize(
    ("path", "root", "within"),
    [("/a/b", "", "/a/b"), ("/a/b", "/a", "/b"), ("/ab", "/a", "/ab"), ("/a", "/a", "/a")],
)
def test_the_path_within_the_service(path, root, within):
    assert route_path({"path": path, "root_path": root}) == within
