"""The service behind a real nginx, under a path: taken off, kept, and known by a setting."""

import os
import shutil
import socket
import subprocess

import httpx
import pytest

from tests.conftest import draw_picture
from tests.helpers.waiting import eventually
from tests.reliability.harness.cluster import Cluster, free_port

pytestmark = [pytest.mark.server, pytest.mark.slow]

CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  proxy_http_version 1.1;
  server {{
    listen 127.0.0.1:{port};
    location /taken-off/ {{
      proxy_pass http://127.0.0.1:{api}/;
      proxy_set_header Host internal.invalid;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Prefix /taken-off;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
    location /kept/ {{
      proxy_pass http://127.0.0.1:{api};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Host "";
      proxy_set_header X-Forwarded-Prefix /kept;
    }}
    location /by/setting/ {{
      proxy_pass http://127.0.0.1:{other}/;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Host "";
      proxy_set_header X-Forwarded-Prefix "";
    }}
  }}
}}
"""
PREFIXES = ("/taken-off", "/kept", "/by/setting")


@pytest.fixture(scope="module")
def nginx():
    """The program; it may be missing on a developer's machine, but not in CI."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None and os.environ.get("CI"):
        pytest.fail("nginx is not installed: apt-get install nginx-light")
    if found is None:
        pytest.skip("nginx is not installed")
    return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two APIs, of which the second has its root path from a setting; a worker is started later."""
    folder = tmp_path_factory.mktemp("cluster")
    with Cluster(folder, {"AUTH": "off", "TRUSTED_PROXIES": "127.0.0.1"}) as cluster:
        cluster.api()
        cluster.settings["ROOT_PATH"] = "/by/setting"
        cluster.other = free_port()
        cluster.api(cluster.other)
        yield cluster


@pytest.fixture(scope="module")
def public(nginx, cluster, tmp_path_factory):
    """The address of the proxy."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    text = CONFIG.format(folder=folder, port=port, api=cluster.port, other=cluster.other)
    (folder / "nginx.conf").write_text(text)
    command = [nginx, "-p", str(folder), "-e", str(folder / "error.log")]
    process = subprocess.Popen([*command, "-c", str(folder / "nginx.conf")])
    address = f"http://127.0.0.1:{port}"

    def is_up():
        try:
            return all(httpx.get(f"{address}{prefix}/healthz").is_success for prefix in PREFIXES)
        except httpx.TransportError:
            assert process.poll() is None, (folder / "error.log").read_text()
            return False

    assert eventually(is_up)
    yield address
    process.terminate()
    process.wait(10)


@pytest.fixture(params=PREFIXES)
def prefix(request):
    return request.param


@pytest.fixture
def send(public, prefix, tmp_path):
    """Post a picture, to be filled later; the answer."""

    def post(path="/inpaint"):
        form = {
            "image": draw_picture(tmp_path / "a.png", 1).read_bytes(),
            "caption": (None, "a cat"),
        }
        headers = {"Prefer": "respond-async"}
        return httpx.post(f"{public}{prefix}{path}", files=form, headers=headers, timeout=30)

    return post


def test_events_stream_through_and_links_lead_back(cluster, public, prefix, send):
    accepted = send()
    assert accepted.status_code == 202, accepted.text
    links = accepted.json()["links"]
    assert all(link.startswith(f"{prefix}/jobs/") for link in links.values())
    assert accepted.headers["location"] == links["self"]
    with httpx.stream("GET", public + links["events"], timeout=60) as stream:
        lines = stream.iter_lines()
        # Nobody works, so the end is far: what comes now was not held back by the proxy.
        assert next(line for line in lines if line.startswith("event:")) == "event: queued"
        worker = cluster.worker()
        messages = list(lines)
    worker.kill()
    worker.wait()
    assert "event: done" in messages and f'"self":"{prefix}/jobs/' in "".join(messages)
    result = httpx.get(public + links["result"])
    assert result.status_code == 200 and result.headers["content-type"] == "image/png"


def test_a_batch_and_its_links(public, prefix, send):
    accepted = send("/batches")
    assert accepted.status_code == 202, accepted.text
    place = accepted.headers["location"]
    assert place.startswith(f"{prefix}/batches/")
    assert httpx.get(public + place).json()["links"]["self"] == place


def test_redirects_and_documents_name_the_public_address(public, prefix):
    redirect = httpx.get(f"{public}{prefix}/v1/models/", headers={"Accept": "*/*"})
    assert redirect.headers["location"] == f"{public}{prefix}/v1/models"
    document = httpx.get(f"{public}{prefix}/openapi.json").json()
    assert document["servers"] == [{"url": prefix}]
    page = httpx.get(f"{public}{prefix}/docs")
    assert page.status_code == 200 and 'src="docs/start.js"' in page.text
    assert httpx.get(f"{public}{prefix}/docs/start.js").status_code == 200


def test_a_prefix_that_the_client_sends_changes_nothing(public, prefix):
    headers = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil.example"}
    document = httpx.get(f"{public}{prefix}/openapi.json", headers=headers).json()
    assert document["servers"] == [{"url": prefix}]


def test_a_large_upload_passes_whole(public, prefix):
    form = {"image": bytes(5_000_000), "caption": (None, "a cat")}
    answer = httpx.post(f"{public}{prefix}/inpaint", files=form, timeout=30)
    assert answer.status_code == 415


def test_the_api_itself_believes_no_stranger(cluster):
    with socket.create_connection(("127.0.0.1", cluster.port), 10, ("127.0.0.9", 0)) as stranger:
        request = "GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-Prefix: /evil\r\n"
        stranger.sendall(f"{request}Connection: close\r\n\r\n".encode())
        found = b""
        while piece := stranger.recv(65536):
            found += piece
    assert found.startswith(b"HTTP/1.1 200") and b"/evil" not in found
