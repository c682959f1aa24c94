import io
import json
import socket
import struct
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.ports import free_port


@pytest.fixture
def photo(tmp_path, noise):
    noise(100, 80).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize("command", ["serve", "api", "worker", "fill"])
def test_every_command_has_help_worth_reading(captionfill, command):
    status, printed = captionfill(command, "--help")
    assert status == 0 and len(printed.out.splitlines()) > 8


def test_fill_writes_the_photo_with_its_region_filled(captionfill, tiny_bundle, photo, tmp_path):
    out = tmp_path / "new" / "filled.png"
    where = ["--region", "10,20,40,30", "--seed", 3, "--bundle", tiny_bundle]
    status, printed = captionfill("fill", photo, "a cat", "-o", out, *where)
    assert (status, printed.err.count("Error")) == (0, 0)
    changed = np.any(np.asarray(Image.open(out)) != np.asarray(Image.open(photo)), axis=2)
    rows, columns = np.nonzero(changed)
    assert changed.any() and rows.min() >= 20 and rows.max() < 50
    assert columns.min() >= 10 and columns.max() < 50


def test_fill_writes_candidates_and_comparisons(captionfill, scored_bundle, photo, tmp_path):
    out = tmp_path / "filled.png"
    options = ["--n", 3, "--compare", "a dog", "--seed", 3, "--bundle", scored_bundle, "--json"]
    status, printed = captionfill("fill", photo, "a cat", "-o", out, *options)
    facts = json.loads(printed.out)
    names = ["filled", "filled-2", "filled-3"]
    assert status == 0 and sorted(facts["seeds"]) == [3, 4, 5]
    assert [Path(name).stem for name in facts["files"]] == names
    assert [Path(name).stem for name in facts["compare_files"]] == [f"{n}-compare" for n in names]
    assert facts["scores"] == sorted(facts["scores"], reverse=True)
    contents = {Path(n).read_bytes() for n in facts["files"] + facts["compare_files"]}
    assert len(contents) == 6
    single = ["--seed", facts["seeds"][1], "--bundle", scored_bundle]
    captionfill("fill", photo, "a cat", "-o", tmp_path / "one.png", *single)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "filled-2.png").read_bytes()


def test_fill_takes_the_kind_of_detail(captionfill, tiny_bundle, photo, tmp_path):
    options = ["--seed", 3, "--bundle", tiny_bundle, "--region", "20,10,56,56"]
    outputs = []
    for detail in ([], ["--detail", "surroundings"], ["--detail", "none"]):
        out = tmp_path / f"{len(outputs)}.png"
        captionfill("fill", photo, "a cat", "-o", out, *options, *detail)
        outputs.append(out.read_bytes())
    assert outputs[0] == outputs[1] != outputs[2]


def test_fill_takes_a_mask(captionfill, tiny_bundle, photo, tmp_path):
    mask = Image.new("RGBA", (100, 80), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (20, 30, 50, 50))
    mask.save(tmp_path / "mask.png")
    out = tmp_path / "filled.png"
    options = ["--mask", tmp_path / "mask.png", "--bundle", tiny_bundle]
    assert captionfill("fill", photo, "a cat", "-o", out, *options)[0] == 0
    changed = np.any(np.asarray(Image.open(out)) != np.asarray(Image.open(photo)), axis=2)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 49, 20, 49)


def test_seed_minus_one_is_random(captionfill, tiny_bundle, photo, tmp_path):
    seeds = set()
    for _ in range(2):
        options = ["--seed", -1, "--bundle", tiny_bundle, "--json"]
        _, printed = captionfill("fill", photo, "a cat", "-o", tmp_path / "x.png", *options)
        seeds.update(json.loads(printed.out)["seeds"])
    assert len(seeds) == 2


@pytest.mark.parametrize("command", ["captionfill", "captionfill_train"])
def test_version_is_printed(command):
    code = f"import sys, captionfill.console as c; sys.argv = ['x', '--version']; c.{command}()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"captionfill {metadata.version('captionfill')}\n"


def test_shell_completion_is_offered(captionfill):
    status, printed = captionfill("--help")
    assert status == 0 and "--install-completion" in printed.out


def test_fill_of_a_folder_skips_broken_files(captionfill, tiny_bundle, tiny_folder, tmp_path):
    out = tmp_path / "filled"
    status, printed = captionfill("fill", tiny_folder, "-o", out, "--bundle", tiny_bundle)
    assert status == 0 and "filled 4 of 5" in printed.out
    assert "grey.bmp" in printed.err and sorted(p.stem for p in out.iterdir())[0] == "blue"


def test_the_same_seed_gives_the_same_file(captionfill, tiny_bundle, photo, tmp_path):
    for name in ("a.png", "b.png"):
        captionfill(
            "fill", photo, "a cat", "-o", tmp_path / name, "--seed", 1, "--bundle", tiny_bundle
        )
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.png", "a cat", "-o", "x.png"], "nothing.png: No such file"),
        (["PHOTO", " ", "-o", "x.png"], "the caption is blank"),
        (["PHOTO", "a cat", "-o", "x.png", "--region", "1,2"], "region must be"),
        (["PHOTO", "a cat", "-o", "x.png", "--mask", "no.png"], "no.png: No such file"),
        (["PHOTO", "a cat", "-o", "x.png", "--mask", "PHOTO"], "mask"),
        (["PHOTO", "a cat", "-o", "x.png", "--bundle", "/nowhere"], "no bundle at /nowhere"),
    ],
)
def test_user_error_is_one_line_and_status_one(captionfill, photo, arguments, said):
    status, printed = captionfill("fill", *(photo if a == "PHOTO" else a for a in arguments))
    assert status == 1 and said in printed.err
    assert len(printed.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["photo.png"], ["p.png", "a", "-o", "x", "--seed", "-2"], ["--no"]]
)
def test_wrong_usage_is_status_two(captionfill, arguments):
    assert captionfill("fill", *arguments)[0] == 2


def test_a_busy_port_is_one_clear_line(captionfill):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, printed = captionfill("serve", "--port", taken.getsockname()[1])
    assert status == 1 and "cannot listen on 127.0.0.1" in printed.err
    assert len(printed.err.splitlines()) == 1


def test_a_bad_setting_is_one_clear_line(captionfill, monkeypatch):
    monkeypatch.setenv("CAPTIONFILL_QUEUE_LIMIT", "many")
    status, printed = captionfill("api")
    assert status == 1 and "queue_limit" in printed.err and len(printed.err.splitlines()) == 1


def test_unresponsive_redis_is_one_clear_line(captionfill, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    status, printed = captionfill("serve", "--port", free_port())
    assert status == 1 and "no Redis answers" in printed.err


def test_the_example_is_a_picture_with_a_caption(tmp_path):
    from service.supervisor.example import write_example

    path, caption = write_example(tmp_path)
    assert Image.open(io.BytesIO(path.read_bytes())).size == (256, 256) and caption


def test_odd_metadata_of_an_image_prints_nothing(noise, encode, tmp_path):
    entry = struct.pack(">HHII", 0x0112, 10, 1, 100)  # lies behind the end of the data
    odd = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry
    (tmp_path / "photo.jpg").write_bytes(encode(noise(80, 64), "JPEG", exif=odd))
    command = [sys.executable, "-m", "service.cli.main", "fill", str(tmp_path / "photo.jpg"), "cat"]
    options = ["-o", str(tmp_path / "filled.png"), "--bundle", str(tmp_path)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.stderr.startswith("captionfill: no bundle at ") and done.stderr.count("\n") == 1
