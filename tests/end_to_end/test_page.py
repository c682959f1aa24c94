"""The page at `/` in Chromium, against a real API and a worker with the stub model.

The stub model fills with the grey level of the seed, so that pixels can be checked.
"""

import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from tests.helpers.browser import launch_browser
from tests.helpers.waiting import eventually
from tests.reliability.harness.cluster import Cluster
from tests.reliability.harness.service import running_service

pytestmark = [pytest.mark.server, pytest.mark.slow]

SEED = 100


@pytest.fixture(scope="module")
def browser():
    with launch_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("page"), {"AUTH": "off", "RATE_LIMIT": "0"}) as cluster:
        cluster.api()
        cluster.worker()
        cluster.wait_until_ready()
        yield cluster


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "it's a photo.png"
    Image.new("RGB", (300, 200), (200, 40, 40)).save(path)
    return path


@contextmanager
def opened(browser, address, **options):
    """Open the page; it must log no error."""
    context = browser.new_context(**options)
    context.set_default_timeout(20_000)
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: message.type == "error" and faults.append(message.text))
    page.goto(address)
    yield page
    assert [fault for fault in faults if "status of 4" not in str(fault)] == []
    context.close()


@pytest.fixture
def page(browser, cluster):
    with opened(browser, cluster.address) as page:
        yield page


def choose(page, photo):
    page.set_input_files("#file", photo)
    page.wait_for_selector("#stage:not([hidden])")


def fill(page, caption="a red wall", seed=SEED, count="1", **fields):
    page.fill("#caption", caption)
    page.fill("#seed", str(seed))
    page.select_option("#count", count)
    page.select_option("#detail", "none")  # so that the fill's level is known
    for name, value in fields.items():
        page.fill(f"#{name}", value)
    page.press("#caption", "Enter")


def finish(page):
    expect(page.locator("#status")).to_have_text(re.compile("Done in"), timeout=20_000)


def pixel(page, x, y, canvas="under"):
    return page.evaluate(
        "([id, x, y]) => {"
        "  const context = document.getElementById(id).getContext('2d');"
        "  return [...context.getImageData(x, y, 1, 1).data];"
        "}",
        [canvas, x, y],
    )


def region(page):
    return [int(page.input_value(f"#{name}")) for name in ("left", "top", "side")]


def test_a_photo_is_filled_at_its_own_size(page, photo):
    choose(page, photo)
    assert region(page) == [100, 50, 100]
    fill(page)
    finish(page)
    assert page.evaluate("[under.width, under.height]") == [300, 200]
    assert pixel(page, 150, 100)[:3] == [SEED] * 3
    assert pixel(page, 99, 100)[:3] == [200, 40, 40]
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == f"it's a photo-filled-{SEED}.png"
    with Image.open(download.value.path()) as image:
        assert image.size == (300, 200) and image.getpixel((150, 100)) == (SEED,) * 3


