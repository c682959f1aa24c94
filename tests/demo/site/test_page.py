"""The demo's page: offline, private, small, quick, and usable as the service's."""

import re
import time

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from tests.demo.site.static_server import serve_folder
from tests.helpers.waiting import eventually


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "wall.png"
    Image.new("RGB", (300, 200), (200, 40, 40)).save(path)
    return path


@pytest.fixture
def page(opened, server):
    with opened(f"{server.address}/demo/") as page:
        yield page


def take_example(page, index=0):
    page.click(f"#examples button >> nth={index}")
    page.wait_for_selector("#stage:not([hidden])")


def finish(page):
    expect(page.locator("#status")).to_contain_text("Done", timeout=60_000)


def fill_anew(page, caption):
    """Seconds from the click until the result is shown."""
    page.evaluate("document.getElementById('status').textContent = ''")
    page.fill("#caption", caption)
    start = time.monotonic()
    page.click("#fill")
    finish(page)
    return time.monotonic() - start


def test_works_offline_after_the_first_visit(browser, root):
    context = browser.new_context()
    page = context.new_page()
    with serve_folder(root) as server:
        page.goto(f"{server.address}/demo/")
        is_kept = """async () => (await caches.keys()).length === 2 &&
          (await (await caches.open("captionfill-models")).keys()).length === 6 &&
          Boolean((await navigator.serviceWorker.getRegistration())?.active)"""
        assert eventually(lambda: page.evaluate(is_kept), seconds=60)
        sent = list(server.sent)
    assert 30e6 < sum(size for _, size in sent) <= 45e6
    large = [path for path, size in sent if size > 1e6]
    assert len(large) == len(set(large)) == 4
    page.reload()  # no server any more
    take_example(page, 2)
    page.press("#caption", "Enter")
    finish(page)
    context.close()


def test_nothing_leaves_the_browser(page, server):
    requests = []
    page.context.on("request", lambda one: requests.append((one.method, one.url)))
    take_example(page)
    page.press("#caption", "Enter")
    finish(page)
    assert {method for method, _ in requests} == server.methods == {"GET"}
    own = (server.address, "blob:", "data:")
    assert [url for _, url in requests if not url.startswith(own)] == []
    before = len(requests)
    fill_anew(page, "a secret caption")
    assert [url for _, url in requests[before:] if not url.startswith("blob:")] == []


def test_the_policy_refuses_other_sites(opened, server, root):
    script = """(address) => fetch(address, { mode: "no-cors" }).then(() => "sent", String)"""
    with serve_folder(root) as other:
        assert other.address != server.address
        with opened(f"{server.address}/demo/", expected="Security Policy") as page:
            take_example(page)
            page.press("#caption", "Enter")
            finish(page)
            [worker] = page.workers
            for place in (page, worker):
                assert "TypeError" in place.evaluate(script, other.address)
                assert place.evaluate(script, server.address) == "sent"
            page.evaluate("(address) => { new Image().src = address; }", f"{other.address}/a.png")
            page.reload()
        assert other.sent == []


def test_is_quick_on_two_cores(opened, server):
    firsts, nexts = [], []
    for _ in range(5):  # the best of five: what else the machine does is not the demo's time
        with opened(f"{server.address}/demo/") as page:
            start = time.monotonic()
            page.reload()
            take_example(page)
            page.select_option("#count", "1")
            page.press("#caption", "Enter")
            finish(page)
            firsts.append(time.monotonic() - start)
            nexts += [fill_anew(page, f"a cat, number {i}") for i in range(6)]
        if min(firsts) <= 3 and min(nexts) <= 0.3:
            break
    assert min(firsts) <= 3 and min(nexts) <= 0.3


def test_a_link_reproduces_the_result(opened, page, photo):
    page.set_input_files("#file", photo)
    page.fill("#caption", "a red wall")
    page.fill("#seed", "5")
    page.press("#caption", "Enter")
    finish(page)
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text }")
    page.click("#link")
    assert eventually(lambda: page.evaluate("window.copied"))
    with opened(page.evaluate("copied")) as other:
        other.set_input_files("#file", photo)
        other.wait_for_selector("#stage:not([hidden])")
        other.click("#fill")
        finish(other)
        expect(other.locator("#details")).to_contain_text("The same result as in the link")


def test_a_fill_can_be_cancelled(page):
    take_example(page)
    page.select_option("#count", "8")
    page.press("#caption", "Enter")
    page.click("#cancel")
    expect(page.locator("#status")).to_have_text("Cancelled.")
    assert page.is_enabled("#fill")
    fill_anew(page, "a cat")
    assert page.is_hidden("#problem")


def test_a_missing_file_is_reported(browser, server):
    page = browser.new_page()
    page.context.route("**/encoder-*", lambda route: route.fulfill(status=404))
    page.goto(f"{server.address}/demo/")
    take_example(page)
    page.press("#caption", "Enter")
    problem = page.locator("#problem")
    expect(problem).to_contain_text("cannot be loaded: status 404", timeout=60_000)
    assert page.is_enabled("#fill")
    page.close()


def test_a_blocked_worker_is_reported(browser, server):
    page = browser.new_page()
    page.context.route("**/worker.js", lambda route: route.abort())
    page.goto(f"{server.address}/demo/")
    take_example(page)
    page.press("#caption", "Enter")
    expect(page.locator("#problem")).to_contain_text("cannot be started")
    page.close()


def test_bad_captions_are_answered_in_words(page, photo):
    page.set_input_files("#file", photo)
    page.wait_for_selector("#stage:not([hidden])")
    page.fill("#caption", "a\u0007wall")
    page.click("#fill")
    expect(page.locator("#problem")).to_contain_text("control characters", timeout=60_000)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1440, "light")])
def test_compares_captions_and_fits(opened, server, width, scheme, tmp_path):
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with opened(f"{server.address}/demo/", **options) as page:
        take_example(page, 4)
        page.fill("#compare", "a temple at night")
        page.press("#caption", "Enter")
        finish(page)
        shown = {}
        for view in ("fill", "captions", "difference", "doubt"):
            page.click(f"[data-view={view}]")
            page.locator("#viewer").screenshot(path=tmp_path / f"{view}.png")
            shown[view] = np.asarray(Image.open(tmp_path / f"{view}.png").convert("RGB"))
        assert not np.array_equal(shown["difference"], shown["doubt"])
        assert page.locator("#candidates button").count() == 4
        levels = re.search(r"([\d.]+) of 255", page.inner_text("#legend"))
        assert levels and float(levels[1]) > 0.5
        assert Axe().run(page).violations_count == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width
