"""The run report: all of a run on one page that fetches nothing and hides nothing."""

import base64
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from tests.helpers.browser import find_browser
from tests.helpers.training.finished_run import HOSTILE, MAGENTA, write_run
from training.common.errors import RunError
from training.runs.report.html_report import write_report
from training.runs.report.run_summary import read_run

CURVE_ORANGE = (255, 127, 14)  # of the second run, which is drawn last


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    write_run(place / "one")
    write_run(place / "other", "objective.settings.l2=7.5")
    return [place / "one", place / "other"]


@pytest.fixture(scope="module")
def page(folders):
    out = folders[0].parent / "page" / "report.html"
    write_report(folders, out)
    return out


@pytest.fixture(scope="module")
def html(page):
    return page.read_text()


@pytest.fixture
def browse(page, tmp_path):
    browser = find_browser()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]

    def run(*more):
        command = [browser, *flags, *more, page.as_uri()]
        return subprocess.run(command, capture_output=True, timeout=120, check=True).stdout.decode()

    return run


def pictures(html, kind):
    found = re.findall(rf'src="data:{re.escape(kind)};base64,([^"]+)"', html)
    return [base64.b64decode(one) for one in found]


def test_nothing_is_fetched_from_anywhere(html):
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', html) == []
    assert [sign for sign in ("://", "url(", "@import", "<script") if sign in html] == []


def test_every_logged_figure_has_its_own_curve(html):
    names = re.findall(r'alt="(\S+) against the step"', html)
    assert names == ["discriminator/real", "generator/l2", "time/images_per_second"]
    curves = [ElementTree.fromstring(svg) for svg in pictures(html, "image/svg+xml")]
    assert [curve.tag.endswith("svg") for curve in curves] == [True] * 3


def test_first_and_newest_grid_per_kind_are_shown(html):
    steps = re.findall(r'alt="(\w+) grid of one at step (\d+)"', html)
    assert steps == [("fixed", "0"), ("fixed", "6"), ("fresh", "0"), ("fresh", "6")]


def test_config_data_and_environment_are_shown_with_differences(html):
    differing = re.findall(r'class="differs">\s*<th scope="row">([^<]+)<', html)
    assert differing == ["objective.settings.l2"]
    assert [word for word in ("sha256:0123", "libraries.torch", "7.5") if word not in html] == []


def test_what_a_file_says_is_escaped(html):
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html


def test_evaluation_in_the_run_directory_is_a_table(html):
    assert "<td>0.012 ± 0.001</td>" in html
    assert 'title="PSNR in dB over the hole"' in html
    assert '<td class="number">16.51</td>' in html


def test_a_browser_finds_curves_grids_and_recipe(browse):
    dom = browse("--dump-dom")
    assert len(re.findall(r'<img src="data:image/svg', dom)) == 3
    assert len(re.findall(r'<img src="data:image/png', dom)) == 8
    assert 'id="recipe"' in dom
    assert "objective.settings.l2" in dom


def test_a_browser_paints_curves_and_grids(browse, tmp_path):
    shot = tmp_path / "page.png"
    browse("--window-size=1200,2400", f"--screenshot={shot}")
    pixels = np.asarray(Image.open(shot).convert("RGB"))
    assert (pixels == MAGENTA).all(axis=2).sum() > 10_000
    assert (abs(pixels.astype(int) - CURVE_ORANGE).sum(axis=2) < 60).sum() > 100


def test_run_that_has_only_begun_has_a_page(folders, tmp_path):
    (tmp_path / "new").mkdir()
    shutil.copy(folders[0] / "run.json", tmp_path / "new")
    (tmp_path / "new" / "half.json").write_text('{"rows": [')
    write_report([tmp_path / "new"], tmp_path / "page.html")
    assert "Nothing is logged yet." in (tmp_path / "page.html").read_text()


def test_the_summary_counts_what_was_seen(folders):
    summary = read_run(folders[0]).summary()
    assert summary["pictures seen"] == "400"
    assert summary["minutes logged"] == "99.0"


@pytest.mark.parametrize("record", [None, "{", '{"recipe": {}}', "[]", '{"recipe": {"run": 3}}'])
def test_a_folder_without_a_run_is_refused(record, tmp_path):
    if record:
        (tmp_path / "run.json").write_text(record)
    with pytest.raises(RunError, match="no run in"):
        write_report([tmp_path], tmp_path / "page.html")


def test_page_that_cannot_be_written_is_one_line(folders, tmp_path):
    with pytest.raises(RunError, match="cannot be written: Is a directory"):
        write_report(folders, tmp_path)
