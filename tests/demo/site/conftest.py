"""The built demo in Chromium: `make demo-test` builds it and runs these tests."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from captionfill import Inpainter
from tests.demo.site.static_server import serve_folder
from tests.helpers.browser import launch_browser

BUILT = Path("build/demo").resolve()
HOST_PAGE = "<!doctype html><title>Another</title><link rel=icon href=data:,><h1>Another page</h1>"


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """A site that has the demo in a folder, and a page of its own."""
    assert (BUILT / "index.html").is_file(), "run `make demo-site` first"
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text(HOST_PAGE)
    (folder / "demo").symlink_to(BUILT)
    return folder


@pytest.fixture(scope="session")
def server(root):
    with serve_folder(root) as server:
        yield server


@pytest.fixture(scope="session")
def browser():
    with launch_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def inpainter():
    """The service's, on its engine in float32."""
    return Inpainter.load(engine="openvino-f32")


@pytest.fixture(scope="session")
def opened(browser):
    """Opens an address in a fresh profile; the page must log no error but an expected one."""

    @contextmanager
    def open_page(address, expected=None, **options):
        context = browser.new_context(**options)
        context.set_default_timeout(60_000)
        page = context.new_page()
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: message.type == "error" and faults.append(message.text))
        page.goto(address)
        yield page
        context.close()
        assert [fault for fault in faults if not (expected and expected in fault)] == []

    return open_page


@pytest.fixture(scope="session")
def module(opened, server):
    """Another page that has imported the module and loaded the model into `inpainter`."""
    with opened(server.address) as page:
        page.evaluate(
            """async () => {
              const { Inpainter } = await import("./demo/captionfill.js");
              window.inpainter = await Inpainter.load();
            }"""
        )
        yield page