def test_the_square_is_moved_and_sized(page, photo):
    choose(page, photo)
    box = page.locator("#region").bounding_box()
    scale = page.locator("#picture").bounding_box()["width"] / 300
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(
        box["x"] + box["width"] / 2 - 40 * scale, box["y"] + box["height"] / 2 + 20 * scale, steps=4
    )
    page.mouse.up()
    assert region(page) == [60, 70, 100]
    corner = page.locator("#region .handle[data-corner=se]").bounding_box()
    middle = corner["x"] + corner["width"] / 2, corner["y"] + corner["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] - 30 * scale, middle[1] - 30 * scale, steps=4)
    page.mouse.up()
    assert region(page) == [60, 70, 70]
    for key in ("ArrowLeft", "Shift+ArrowDown", "+", "-", "-"):
        page.locator("#region").press(key)
    assert region(page) == [59, 80, 69]
    page.fill("#left", "900")
    page.press("#left", "Tab")
    assert region(page) == [231, 80, 69]
    assert "69 by 69" in page.get_attribute("#region", "aria-label")


def test_a_large_square_is_warned_of(page, tmp_path):
    Image.new("RGB", (600, 600)).save(tmp_path / "large.png")
    choose(page, tmp_path / "large.png")
    assert "9.4 times" in page.inner_text("#large")


def test_candidates_captions_and_doubt_are_shown(page, photo):
    choose(page, photo)
    fill(page, count="4", compare="a blue wall")
    finish(page)
    assert page.locator("#candidates button").count() == 4
    page.click("#candidates button >> nth=2")
    assert pixel(page, 150, 100)[:3] == [SEED + 2] * 3
    page.click("[data-view=captions]")
    assert pixel(page, 150, 100)[:3] == [SEED + 3] * 3
    assert pixel(page, 150, 100, "over")[:3] == [SEED + 2] * 3
    assert "a blue wall" in page.inner_text("#slider-right")
    page.click("[data-view=difference]")
    assert "1.0 of 255 levels" in page.inner_text("#legend")
    assert pixel(page, 150, 100, "over")[3] > 0 and pixel(page, 50, 100, "over")[3] == 0
    page.click("[data-view=doubt]")
    assert "of 4 candidates: 1.1 of 255" in page.inner_text("#legend")


def test_the_slider_uncovers_the_result(page, photo):
    choose(page, photo)
    fill(page)
    finish(page)
    hidden = {}
    for key in ("Home", "End"):
        page.locator("#slider").press(key)
        clip = page.evaluate("over.style.clipPath")
        hidden[key] = re.fullmatch(r"inset\(0(?:px)? ([\d.]+)(?:%|px) .*\)", clip)[1]
    assert hidden == {"Home": "100", "End": "0"}


def test_an_example_is_filled_at_once(page):
    page.click("#examples button >> nth=0")
    page.wait_for_selector("#stage:not([hidden])")
    assert "cat" in page.input_value("#caption")
    page.press("#caption", "Enter")
    finish(page)


def test_a_photo_can_be_dropped_and_pasted(page):
    script = """async (kind) => {
      const canvas = new OffscreenCanvas(kind === "drop" ? 80 : 96, 80);
      canvas.getContext("2d").fillRect(0, 0, 9, 9);
      const data = new DataTransfer();
      data.items.add(new File([await canvas.convertToBlob()], "some.png", { type: "image/png" }));
      const event = kind === "drop"
        ? new DragEvent("drop", { dataTransfer: data })
        : new ClipboardEvent("paste", { clipboardData: data });
      dispatchEvent(event);
    }"""
    for kind, width in (("drop", 80), ("paste", 96)):
        page.evaluate(script, kind)
        assert eventually(lambda width=width: page.evaluate("picture.naturalWidth") == width)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [("notes.txt", b"hello", "cannot be shown"), ("tiny.png", None, "too small. It is 40×40")],
)
def test_what_is_no_photo_is_refused(page, tmp_path, name, content, says):
    path = tmp_path / name
    if content is None:
        Image.new("RGB", (40, 40)).save(path)
    else:
        path.write_bytes(content)
    page.set_input_files("#file", path)
    page.wait_for_selector("#problem:not([hidden])")
    assert says in page.inner_text("#problem")


def test_a_missing_caption_is_asked_for(page, photo):
    choose(page, photo)
    page.click("#fill")
    assert "no caption" in page.inner_text("#problem")
    assert page.evaluate("document.activeElement.id") == "caption"


def test_a_problem_of_the_service_is_shown(page, photo):
    choose(page, photo)
    fill(page, seed=13)  # the stub model fails
    page.wait_for_selector("#problem:not([hidden])")
    assert "ended as failed" in page.inner_text("#problem")
    assert page.is_enabled("#fill")
    fill(page)
    finish(page)
    assert page.is_hidden("#problem")


def test_a_link_reproduces_the_result(browser, cluster, photo):
    with opened(browser, cluster.address) as page:
        choose(page, photo)
        fill(page, caption="100% “red” & more", count="2", compare="another")
        finish(page)
        page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text }")
        page.click("#link")
        assert eventually(lambda: page.evaluate("window.copied"))
        link = page.evaluate("copied")
    with opened(browser, link) as page:
        assert photo.name in page.inner_text("#linked")
        choose(page, photo)
        page.click("#fill")
        finish(page)
        assert "The same result as in the link" in page.inner_text("#details")
        assert page.input_value("#caption") == "100% “red” & more"
        page.fill("#seed", "5")
        page.click("#fill")
        expect(page.locator("#details")).to_contain_text("another result")


