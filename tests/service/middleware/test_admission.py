import asyncio

import httpx
import pytest

from service.auth.api_keys import ApiKeyFile
from tests.service.middleware.conftest import small_app

pytestmark = pytest.mark.server


@pytest.fixture
def key(tmp_path):
    return ApiKeyFile(tmp_path / "keys.jsonl").create("ann")


@pytest.fixture
def guarded(behind_gate, tmp_path, key):
    return behind_gate(
        auth="on",
        keys_file=tmp_path / "keys.jsonl",
        rate_limit=0.01,
        rate_burst=3,
        allowed_hosts=(),
    )


def test_the_route_is_told_who_asks(guarded, key):
    answer = guarded.get("/whoami/x", headers={"Authorization": f"Bearer {key}"})
    assert answer.json()["caller"] == "ann"


def test_missing_key_gets_401_with_authentication_scheme(guarded, kind):
    answer = guarded.get("/whoami/x")
    assert (answer.status_code, kind(answer)) == (401, "key-required")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_revoked_key_is_refused_at_once(guarded, key, tmp_path):
    ApiKeyFile(tmp_path / "keys.jsonl").revoke("ann")
    assert guarded.get("/whoami/x", headers={"X-API-Key": key}).status_code == 401


def test_unknown_path_needs_a_key_too(guarded):
    assert guarded.get("/nothing").status_code == 401


def test_caller_over_rate_gets_429_and_probes_pass(guarded, key, kind):
    answers = [guarded.get("/whoami/x", headers={"X-API-Key": key}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit"].startswith('"caller";r=2')
    assert kind(answers[3]) == "too-many-requests" and int(answers[3].headers["retry-after"]) > 1
    assert guarded.get("/healthz", headers={"X-API-Key": key}).status_code == 200


def test_without_redis_a_limited_request_gets_503(behind_gate, kind):
    away = behind_gate(rate_limit=1, redis_url="redis://127.0.0.1:1")
    answer = away.get("/whoami/x")
    assert (answer.status_code, kind(answer)) == (503, "queue-unavailable")
    assert away.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1", "box"]
)
def test_this_host_is_known_by_its_names(behind_gate, host):
    client = behind_gate(allowed_hosts=("box",))
    assert client.get("/whoami/x", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0", "[::", ""])
def test_host_name_of_a_website_is_refused(behind_gate, host, kind):
    answer = behind_gate(allowed_hosts=()).get("/whoami/x", headers={"Host": host})
    assert (answer.status_code, kind(answer)) == (421, "wrong-host")


def test_listening_address_and_probes_by_any_host_pass(behind_gate):
    client = behind_gate(auth="off", host="10.1.2.3", allowed_hosts=("fill.example",))
    for path, host, status in (
        ("/whoami/x", "10.1.2.3:8000", 200),
        ("/whoami/x", "10.1.2.4:8000", 421),
        ("/healthz", "10.1.2.4:8000", 200),
    ):
        assert client.get(path, headers={"Host": host}).status_code == status


def test_with_keys_any_host_will_do(guarded, key):
    headers = {"Host": "fill.example", "X-API-Key": key}
    assert guarded.get("/whoami/x", headers=headers).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil", ""])
def test_a_website_s_script_cannot_post(behind_gate, origin, kind):
    answer = behind_gate().post("/echo", headers={"Origin": origin})
    assert (answer.status_code, kind(answer)) == (403, "cross-origin")


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://testserver"}])
def test_programs_and_our_own_pages_can(behind_gate, headers):
    assert behind_gate().post("/echo", headers=headers).status_code == 200


def test_cors_is_off_unless_an_origin_is_named(behind_gate):
    origin = {"Origin": "https://app.example"}
    asked = {**origin, "Access-Control-Request-Method": "POST"}
    assert (
        "access-control-allow-origin" not in behind_gate().get("/healthz", headers=origin).headers
    )
    friendly = behind_gate(cors_origins=("https://app.example",))
    assert friendly.post("/echo", headers=origin).status_code == 200
    allowed = friendly.options("/echo", headers=asked).headers["access-control-allow-origin"]
    assert allowed == "https://app.example"


def test_over_the_concurrency_limit_503_and_probes_pass(settings):
    async def crowd():
        app = small_app(settings.model_copy(update={"max_requests": 2}))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            slow = [asyncio.create_task(client.get("/slow")) for _ in range(2)]
            while len(app.state.going_on._waiters) < len(slow):
                await asyncio.sleep(0)
            third, probe = await client.get("/slow"), await client.get("/healthz")
            app.state.going_on.set()
            assert [answer.status_code for answer in await asyncio.gather(*slow)] == [200, 200]
            return third, probe, await client.get("/slow")

    third, probe, later = asyncio.run(crowd())
    assert third.json()["type"] == "/problems/busy" and third.headers["retry-after"]
    assert (probe.status_code, later.status_code) == (200, 200)


def test_connections_are_closed_before_the_shutdown_is_reported(settings, monkeypatch):
    messages = []

    async def close(limiter):
        messages.append("closed")

    async def send(message):
        messages.append(message["type"])

    async def run():
        received = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))

        async def receive():
            return next(received)

        limited = settings.model_copy(update={"rate_limit": 1})
        await small_app(limited)({"type": "lifespan", "state": {}}, receive, send)

    monkeypatch.setattr("service.middleware.rate_limit.RateLimiter.close", close)
    asyncio.run(run())
    assert messages == ["lifespan.startup.complete", "closed", "lifespan.shutdown.complete"]
