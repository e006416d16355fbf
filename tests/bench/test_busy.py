"""A measurement beside another busy process, and on a machine where others are at work."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastlstm.bench import busy, result, table
from fastlstm.bench.process import CAN_STOP
from fastlstm.bench.result import Result, Row, Timing
from fastlstm.bench.workload import Workload
from fastlstm.cli import main

ROW = Row(
    Workload("long", "LSTM", "infer", T=300, B=1, I=144, H=144),
    {
        "fastlstm": Timing([1e-3, 1.05e-3], 0.5, 1e-6, quiet=[1.1e-3, 1.0e-3, 1.2e-3], busy=[2.2e-3, 9.9e-3, 1.0e-3]),
        "torch": Timing([3e-3, 3e-3], 0.5, 1e-6, quiet=[3e-3, 3e-3, 3e-3], busy=[6.6e-3, 6.6e-3, 6.6e-3]),
    },
)
RUN = Result("2026-01-02T03:04:05+00:00", {"cpu": "Abacus 3000", "cpus": 2, "features": [], "load": 0.25}, 2,
             {"fastlstm": "0.1.0", "torch": "2.13.0"}, [ROW])  # fmt: skip


def lines(run: Result, word: str) -> list[str]:
    return [line for line in table.render(run).splitlines() if line.startswith(word)]


def test_a_table_of_both_states() -> None:
    header, row = lines(RUN, "row ")[1], lines(RUN, "long")[1]
    assert header.split() == ["row", "T,B,I,H", "fastlstm", "alone", "busy", "x", "torch", "busy", "x", "x", "ours"]
    assert row.split() == [
        *("long", "LSTM", "300,1,144,144", "1.10", "ms", "2.20", "ms", "2.00x"),
        *("6.60", "ms", "2.20x", "3.00x"),
    ]
    assert len(lines(replace(RUN, rows=[replace(ROW, timings={"torch": ROW.timings["torch"]})]), "Beside")) == 0


def test_both_states_are_stored(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(RUN.to_json())
    assert result.load(path) == RUN
    older = json.loads(RUN.to_json())
    del older["load"]
    for timing in older["rows"][0]["timings"].values():
        del timing["quiet"], timing["busy"]
    path.write_text(json.dumps(older))
    assert result.load(path).rows[0].timings["torch"].slowdown is None


def test_a_busy_machine_and_turns_far_apart_are_told() -> None:
    assert lines(RUN, "BEWARE") == []
    assert lines(replace(RUN, load={"others": 0.02, "stolen": 0.0}), "BEWARE") == []
    [told] = lines(replace(RUN, load={"others": 1.62, "stolen": 0.0}), "BEWARE")
    assert "other programs used 1.6 of 2 CPUs" in told
    assert "load 0.2 when it began" in told
    [told] = lines(replace(RUN, load={"others": 0.0, "stolen": 0.5}), "BEWARE")
    assert "other machines 0.5" in told
    wide = replace(ROW, timings={"fastlstm": Timing([1e-3, 1.5e-3, 1.6e-3], 0.5, 1e-6)})
    assert lines(replace(RUN, rows=[wide]), "BEWARE") == ["BEWARE, turns lie more than 20% apart: long (fastlstm 50%)"]


@pytest.mark.skipif(busy.usage() is None or not CAN_STOP, reason="as Linux tells what the CPUs have done")
def test_the_neighbour_computes_inside_its_block_and_nowhere_else() -> None:
    with busy.Neighbour() as neighbour:
        with neighbour.computing():
            assert neighbour._process is not None
            stat = Path(f"/proc/{neighbour._process.pid}/stat")

            def used() -> int:
                return sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13]))

            while used() < 20:
                time.sleep(0.01)
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.01)
        stopped = used()
        time.sleep(0.2)
        assert used() == stopped
        with neighbour.computing():
            while used() < stopped + 20:
                time.sleep(0.01)
    assert not stat.exists()


def test_what_others_use_is_what_is_not_our_own(tmp_path: Path) -> None:
    before = busy.Usage(clock=10.0, worked=100.0, stolen=1.0, own=5.0)
    after = busy.Usage(clock=20.0, worked=118.0, stolen=3.0, own=8.0)
    assert after.since(before) == {"others": 1.5, "stolen": 0.2}
    assert busy.usage(tmp_path / "nothing") is None


def test_a_real_run_beside_a_busy_process() -> None:
    """Torch's modules and ours, alone and beside it; the sizes are tiny, no figure is asserted."""
    options = [
        "--rounds",
        "2",
        "--seconds",
        "0.005",
        "--threads",
        "1",
        "--no-start-up",
        "--steps",
        "3",
        "--hidden",
        "5",
    ]
    shown = CliRunner().invoke(main, ["bench", "--busy", "--through", "torch", *options, "--json", "-"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    [row] = found["rows"]
    for name in ("fastlstm", "torch"):
        timing = row["timings"][name]
        assert [len(timing[key]) for key in ("rounds", "quiet", "busy")] == [2, 2, 2]
    assert {"cpu", "cpus", "features", "os", "python", "numpy", "numba", "load"} <= set(found["machine"])
