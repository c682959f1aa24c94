from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.redis.url import check_redis_url, secrets_of

# What people's passwords have in them, and whatever else Unicode knows.
PASSWORDS = st.one_of(
    st.text(st.sampled_from("aZ9@#/?:%[]&=+ \t\n'\"\\é漢"), min_size=5, max_size=24),
    st.text(min_size=5, max_size=24),
).filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text))


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://",
        "redis://queue:6379/2",
        "redis://[::1]:6379",
        "redis://user:p%40ss@my_redis.svc:6379/0?socket_keepalive=true",
        "redis://:a:b=c&d%@host",
        "rediss://h:6380?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=1",
        "unix://user:secret@/run/a%23b.sock",
    ],
)
def test_good_urls_pass(url):
    check_redis_url(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:6379", "must start with redis://"),
        ("redis://:p@ss#w/rd@host", "percent-encode"),
        ("redis://:pa/ss@host", "percent-encode"),
        ("redis://:pa?ss@host", "percent-encode"),
        ("redis://user:12?34@host", "percent-encode"),
        ("redis://user:12/34@host", "percent-encode"),
        ("redis://:[x@host", "percent-encode"),
        ("redis://host:port", "percent-encode"),
        ("redis://host:6379/name", "percent-encode"),
        ("unix://redis.sock", "percent-encode"),
        ("redis://host?foo=bar", "unknown option 'foo'"),
        ("redis://host?protocol=3", "unknown option 'protocol'"),
        ("redis://host?decode_responses=1", "unknown option"),
        ("redis://host?ssl_cert_reqs=none", "unknown option"),
        ("redis://host?db=one", "value that cannot be used"),
        ("redis://host:99999", "value that cannot be used"),
        ("rediss://host?ssl_cert_reqs=perhaps", "value that cannot be used"),
    ],
)
def test_bad_urls_are_refused_with_advice(url, said):
    with pytest.raises(ValueError, match=said):
        check_redis_url(url)


@given(PASSWORDS, st.sampled_from(["redis", "rediss", "unix"]))
def test_no_password_is_ever_in_the_error(password, scheme):
    where = "/run/redis.sock" if scheme == "unix" else "host:6379/0"
    try:
        check_redis_url(f"{scheme}://:{password}@{where}")
    except ValueError as error:
        message = str(error)
        assert password not in message and quote(password) not in message
        assert error.__suppress_context__ or error.__context__ is None


@given(PASSWORDS)
def test_an_encoded_password_always_passes_and_is_known(password):
    url = f"redis://user:{quote(password, safe='')}@host:6379/0"
    check_redis_url(url)
    assert password in secrets_of(url)


@given(PASSWORDS)
def test_what_passes_is_read_as_it_is_meant(password):
    """Raw or not: redis-py finds the host that stands behind the last @, and the whole password."""
    from redis.connection import parse_url

    url = f"redis://:{password}@host.example:6379/0"
    try:
        check_redis_url(url)
    except ValueError:
        return
    read = parse_url(url)
    assert read["host"] == "host.example" and read["password"] in secrets_of(url)
