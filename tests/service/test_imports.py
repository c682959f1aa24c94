import subprocess
import sys


def test_the_api_process_never_imports_torch():
    code = (
        "import sys, service.api.app, service.supervisor.supervisor; "
        "print({'torch', 'models'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
