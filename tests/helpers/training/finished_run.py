"""A run directory as a training leaves it, made up without any training."""

import json
import math

from PIL import Image

from tests.helpers.training.small_run import small_recipe
from training.monitors.base import Action, Finding, record_findings
from training.runs.run_dir import RunDir

MAGENTA = (200, 30, 160)
HOSTILE = "<script>alert('x')</script>"


def write_run(folder, *overrides):
    """Write record, log, grids, a finding and an evaluation; nothing but text in it is large."""
    run = RunDir.create(folder, small_recipe(*overrides), {"data/flickr8k": "sha256:0123"})
    for name, step in [("fixed", 0), ("fixed", 3), ("fixed", 6), ("fresh", 0), ("fresh", 6)]:
        Image.new("RGB", (200, 80), MAGENTA).save(run.samples / f"{name}-{step:08d}.png")
    lines = [
        {
            "step": step,
            "time": 1e9 + 60 * step,
            "discriminator/real": math.exp(-step / 50),
            "generator/l2": 1 + math.sin(step),
            "time/images_per_second": 80.0,
        }
        for step in range(1, 101)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    record_findings(folder, [Finding(40, "greyness", f"grey fills {HOSTILE}", Action.WARN, 20)])
    evaluation = {
        "rows": [
            {"method": "bundle", "hole_psnr": 16.512345, "kid": {"mean": 0.012, "spread": 0.001}},
            {"method": "cv2 telea", "hole_psnr": 15.2, "kid": None},
        ],
        "definitions": {"hole_psnr": "PSNR in dB over the hole"},
    }
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
