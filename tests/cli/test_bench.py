"""`fastlstm bench`: its options, its exit codes, and what it writes. Sizes are tiny; no figure is asserted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fastlstm.cli import main

OWN = ["--steps", "3", "--batch", "2", "--input", "4", "--hidden", "5"]
QUICK = ["--library", "torch", "--rounds", "1", "--seconds", "0.005", "--threads", "1", "--no-start-up"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", *arguments])


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one's own sizes, stored."""
    path = tmp_path_factory.mktemp("bench") / "run.json"
    shown = run(*OWN, *QUICK, "--json", str(path))
    assert shown.exit_code == 0, shown.output
    assert "LSTM 3,2,4,5" in shown.stdout
    return path


def rewritten(stored: Path, path: Path, factor: float) -> Path:
    """The run with our times multiplied."""
    data = json.loads(stored.read_text())
    for row in data["rows"]:
        times = row["timings"]["fastlstm"]
        times["rounds"] = [time * factor for time in times["rounds"]]
    path.write_text(json.dumps(data))
    return path


def test_the_stored_run(stored: Path) -> None:
    data: dict[str, Any] = json.loads(stored.read_text())
    [row] = data["rows"]
    assert {key: row["workload"][key] for key in "TBIHLD"} == {"T": 3, "B": 2, "I": 4, "H": 5, "L": 1, "D": 1}
    assert set(row["timings"]) == set(data["versions"]) == {"fastlstm", "torch"}
    assert data["threads"] == 1


def test_json_on_stdout_is_json_alone() -> None:
    shown = run(*OWN, *QUICK, "--cell", "GRU", "--mode", "train", "--layers", "2", "--bidirectional", "--json", "-")
    assert shown.exit_code == 0, shown.output
    [row] = json.loads(shown.stdout)["rows"]
    work = row["workload"]
    assert (work["cell"], work["mode"], work["L"], work["D"]) == ("GRU", "train", 2, 2)


def test_through_torch() -> None:
    """Our torch modules beside torch's, and a whole model, which is timed only so."""
    quick = [option for option in QUICK if option not in ("--library", "torch")]
    shown = run(*OWN, *quick, "--through", "torch", "--mode", "model", "--vocabulary", "9", "--json", "-")
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["through"] == "torch"
    assert "through torch" in found["versions"]["fastlstm"]
    [row] = found["rows"]
    assert (row["workload"]["mode"], row["workload"]["V"]) == ("model", 9)
    assert set(row["timings"]) == {"fastlstm", "torch"}
    assert not row["refused"]


def test_a_named_workload_a_picture_and_start_up(tmp_path: Path) -> None:
    picture = tmp_path / "run.svg"
    quick = [option for option in QUICK if option != "--no-start-up"]
    shown = run("vad-stream", *quick, "--plot", str(picture))
    assert shown.exit_code == 0, shown.output
    assert "vad-stream" in shown.stdout
    assert "vad-stream, infer" in picture.read_text()
    starts = [line.split(":")[0] for line in shown.stdout.splitlines() if line.startswith("Start-up")]
    assert starts == [
        "Start-up, fastlstm, nothing kept",
        "Start-up, fastlstm, code kept",
        "Start-up, torch, as installed",
    ]


def test_comparison_with_a_slower_past_passes(stored: Path, tmp_path: Path) -> None:
    old = rewritten(stored, tmp_path / "old.json", 1e6)
    shown = run(*OWN, *QUICK, "--compare", str(old), "--fail-if-slower", "10%")
    assert shown.exit_code == 0, shown.output
    assert "own sizes:" in shown.stderr
    assert "(-100%)" in shown.stderr


def test_comparison_with_a_faster_past_fails(stored: Path, tmp_path: Path) -> None:
    old = rewritten(stored, tmp_path / "old.json", 1e-6)
    shown = run(*OWN, *QUICK, "--compare", str(old), "--fail-if-slower", "10%")
    assert shown.exit_code == 1
    assert "SLOWER own sizes:" in shown.stderr
    allowed = run(*OWN, *QUICK, "--compare", str(old))
    assert allowed.exit_code == 0
    assert "SLOWER" not in allowed.stderr


def test_the_list() -> None:
    shown = run("--list")
    assert shown.exit_code == 0
    assert len(shown.stdout.splitlines()) == 35
    [line] = [line for line in shown.stdout.splitlines() if line.startswith("tagger")]
    assert line.split()[:3] == ["tagger", "packed", "LSTM"]
    assert "stanza part-of-speech tagger (assumed: T, B" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-row"], "'no-such-row' is no workload; fastlstm bench --list shows them"),
        (["vad-stream", "--library", "tensorflow"], "'tensorflow' is none of fastlstm, torch"),
        (["vad-stream", "--fail-if-slower", "10%"], "--fail-if-slower needs --compare"),
        (["--steps", "0"], "0 is not in the range"),
        (["--steps", "3", "--mode", "reset", "--bidirectional"], "an episode has one direction"),
        (["word-lm-step"], "a whole model, or the training of a loop over cells, is timed with --through torch"),
        (["--steps", "3", "--mode", "model", "--through", "torch"], "V=0, expected a vocabulary in mode model"),
        (["--steps", "3", "--vocabulary", "9"], "V=9, expected a vocabulary in mode model"),
        (["vad-stream", "--through", "jax"], "'jax' is not 'torch'"),
        (["--compare", __file__], "holds no results of fastlstm bench"),
        (["--compare", "none.json"], "does not exist"),
        (["--compare", __file__, "--fail-if-slower", "much"], "'much' is not a share such as 10%"),
        (["--compare", __file__, "--fail-if-slower", "-5%"], "out of range"),
    ],
)
def test_misuse_is_named_and_exits_with_2(arguments: list[str], message: str) -> None:
    shown = run(*arguments)
    assert shown.exit_code == 2
    assert message in " ".join(shown.output.split())


def test_a_cell_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a module of the current folder; a wrong name is told before anything is run."""
    (tmp_path / "my_rows.py").write_text(
        "import fastlstm\n\n\n@fastlstm.cell(gates='h', states='h', input='none')\n"
        "def leaky(m, gate, state):\n    return 0.5 * state.h + m.tanh(gate.h)\n"
    )
    monkeypatch.chdir(tmp_path)
    shown = run(*OWN, *QUICK, "--cell", "my_rows:leaky", "--json", "-")
    assert shown.exit_code == 0, shown.output
    [row] = json.loads(shown.stdout)["rows"]
    assert row["workload"]["I"] == row["workload"]["H"] == 5  # the input holds the gates
    assert set(row["timings"]) == {"fastlstm", "torch"}
    for name, said in {
        "my_rows:missing": "expected a fastlstm.cell",
        "no_module:x": "No module named",
        "LSTN": "none of",
    }.items():
        shown = run(*OWN, "--cell", name)
        assert shown.exit_code == 2
        assert said in shown.stderr
    assert "expected infer or train" in run(*OWN, "--cell", "my_rows:leaky", "--mode", "packed").stderr
