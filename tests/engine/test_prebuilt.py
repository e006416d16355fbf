"""Code that a wheel brings: compiled for a kind of processor, whatever this one is, and taken where it fits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from buildhook import ROOT, hook
from llvmlite import binding

from fastlstm.cells import CELLS
from fastlstm.compiled import file, made
from fastlstm.compiled.places import Place
from fastlstm.compiled.store import Store
from fastlstm.engine import code, prebuilt

SOME = """
import sys
from pathlib import Path
from fastlstm.compiled.made import Unit
from fastlstm.engine import prebuilt
prebuilt.units = lambda: [Unit("advance", "float32", "LSTM")]
prebuilt.fill(Path(sys.argv[1]))
"""


def test_everything_that_the_built_in_layers_call_is_brought() -> None:
    brought = set(prebuilt.units())
    assert {unit.name for unit in brought} > set(code._UNITS)
    for cell in CELLS:
        names = {unit.name for unit in brought if unit.cell == cell and unit.dtype == "float64"}
        assert names == {"advance", "retreat", "step_few", "step_samples", "step_back"}


@pytest.mark.parametrize(("level", "register"), [("v3", "ymm"), ("v4", "zmm")])
def test_each_level_is_made_of_its_registers_and_runs_where_it_can(
    python: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, register: str
) -> None:
    if not binding.get_process_triple().startswith("x86_64"):
        pytest.skip("levels of x86-64")
    features = hook().FEATURES[level].split()
    named = {"NUMBA_CPU_NAME": f"x86-64-{level}", "NUMBA_CPU_FEATURES": ",".join(f"+{name}" for name in features)}
    done = python("-c", SOME, str(tmp_path), env=os.environ | named)
    assert done.returncode == 0, done.stderr
    [path] = tmp_path.glob("*.code")
    assert (tmp_path / made.SHIPPED).read_text() == made.content()
    _, kept = file._parsed(path.read_bytes())
    if shutil.which("objdump"):
        alone = tmp_path / "advance.o"
        alone.write_bytes(kept.object)
        text = subprocess.run(["objdump", "-d", alone], capture_output=True, text=True, check=True).stdout
        alone.unlink()
        assert any("vfmadd" in line and register in line for line in text.splitlines())
        assert ("zmm" in text) == (level == "v4")
    there = binding.get_host_cpu_features()
    asked = []
    monkeypatch.setattr("fastlstm.compiled.store.places", lambda: [Place(tmp_path, shipped=True)])
    store = Store(lambda unit: asked.append(unit) or kept)  # type: ignore[func-returns-value]
    wider = level == "v3" and there.get("avx512f")
    if all(there.get(name) for name in features) and not wider:
        [unit] = [unit for unit in prebuilt.units() if (unit.name, unit.dtype) == ("advance", "float32")][:1]
        assert store.addresses(unit)["advance"]
        assert asked == []


def test_code_for_aarch64_is_made_of_its_registers(python: Any, tmp_path: Path) -> None:
    machine, named = hook().made_for("neon")
    assert machine == "aarch64"
    done = python("-c", SOME, str(tmp_path), env=os.environ | named)
    assert done.returncode == 0, done.stderr
    [path] = tmp_path.glob("*.code")
    assert (tmp_path / made.SHIPPED).read_text() == made.content()
    header, kept = file._parsed(path.read_bytes())
    assert isinstance(header, dict)
    assert header["system"] == "aarch64-linux-glibc"
    assert int.from_bytes(kept.object[18:20], "little") == 183  # EM_AARCH64
    words = [int.from_bytes(kept.object[at : at + 4], "little") for at in range(64, len(kept.object) - 3, 4)]
    # FMLA of four singles, of vectors and by element: Arm Architecture Reference Manual, C7.2
    assert any(word & 0xFFE0FC00 == 0x4E20CC00 or word & 0xFFC0F400 == 0x4F801000 for word in words)


@pytest.mark.parametrize(
    ("levels", "told"), [("v3,v9", "names v9; there are v3, v4, neon"), ("v3,neon", "two kinds of machines")]
)
def test_levels_that_make_no_wheel_are_named(levels: str, told: str) -> None:
    environment = os.environ | {"FASTLSTM_PREBUILT": levels}
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-q"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "-w", os.devnull, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode != 0
    assert told in done.stdout + done.stderr
