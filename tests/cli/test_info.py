"""`fastlstm info`: what a bug report needs, and that it tells the truth about this machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import fastlstm
from fastlstm import info
from fastlstm.cli import main
from fastlstm.compiled import file
from fastlstm.compiled.made import Unit, made
from fastlstm.info import backend, installed
from fastlstm.kernels import machine
from fastlstm.spec import Stack

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


def test_sources_on_the_path_have_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not installed: there is no metadata of them."""
    monkeypatch.setattr(installed, "_version", lambda name: None)
    assert info.versions() == {"fastlstm": fastlstm.__version__}


def test_without_a_compiler_it_says_so_and_so_does_a_first_call_of_what_is_not_kept(python, tmp_path) -> None:  # type: ignore[no-untyped-def]
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "FASTLSTM_CACHE"), str(tmp_path))
    environment = os.environ | nowhere | {"NUMBA_DISABLE_JIT": "1"}
    shown = python("-m", "fastlstm", "info", env=environment)
    assert shown.returncode == 0, shown.stderr
    assert f"{machine.host().name:<6}  {backend.KERNELS_SERVE}; only what is compiled already: NUMBA" in shown.stdout
    call = "import numpy as np, fastlstm; fastlstm.LSTM(2, 3)(np.ones((4, 1, 2), np.float32))"
    done = python("-c", call, env=environment)
    assert done.stderr.splitlines()[-1].startswith("RuntimeError: NUMBA_DISABLE_JIT is set")


def test_what_is_kept_is_listed_and_what_is_of_no_use_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FASTLSTM_CACHE", os.pathsep.join((str(tmp_path), str(tmp_path / "nowhere"))))
    code, calls = file.Code(b"object", (), ()), made(Unit("calls"))
    file.write(tmp_path / calls.file_name(), code, calls)
    other = calls._replace(cpu="abacus")
    file.write(tmp_path / other.file_name(), code, other)
    (tmp_path / "broken.code").write_bytes(b"fastlstm code")
    shown = CliRunner().invoke(main, ["info"]).stdout
    assert f"{tmp_path}\n" in shown
    assert "  1 files for this version and machine, 1 for others" in shown
    assert "  calls\n" in shown
    assert "  of no use: broken.code: damaged\n" in shown
    assert f"{tmp_path / 'nowhere'}: not there yet\n" in shown


@pytest.mark.parametrize("text", ["abc", "0.5", "-1"])
def test_a_thread_variable_that_is_no_number_is_named(python, text: str) -> None:  # type: ignore[no-untyped-def]
    done = python("-c", "import fastlstm; fastlstm.get_num_threads()", env=os.environ | {"FASTLSTM_NUM_THREADS": text})
    assert done.stderr.splitlines()[-1] == (
        f"ValueError: FASTLSTM_NUM_THREADS is {text!r}, expected an int of at least 1"
    )
    shown = python("-m", "fastlstm", "info", env=os.environ | {"FASTLSTM_NUM_THREADS": text})
    assert (shown.returncode, "Traceback" in shown.stderr) == (0, False)
    assert f"FASTLSTM_NUM_THREADS is {text!r}" in shown.stdout


def test_features_come_from_this_machine() -> None:
    if platform.machine() in {"x86_64", "AMD64"}:
        assert "sse2" in info.cpu_features()
    else:
        assert "sse2" not in info.cpu_features()


def plan(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["info", "--plan", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_plan_is_shown_with_its_reason() -> None:
    shown = plan("nn.LSTM(128, 256)", "--input", "500,1,128", "--threads", "2")
    assert "T=500 B=1 I=128, float32, inference" in shown
    assert "units: all threads do every step together" in shown
    assert "because: few samples: units shared, one barrier for each step" in shown
    assert "2 of 2" in shown
    assert "1 MB recurrent" in shown
    assert "stored per token" not in shown


@pytest.mark.parametrize(
    ("layer", "shape", "stored"),
    [
        # a row of input with the 1 behind it, in panels of two vectors; gates, h and c
        ("LSTM(5, 64)", "20,4,5", lambda W: -(-6 // W) * W + 4 * 64 + 64 + 64),
        ("GRU(5, 64)", "20,4,5", lambda W: -(-6 // W) * W + 3 * 64 + 3 * 64 + 64),
    ],
)
def test_a_plan_says_what_training_stores(layer: str, shape: str, stored) -> None:  # type: ignore[no-untyped-def]
    lanes = machine.host().lanes("float64")
    rows = stored(machine.host().tile_vectors * lanes)
    # No row here is a multiple of 1 KB but those of the gates, which get a cache line more.
    count = rows * 8 + 64 * sum(width * 64 * 8 % 1024 == 0 for width in ((4,) if "LSTM" in layer else (3, 3)))
    shown = plan(layer, "--input", shape, "--train", "--dtype", "float64")
    assert f"{count / 1024:.3g} KB stored per token" in shown


def test_a_cell_is_planned_as_one_step() -> None:
    assert "T=1 B=3 I=5" in plan("LSTMCell(5, 6)", "--input", "3,5")
    assert "T=7 B=1 I=5" in plan("LSTM(5, 6, batch_first=True)", "--input", "7,5")


def test_a_cell_of_one_s_own_is_planned_or_the_reason_said() -> None:
    shown = plan("Recurrent(sLSTM, 5, 8, num_heads=4)", "--input", "7,3,5", "--train")
    assert "sLSTM: gates i f z o, states h c n m" in shown
    assert "4 heads of 2 units, each a task by itself" in shown
    assert "because: 9408 flop: less than a second thread costs" in shown
    stack = Stack(squared.name, 5, 8, cell=squared)
    shown = "\n".join(line for _, lines in info.plan_lines(stack, 7, 3, 2, np.dtype("f4"), False) for line in lines)
    assert "no kernels: the rows of W_hh of a are multiplied with two values in one step" in shown
    assert "split" not in shown


@fastlstm.cell(gates="a", states="h")
def squared(m, x, u):
    """The product of a product."""
    return m.tanh(x.a + u.a(m.tanh(u.a)))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--plan", "LSTM(5, 6)"], "--input T,B,I"),
        (["--plan", "LSTM(5)", "--input", "1,1,5"], "needs hidden_size"),
        (["--plan", "LSTM(5, 6)", "--input", "1,1,7"], "input_size=5, got 7"),
        (["--input", "1,1,7"], "go with --plan"),
        (["--plan", "LSTM(5, 6)", "--input", "1000000000000,1000000,5", "--train"], "no room in any memory"),
        (["--plan", f"GRU({10**30}, 6)", "--input", f"3,1,{10**30}"], "no room in any memory"),
        (["--plan", "LSTM(5, 6)", "--input", "3,1,5", "--threads", str(10**12)], "4096"),
    ],
)
def test_a_plan_of_nothing_is_refused(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(main, ["info", *arguments])
    assert done.exit_code == 2
    assert told in done.output
