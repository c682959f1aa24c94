import pytest

from service.config.settings import Settings
from service.errors.requests import InvalidWebhook
from service.webhooks.url_check import check_webhook_url


def check(url, secret="whsec_" + "QUFB" * 8, **settings):
    return check_webhook_url(url, Settings(webhook_secret=secret, **settings))


def test_a_public_https_address_is_taken_apart():
    target = check("https://Hooks.Example.com:8443/in?x=1")
    assert vars(target) == {
        "scheme": "https", "host": "hooks.example.com", "port": 8443, "path": "/in?x=1",
    }  # fmt: skip
    assert target.authority == "hooks.example.com:8443"


def test_a_public_ipv6_address_is_taken():
    assert check("https://[2606:4700::1111]/").authority == "[2606:4700::1111]"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "017700000001", "0.0.0.0", "10.0.0.1",
     "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.88.99.1", "198.18.0.1", "224.0.0.1",
     "233.252.0.1", "240.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fe80::1]",
     "[fe80::1%25eth0]", "[fc00::1]", "[fec0::1]", "[ff0e::1]", "[::ffff:127.0.0.1]",
     "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]",
     "[2002:7f00:1::]", "[2001::1]",
     "[2001:db8::1]", "[3fff::1]", "[5f00::1]", "localhost", "localhost.", "a.localhost",
     "redis", "metadata.google.internal", "printer.local"],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(host):
    with pytest.raises(InvalidWebhook):
        check(f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    ["", "https://", "http://example.com/", "ftp://example.com/", "//example.com/", "example.com",
     "https://user:pw@example.com/", "https://example.com@127.0.0.1/", "https://example.com:0/",
     "https://example.com:99999/", "https://example.com:x/", "https://exa mple.com/",
     "https://example.com/\r\nX: y", "https://example.com\\@10.0.0.1/", "https://-\u00e4.com/",
     "https://example.com/a b", "https://a\u2024\u00e4.com/", "https://example.com/\u202e",
     "https://example.com/#x", "https://[::1", "https://a..b/", "https://-a.com/",
     "https://example.com/" + "x" * 2048],
)  # fmt: skip
def test_url_that_is_not_plain_https_is_refused(url):
    with pytest.raises(InvalidWebhook):
        check(url)


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://b\u00fccher.example/in", "xn--bcher-kva.example", "/in"),
        ("https://B\u00dcCHER.example/in", "xn--bcher-kva.example", "/in"),
        ("https://\u4f8b\u3048\u3002\u30c6\u30b9\u30c8/", "xn--r8jz45g.xn--zckzah", "/"),
        ("https://example.com/caf\u00e9?q=\u00fc%20", "example.com", "/caf%C3%A9?q=%C3%BC%20"),
    ],
)
def test_internationalised_addresses_are_encoded(url, host, path):
    target = check(url)
    assert (target.host, target.path) == (host, path)


@pytest.mark.parametrize(
    "host",
    [
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
        "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
    ],
)
def test_a_private_host_in_other_digits_is_refused(host):
    with pytest.raises(InvalidWebhook, match="not a public"):
        check(f"https://{host}/")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://exa mple.com/", "a space or line break as character 12"),
        ("https://example.com/a\r\nb", "line break as character 22"),
        ("https://example.com/a\u00a0b", "as character 22"),
        ("https://example.com\\@x/", "as character 20"),
        ("https://example.com/" + "x" * 2048, "more than 2,048"),
        ("https://a..b/", "'a..b' is no valid"),
        ("https://-\u00fc.de/", "is no valid"),
    ],
)
def test_what_is_wrong_with_an_address_is_named(url, message):
    with pytest.raises(InvalidWebhook, match=message):
        check(url)


def test_http_is_allowed_only_for_named_hosts():
    assert check("http://hooks/", webhook_allow="hooks, other").port == 80
    assert check("http://10.1.2.3/", webhook_allow="10.0.0.0/8").scheme == "http"
    with pytest.raises(InvalidWebhook, match="https"):
        check("http://hooks.corp/", webhook_allow="10.0.0.0/8")


def test_without_a_secret_there_are_no_webhooks():
    with pytest.raises(InvalidWebhook, match="SECRET"):
        check("https://example.com/", secret="")


@pytest.mark.parametrize(
    "bad",
    [{"webhook_secret": "whsec_c2hvcnQ="}, {"webhook_secret": "QUFB" * 8},
     {"webhook_secret": "whsec_*"}, {"webhook_allow": "10.0.0.1/8"}],
)  # fmt: skip
def test_bad_secret_or_network_fails_at_start_undisclosed(bad):
    with pytest.raises(ValueError, match=r"whsec_|host bits") as error:
        Settings(**bad)
    assert "c2hvcnQ" not in str(error.value)
