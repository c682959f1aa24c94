"""The API in Chromium with API keys on: `/docs`, against a real API and the stub model.

The stub model fills with the grey level of the seed, so that pixels can be checked.
"""

import pytest
from PIL import Image

from tests.helpers.browser import launch_browser
from tests.reliability.harness.service import running_service

pytestmark = [pytest.mark.server, pytest.mark.slow]

CAPTION = "a dog runs through the grass"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running_service(tmp_path_factory.mktemp("service")) as (cluster, key):
        yield cluster, key


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.new("RGB", (100, 80), (200, 40, 40)).save(path)
    return path


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


@pytest.fixture
def operation(page, service):
    """`POST /inpaint` on /docs, after Authorize and Try it out."""
    cluster, key = service
    page.goto(f"{cluster.address}/docs")
    page.locator(".auth-wrapper button.authorize").click()
    page.get_by_label("auth-bearer-value").fill(key)
    page.get_by_role("button", name="Apply credentials").first.click()
    page.locator("button.btn-done").first.click()
    operation = page.locator("#operations-Fill-inpaint")
    operation.locator(".opblock-summary-control").click()
    operation.locator("button.try-out__btn").click()
    return operation


PIXELS = """image => {
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight)
  const context = canvas.getContext("2d")
  context.drawImage(image, 0, 0)
  const at = (x, y) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)]
  return [canvas.width, canvas.height, at(0, 0), at(50, 40)]
}"""


def test_docs_suggest_a_caption_alone(operation):
    inputs = operation.locator("input:not([type=file], [type=checkbox]), textarea").all()
    assert len(inputs) == 12
    assert [text for each in inputs if (text := each.input_value())] == [CAPTION]


def test_docs_fill_a_picture_as_opened(operation, photo):
    operation.locator("input[type=file]").set_input_files(photo)
    operation.locator("button.execute").click()
    shown = operation.locator(".live-responses-table img")
    shown.wait_for()
    width, height, corner, (red, *others) = shown.evaluate(PIXELS)
    assert (width, height, corner) == (100, 80, [200, 40, 40])
    assert others == [red, red]  # grey, of a random seed
