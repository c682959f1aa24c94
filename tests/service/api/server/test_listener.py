import errno
import socket

import pytest

from captionfill.errors import StartError
from service.api.server.listener import inherit, listen

IPV6 = socket.has_dualstack_ipv6()


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def answers(host, port):
    try:
        socket.create_connection((host, port), 5).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not IPV6, reason="this machine has no IPv6")
@pytest.mark.parametrize(("host", "by"), [("::", {"::1", "127.0.0.1"}), ("::1", {"::1"})])
def test_every_ipv6_address_includes_ipv4(port, host, by):
    with listen(host, port):
        assert {each for each in ("::1", "127.0.0.1") if answers(each, port)} == by


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_ipv4_and_names_are_listened_on(port, host):
    with listen(host, port):
        assert answers("127.0.0.1", port)


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_without_ipv6_the_error_says_so(port, monkeypatch, number):
    def refuse(*_, **__):
        raise OSError(number, "no")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(StartError, match=r"no IPv6") as caught:
        listen("::", port)
    assert "HOST=0.0.0.0" in str(caught.value)


@pytest.mark.parametrize("host", ["nowhere.invalid", "203.0.113.7", "a..b", "x" * 300, "é" * 99])
def test_an_address_of_another_machine_is_one_line(port, host):
    with pytest.raises(StartError, match="cannot listen on") as caught:
        listen(host, port)
    assert len(str(caught.value).splitlines()) == 1


def test_a_descriptor_that_is_no_socket_is_named(tmp_path):
    with (tmp_path / "file").open("w") as file, pytest.raises(StartError, match="LISTEN_FD"):
        inherit(file.fileno())
    with pytest.raises(StartError, match="LISTEN_FD"):
        inherit(987654)


def test_a_socket_is_inherited(port):
    with listen("127.0.0.1", port) as listener, inherit(socket.dup(listener.fileno())) as same:
        assert same.getsockname() == ("127.0.0.1", port)
