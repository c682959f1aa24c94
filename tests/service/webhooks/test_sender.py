"""Sending, over real sockets on loopback."""

import asyncio
import ssl
from ipaddress import ip_address

import pytest
import trustme

from service.config.addresses import AllowList
from service.webhooks.sender import DeliveryError, Sender, resolve
from service.webhooks.url_check import WebhookUrl

LOOPBACK = AllowList.parse("127.0.0.0/8")


def send(
    receiver, *, allowed=LOOPBACK, resolve=resolve, seconds=5, authority=None, host="127.0.0.1"
):
    """Send to a receiver, over TLS where a certificate authority is given."""
    client = server = None
    if authority:
        server, client = (
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
            ssl.create_default_context(),
        )
        authority.issue_cert("hook.test").configure_cert(server)
        authority.configure_trust(client)
        server.sni_callback = lambda _, name, __: receiver.names.append(name)
        receiver.names = []

    async def run():
        sender = Sender(allowed, seconds, resolve, client)
        async with receiver.listening(server):
            scheme = "https" if authority else "http"
            try:
                await sender.send(
                    WebhookUrl(scheme, host, receiver.port, "/in?a=b"), {"x-own": "1"}, b"{}"
                )
            finally:
                await sender.close()

    asyncio.run(run())


def test_the_body_arrives_with_its_headers(receiver):
    one = receiver(200)
    send(one)
    [(first, headers, body)] = one.requests
    assert (first, body) == ("POST /in?a=b HTTP/1.1", b"{}")
    assert headers["x-own"] == "1" and headers["Content-Type"] == "application/json"
    assert headers["Host"] == f"127.0.0.1:{one.port}"


def test_a_private_address_is_never_connected_to(receiver):
    one = receiver(200)
    with pytest.raises(DeliveryError, match="no public address"):
        send(one, allowed=AllowList.parse(""))
    assert one.requests == []


def test_name_is_resolved_once_and_kept_for_tls(receiver):
    """A second look-up could give another address than the one that was checked."""
    asked = []

    async def rebinding(host, _):
        asked.append(host)
        return [ip_address("127.0.0.1" if len(asked) == 1 else "10.0.0.1")]

    one = receiver(200)
    send(one, resolve=rebinding, host="hook.test", authority=trustme.CA())
    assert asked == ["hook.test"] and one.names == ["hook.test"] and len(one.requests) == 1


def test_a_certificate_of_another_host_is_refused(receiver):
    async def anywhere(*_):
        return [ip_address("127.0.0.1")]

    with pytest.raises(DeliveryError, match="ConnectError"):
        send(receiver(200), resolve=anywhere, host="other.test", authority=trustme.CA())


def test_of_several_addresses_only_the_permitted_are_tried(receiver):
    async def both(*_):
        return [ip_address("10.255.255.1"), ip_address("127.0.0.1")]

    one = receiver(200)
    send(one, resolve=both, host="hook.test")
    assert len(one.requests) == 1


def test_a_redirect_is_not_followed(receiver):
    one = receiver(302)
    with pytest.raises(DeliveryError, match="302"):
        send(one)
    assert len(one.requests) == 1


@pytest.mark.parametrize(("status", "final"), [(410, True), (500, False), (404, False)])
def test_only_gone_is_final(receiver, status, final):
    with pytest.raises(DeliveryError) as error:
        send(receiver(status))
    assert error.value.final is final


def test_a_silent_receiver_is_left_in_time(receiver):
    with pytest.raises(DeliveryError, match="no response"):
        send(receiver(silent=True), seconds=0.2)


def test_unknown_host_name_is_a_connection_error(receiver):
    with pytest.raises(DeliveryError, match="no connection"):
        send(receiver(), host="nowhere.invalid")
