"""The API in Chromium with API keys on: `/docs` and the example of `docs/examples/browser/`.

The stub model fills with the grey level of the seed, so that pixels can be checked.
"""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.helpers.archives import zip_bytes
from tests.helpers.browser import launch_browser
from tests.helpers.ports import free_port
from tests.reliability.harness.cluster import ROOT
from tests.reliability.harness.service import running_service

pytestmark = [pytest.mark.server, pytest.mark.slow]

CAPTION = "a dog runs through the grass"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A service with an API key that serves the origin of the example, which is another."""
    folder, port = tmp_path_factory.mktemp("service"), free_port()
    origin = f"http://127.0.0.1:{port}"
    with running_service(folder, CORS_ORIGINS=origin) as (cluster, key):
        yield cluster, key, origin


@pytest.fixture(scope="module")
def example(service):
    """The address of the example's page."""
    *_, origin = service
    handler = partial(QuietHandler, directory=ROOT / "docs" / "examples" / "browser")
    with ThreadingHTTPServer(("127.0.0.1", int(origin.rpartition(":")[2])), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield origin
        server.shutdown()


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.new("RGB", (64, 64), (200, 40, 40)).save(path)  # a fill of 32×32 is not scaled
    return path


@pytest.fixture(scope="module")
def files(photo):
    """A photo, one with a hole, and an archive of one."""
    holed, archive = photo.with_name("holed.png"), photo.with_name("archive.zip")
    with Image.open(photo) as image:
        image.putalpha(255)
        image.paste((0, 0, 0, 0), (40, 30, 60, 50))
        image.save(holed)
    rows = "file_name,caption\nphoto.png,a cat\n"
    archive.write_bytes(zip_bytes({"photo.png": photo.read_bytes(), "metadata.csv": rows}))
    return {"photo": photo, "holed": holed, "archive": archive}


@pytest.fixture(scope="module")
def browser():
    with launch_browser() as browser:
        yield browser


@pytest.fixture
def page(browser):
    """A page that must log no error."""
    context = browser.new_context(viewport={"width": 1280, "height": 1600})
    context.set_default_timeout(20_000)
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: message.type == "error" and faults.append(message.text))
    yield page
    assert faults == []
    context.close()


def try_out(page, name):
    operation = page.locator(f"#operations-{name}")
    operation.locator(".opblock-summary-control").click()
    operation.locator("button.try-out__btn").click()
    return operation


@pytest.fixture
def operation(page, service):
    """`POST /inpaint` on /docs, after Authorize and Try it out."""
    cluster, key, _ = service
    page.goto(f"{cluster.address}/docs")
    page.locator(".auth-wrapper button.authorize").click()
    page.get_by_label("auth-bearer-value").fill(key)
    page.get_by_role("button", name="Apply credentials").first.click()
    page.locator("button.btn-done").first.click()
    return try_out(page, "Fill-inpaint")


PIXELS = """image => {
  const width = image.naturalWidth ?? image.width, height = image.naturalHeight ?? image.height
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext("2d")
  context.drawImage(image, 0, 0)
  const at = (x, y) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)]
  return [canvas.width, canvas.height, at(0, 0), at(32, 32)]
}"""


def test_docs_suggest_a_caption_alone(operation):
    inputs = operation.locator("input:not([type=file], [type=checkbox]), textarea").all()
    assert len(inputs) == 15
    assert [text for each in inputs if (text := each.input_value())] == [CAPTION]


def test_docs_fill_a_picture_as_opened(operation, photo):
    operation.locator("input[type=file]").first.set_input_files(photo)
    operation.locator("button.execute").click()
    shown = operation.locator(".live-responses-table img")
    shown.wait_for()
    width, height, corner, (red, *others) = shown.evaluate(PIXELS)
    assert (width, height, corner) == (64, 64, [200, 40, 40])
    assert others == [red, red]  # grey, of a random seed


def test_docs_run_other_operations_as_opened(operation, files):
    others = {
        "Fill-inpaint_json": ("photo", 200),
        "OpenAI-edit_image": ("holed", 200),
        "Batches-create_batch": ("archive", 202),
        "Models-models": ("", 200),
        "Operation-problem": ("", 200),
    }
    for name, (file, status) in others.items():
        other = try_out(operation.page, name)
        if file:
            other.locator("input[type=file]").first.set_input_files(files[file])
        other.locator("button.execute").click()
        answer = other.locator(".live-responses-table tr.response td.response-col_status")
        expect(answer).to_contain_text(str(status))


def fill_example(page, example, address, photo, key):
    page.goto(example)
    for name, value in {"Service": address, "API key": key, "Seed": "7"}.items():
        page.get_by_label(name).fill(value)
    page.get_by_label("Photo").set_input_files(photo)
    page.get_by_role("button", name="Fill").click()


def test_the_example_draws_its_result_on_a_canvas(page, example, service, photo):
    cluster, key, _ = service
    fill_example(page, example, cluster.address, photo, key)
    expect(page.get_by_role("status")).to_have_text("done")
    page.wait_for_function("document.querySelector('canvas').width === 64")
    width, height, corner, centre = page.locator("canvas").evaluate(PIXELS)
    assert (width, height, corner, centre) == (64, 64, [200, 40, 40], [7, 7, 7])


def test_the_example_follows_the_events(page, example, service, photo):
    cluster, key, _ = service
    with page.expect_response("**/events?token=*") as followed:
        fill_example(page, example, cluster.address, photo, key)
    answer = followed.value
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "x-api-key" not in answer.request.headers
    expect(page.get_by_role("status")).to_have_text("done")
    token = answer.url.partition("token=")[2]
    assert len(token) > 64 and token not in cluster.logs()


def test_the_example_says_what_is_wrong(browser, example, service, photo):
    cluster, _, _ = service
    page = browser.new_page()
    fill_example(page, example, cluster.address, photo, "cf_wrong")
    expect(page.get_by_role("status")).to_have_text("this API key is not known")
    page.close()
