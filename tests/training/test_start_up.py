"""What the commands of training import before they have anything to do."""

import subprocess
import sys


def test_no_command_imports_torchvision_at_its_start():
    code = (
        "import sys, training.trainer.run, training.evaluation.evaluate, "
        "training.inference.export, training.data.prepare; "
        "print('torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
