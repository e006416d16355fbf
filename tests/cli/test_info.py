"""`fastlstm info`: what a bug report needs, and that it tells the truth about this machine."""

from __future__ import annotations

import platform
from importlib.metadata import version

import pytest
from click.testing import CliRunner

from fastlstm import info
from fastlstm.cli import main
from fastlstm.info import backend, installed
from fastlstm.kernels import machine

SHOW_MODULES = """
import sys
from fastlstm.cli import main
try:
    main(["info"])
finally:
    print(*sys.modules, file=sys.stderr)
"""


def test_every_section_is_shown() -> None:
    shown = CliRunner().invoke(main, ["info"])
    assert shown.exit_code == 0, shown.output
    for expected in (
        f"fastlstm  {version('fastlstm')}",
        f"python    {platform.python_version()}",
        f"numpy {version('numpy')}",
        f"torch {version('torch')}",
        f"cpu       {info.cpu_name()}",
        "cores granted",
        machine.host().name,
    ):
        assert expected in shown.stdout


def test_it_loads_neither_torch_nor_the_peers(python) -> None:  # type: ignore[no-untyped-def]
    done = python("-c", SHOW_MODULES)
    assert done.returncode == 0, done.stderr
    assert {"torch", "onnxruntime", "openvino", "jax", "matplotlib"} & set(done.stderr.split()) == set()


def test_one_vector_unit_serves_and_the_others_say_why_not() -> None:
    units = [found for found in info.backends() if found.name in backend.VECTOR_UNITS]
    assert [unit.name for unit in units if unit.serves] == [machine.host().name]
    assert all(unit.reason for unit in units if not unit.serves)


@pytest.mark.parametrize("name", sorted(backend.VECTOR_UNITS))
def test_every_unit_the_kernels_know_is_listed(name: str) -> None:
    known = {value.name for value in vars(machine).values() if isinstance(value, machine.Machine)}
    assert name in known
    assert known == set(backend.VECTOR_UNITS)


def test_a_missing_feature_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "cpu_features", lambda: ["sse2", "avx2"])
    monkeypatch.setattr(machine, "host", lambda: machine.SSE)
    found = {entry.name: entry for entry in info.backends()}
    assert found["sse"].serves == backend.KERNELS_SERVE
    assert found["avx2"].reason == f"this {platform.machine()} CPU lacks fma"
    assert found["avx512"].reason == f"this {platform.machine()} CPU lacks avx512dq avx512f avx512vl"
    assert found["scalar"].reason == "sse serves instead"


def test_what_is_not_installed_is_listed_with_its_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(installed.OPTIONAL, "no-such-distribution", "nothing at all")
    assert info.missing()["no-such-distribution"] == "nothing at all"
    assert "no-such-distribution" not in info.versions()
    shown = CliRunner().invoke(main, ["info"])
    assert "no-such-distribution (nothing at all)" in shown.stdout


def test_features_come_from_this_machine() -> None:
    if platform.machine() in {"x86_64", "AMD64"}:
        assert "sse2" in info.cpu_features()
    else:
        assert "sse2" not in info.cpu_features()
