import asyncio

import pytest

from service.auth.api_keys import LOCAL, Principal
from service.auth.authentication import caller_id
from service.errors.queue import QueueUnavailable, TooManyRequests
from service.middleware.rate_limit import Allowance, RateLimiter

pytestmark = pytest.mark.server

ADDRESS = "10.0.0.1"


def with_limiter(settings, act, **changes):
    """What ``act`` makes of a limiter with some settings changed."""

    async def run():
        limiter = RateLimiter(settings.model_copy(update=changes))
        try:
            return await act(limiter)
        finally:
            await limiter.close()

    return asyncio.run(run())


def acquire(limiter, caller=LOCAL, address=ADDRESS):
    return limiter.acquire(caller, caller_id(caller, address))


async def knock(limiter, times, caller=LOCAL, address=ADDRESS):
    """How many of some requests are let in."""
    asked = (acquire(limiter, caller, address) for _ in range(times))
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, Allowance | TooManyRequests) for each in found)
    return sum(isinstance(each, Allowance) for each in found)


def test_a_burst_is_let_in_and_no_more(settings):
    slow = {"rate_limit": 0.01, "rate_burst": 5}
    assert with_limiter(settings, lambda limiter: knock(limiter, 50), **slow) == 5


def test_two_processes_share_a_bucket(settings):
    slow = {"rate_limit": 0.01, "rate_burst": 5}
    first = with_limiter(settings, lambda limiter: knock(limiter, 3), **slow)
    assert first + with_limiter(settings, lambda limiter: knock(limiter, 9), **slow) == 5


def test_tokens_come_back_at_the_rate(settings):
    async def empty_and_wait(limiter):
        await knock(limiter, 10)
        await asyncio.sleep(0.25)
        return await acquire(limiter)

    quick = {"rate_limit": 20, "rate_burst": 5}
    assert 3 <= with_limiter(settings, empty_and_wait, **quick).tokens <= 4


def test_caller_over_its_rate_gets_retry_after(settings):
    async def over(limiter):
        await acquire(limiter)
        with pytest.raises(TooManyRequests) as caught:
            await acquire(limiter)
        return caught.value

    error = with_limiter(settings, over, rate_limit=0.1, rate_burst=1)
    assert error.headers == {
        "Retry-After": "10",
        "RateLimit-Policy": '"caller";q=1;w=10',
        "RateLimit": '"caller";r=0;t=10',
    }


def test_each_key_has_its_own_bucket_and_rate(settings):
    async def three(limiter):
        callers = Principal("ann"), Principal("ben"), Principal("cat", rate=0)
        return [
            None if await acquire(limiter, caller) is None else 1 + await knock(limiter, 5, caller)
            for caller in callers
        ]

    changes = {"auth": "on", "rate_limit": 0.01, "rate_burst": 2}
    assert with_limiter(settings, three, **changes) == [2, 2, None]


def test_without_keys_addresses_are_told_apart(settings):
    async def two(limiter):
        return await knock(limiter, 3), await knock(limiter, 3, address="10.0.0.2")

    assert with_limiter(settings, two, rate_limit=0.01, rate_burst=2) == (2, 2)


def test_local_use_is_unlimited_but_keys_are_limited(settings):
    def ask(limiter):
        return acquire(limiter, Principal("ann"))

    assert with_limiter(settings, ask) is None
    assert with_limiter(settings, ask, auth="on").rate == 20


def test_a_redis_that_is_away_is_said_so(settings):
    away = {"rate_limit": 1, "redis_url": "redis://127.0.0.1:1"}
    with pytest.raises(QueueUnavailable):
        with_limiter(settings, acquire, **away)


def test_an_idle_bucket_is_forgotten(settings, server):
    changes = {"rate_limit": 10, "rate_burst": 5}
    with_limiter(settings, lambda limiter: knock(limiter, 2), **changes)
    name = f"{{{settings.namespace}}}:rate:address:{ADDRESS}"
    assert 0 < server.pttl(name) <= 1200
