"""Runs JavaScript modules in Node, which Playwright brings along."""

import json
import subprocess
from typing import Any

from playwright._impl._driver import compute_driver_executable


def run_module(script: str, data: Any) -> Any:
    """The JSON of what a module script passes to `answer`; it finds the data in `data`."""
    node = compute_driver_executable()[0]
    frame = f"""
      let text = "";
      for await (const part of process.stdin) text += part;
      const data = JSON.parse(text);
      const answer = (value) => process.stdout.write(JSON.stringify(value));
      {script}
    """
    command = [str(node), "--input-type=module", "--eval", frame]
    done = subprocess.run(
        command, input=json.dumps(data), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