def test_copied_scripts_give_the_same_image(page, photo, tmp_path):
    choose(page, photo)
    fill(page, caption='it\'s "red" \\ $HOME')
    finish(page)
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text }")
    scripts = {}
    for language in ("curl", "python", "javascript"):
        page.click(f"[data-copy={language}]")
        assert eventually(lambda: page.evaluate("window.copied"))
        scripts[language] = page.evaluate("const text = copied; window.copied = null; text")
    (tmp_path / photo.name).write_bytes(photo.read_bytes())
    for command in (["sh", "-c", scripts["curl"]], [sys.executable, "-c", scripts["python"]]):
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
        with Image.open(tmp_path / "filled.png") as image:
            assert image.getpixel((150, 100)) == (SEED,) * 3
        (tmp_path / "filled.png").unlink()
    made = page.evaluate(
        f"""async () => {{
          const drawn = new OffscreenCanvas(300, 200);
          drawn.getContext("2d").fillRect(0, 0, 300, 200);
          const photo = await drawn.convertToBlob();
          {scripts["javascript"]}
          const image = new Image();
          image.src = address;
          await image.decode();
          const context = new OffscreenCanvas(300, 200).getContext("2d");
          context.drawImage(image, 0, 0);
          return [...context.getImageData(150, 100, 1, 1).data];
        }}"""
    )
    assert made[:3] == [SEED] * 3


def test_waiting_shows_the_queue_and_can_be_cancelled(browser, photo, tmp_path):
    settings = {"AUTH": "off", "RATE_LIMIT": "0"}
    with Cluster(tmp_path, settings, seconds=2.0) as slow:
        slow.api()
        slow.worker()
        slow.wait_until_ready()
        with opened(browser, slow.address) as first, opened(browser, slow.address) as second:
            for page in (first, second):
                choose(page, photo)
                fill(page)
            expect(second.locator("#status")).to_have_text(re.compile("queue|Filling"))
            second.click("#cancel")
            expect(second.locator("#status")).to_have_text("Cancelled.")
            assert second.is_enabled("#fill") and second.is_hidden("#progress")
            finish(first)


def test_a_key_is_asked_for_and_kept(browser, photo, tmp_path):
    with running_service(tmp_path) as (cluster, key), opened(browser, cluster.address) as page:
        page.wait_for_selector("#key-label:not([hidden])")
        choose(page, photo)
        fill(page, key="wrong")
        page.wait_for_selector("#problem:not([hidden])")
        fill(page, key=key)
        finish(page)
        page.reload()
        expect(page.locator("#model")).to_contain_text("stub")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_accessible_and_in_the_width(browser, cluster, photo, width, scheme):
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    with opened(browser, cluster.address, **options) as page:
        page.wait_for_selector("#examples button >> nth=5")
        found = [Axe().run(page)]
        choose(page, photo)
        fill(page, count="4", compare="a blue wall")
        finish(page)
        found.append(Axe().run(page))
        assert [one.generate_report() for one in found if one.violations_count] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_alone_is_enough(page, photo):
    choose(page, photo)
    page.focus("#region")
    page.keyboard.press("ArrowRight")
    page.focus("#caption")
    page.keyboard.type("a wall")
    page.keyboard.press("Enter")
    finish(page)
    assert page.evaluate("document.activeElement.id") == "result-title"
    assert region(page)[0] == 101


def test_the_page_shows_something_within_a_second(browser, cluster):
    script = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    times = []
    for _ in range(3):  # the best of three: what else the machine does is not the page's time
        with opened(browser, cluster.address) as page:
            assert eventually(lambda page=page: page.evaluate(script) is not None)
            times.append(page.evaluate(script))
    assert min(times) < 1000
