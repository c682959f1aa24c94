import pytest

from service.config.machine import (
    default_image_threads,
    default_threads,
    default_workers,
    log_machine,
    usable_cores,
    usable_memory,
)
from service.config.settings import Settings
from service.supervisor.supervisor import _environment

GIB = 2**30


@pytest.fixture
def cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))


def write(folder, **files):
    for name, text in files.items():
        place = folder / name.replace("__", "/").replace("_max", ".max")
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"{text}\n")
    return folder


@pytest.mark.parametrize(
    ("quota", "found"), [("max 100000", 16), ("250000 100000", 3), ("50000 100000", 1), ("", 16)]
)
def test_cpu_quota_of_a_container_counts(cores, tmp_path, quota, found):
    assert usable_cores(write(tmp_path, cpu_max=quota)) == found


def test_cpu_quota_of_cgroup_1_counts(cores, tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("400000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(tmp_path) == 4


def test_memory_limit_of_a_container_counts(tmp_path):
    whole = usable_memory(tmp_path)
    assert usable_memory(write(tmp_path, memory_max=2**28)) == 2**28
    assert usable_memory(write(tmp_path, memory_max="max")) == whole


@pytest.mark.parametrize(
    ("cores", "memory", "workers", "threads"),
    [(1, 8, 1, 1), (2, 8, 1, 1), (4, 8, 1, 3), (9, 16, 1, 8), (16, 64, 2, 7), (64, 256, 8, 7),
     (64, 4, 2, 8), (4, 1, 1, 3)],
)  # fmt: skip
def test_workers_and_threads_fill_the_cores(cores, memory, workers, threads):
    assert default_workers(cores, memory * GIB) == workers
    assert default_threads(workers, cores) == threads


def test_image_threads_follow_the_cores():
    assert [default_image_threads(cores) for cores in (1, 4, 64)] == [2, 4, 8]


def test_threads_follow_the_workers_of_the_settings(cores, monkeypatch):
    monkeypatch.setattr("service.config.machine._cpu_quota", lambda _: None)
    assert Settings(workers=3).threads == 5
    assert Settings(workers=3, threads=2).threads == 2


def test_machine_and_choice_are_logged(cores, caplog):
    with caplog.at_level("INFO", "captionfill.settings"):
        log_machine(workers=2, threads=7)
    [record] = caplog.records
    assert (vars(record)["workers"], vars(record)["threads"]) == (2, 7)
    assert vars(record)["cores"] <= 16 and vars(record)["memory_mib"] > 0


def test_threads_of_openmp_do_not_spin(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    environment = _environment(Settings(), "redis://localhost")
    assert environment["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert _environment(Settings(), "redis://localhost")["OMP_NUM_THREADS"] == "3"
