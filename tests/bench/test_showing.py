"""What a run shows: the table, the JSON, the picture and the comparison, on made-up figures; and one real small run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastlstm.bench import compare, driver, plot, result, table
from fastlstm.bench.result import ALONE, Limits, Result, Row, StartUp, Timing
from fastlstm.bench.workload import Workload

FAST = Workload("fast", "LSTM", "infer", T=100, B=1, I=128, H=128)
SLOW = Workload("slow", "GRU", "train", T=35, B=20, I=200, H=200, L=2, D=2)
MADE_UP = Result(
    date="2026-01-02T03:04:05+00:00",
    machine={"cpu": "Abacus 3000", "cpus": 2, "features": ["avx2"]},
    threads=2,
    versions={"fastlstm": "0.1.0", "torch": "2.13.0", "onnxruntime": "1.31.1"},
    rows=[
        Row(
            FAST,
            {
                "fastlstm": Timing([2e-3, 1e-3, 3e-3], 0.5, 1e-6),
                "torch": Timing([4e-3, 5e-3], 0.1, 2e-6),
                "onnxruntime": Timing([2e-3], 0.1, 2e-6),
            },
        ),
        Row(
            SLOW,
            {"fastlstm": Timing([40e-3], 0.5, 1e-6), "torch": Timing([20e-3], 0.1, 2e-6)},
            {"onnxruntime": "inference only"},
        ),
    ],
    limits=Limits(fma=200e9, l2=100e9, l3=50e9, l1_bytes=32768, l2_bytes=524288),
    start_up=[StartUp("fastlstm", "cold cache", 0.1, 2.0, 3.25, 6.0)],
    missing={"jax": "pip install jax"},
)


def lines(text: str, beginning: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(beginning)]


def test_a_row_of_the_table() -> None:
    [header] = lines(table.render(MADE_UP), "row ")
    assert header.split() == ["row", "mode", "T,B,I,H", "fastlstm", "GF/s", "of", "limit", "torch", "onnxruntime"]
    [fast] = lines(table.render(MADE_UP), "fast")
    assert fast.split() == [
        *("fast", "infer", "LSTM", "100,1,128,128"),
        *("1.00", "ms", "±100%", "26.2", "26%", "L2"),  # 262144 bytes a step at 100 GB/s take 0.26 ms
        *("4.00", "ms", "±12%", "4.00x", "2.00", "ms", "±0%", "2.00x"),
    ]
    [slow] = lines(table.render(MADE_UP), "slow")
    assert slow.split()[-6:] == ["FMA", "20.0", "ms", "±0%", "0.50x", "-"]
    assert "GRU 35,20,200,200 x2 bi" in slow


def test_one_thread_has_a_column_where_it_was_timed_and_is_no_peer() -> None:
    alone = replace(MADE_UP.rows[0], timings=MADE_UP.rows[0].timings | {ALONE: Timing([1.8e-3], 0.1, 1e-6)})
    run = replace(MADE_UP, rows=[alone, MADE_UP.rows[1]])
    [header] = lines(table.render(run), "row ")
    assert "of limit  fastlstm, one thread" in header
    [fast] = lines(table.render(run), "fast")
    assert fast.split()[10:14] == ["1.80", "ms", "±0%", "1.80x"]
    assert alone.best_peer == "onnxruntime"
    assert lines(table.render(run), "A peer is") == lines(table.render(MADE_UP), "A peer is")


def test_sizes_of_a_model_have_its_vocabulary() -> None:
    assert table.sizes(replace(SLOW, mode="model", V=99)) == "GRU 35,20,200,200 x2 bi V99"


def test_it_says_where_a_peer_is_faster() -> None:
    text = table.render(MADE_UP)
    assert lines(text, "A peer is faster in") == ["A peer is faster in: slow (torch 0.50)"]
    without = replace(MADE_UP, rows=MADE_UP.rows[:1])
    assert lines(table.render(without), "A peer is faster in") == ["A peer is faster in: no row"]


def test_averages_and_notes() -> None:
    text = table.render(MADE_UP)
    assert "  infer       best peer 2.00; torch 4.00, onnxruntime 2.00" in text
    assert "  train       best peer 0.50; torch 0.50" in text
    assert "Not timed, onnxruntime: inference only (slow)" in text
    assert "Not installed, jax: pip install jax" in text
    assert "200 GF/s from registers, 100 GB/s from L2, 50 GB/s from L3" in text
    assert "Start-up, fastlstm, cold cache: import 100 ms, first forward 2.00 s, first training step 3.25 s" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.512e-6, "3.51 us"), (0.5e-6, "0.50 us"), (12.04e-3, "12.0 ms"), (0.1234, "123 ms"), (1.2, "1.20 s")],
)
def test_durations_have_three_digits_and_a_unit(seconds: float, text: str) -> None:
    assert table.duration(seconds) == text


def test_json_comes_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(MADE_UP.to_json())
    assert result.load(path) == MADE_UP
    assert json.loads(path.read_text())["rows"][0]["timings"]["torch"]["rounds"] == [4e-3, 5e-3]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": 99}', '{"format": 1, "rows": [{}]}'])
def test_another_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"other\.json"):
        result.load(path)


def test_best_median_and_ratio() -> None:
    row = MADE_UP.rows[0]
    assert row.timings["fastlstm"].best == 1e-3
    assert row.timings["fastlstm"].median == 2e-3
    assert row.ratio("torch") == 4
    assert row.ratio("jax") is None
    assert row.best_peer == "onnxruntime"
    assert result.geometric_mean([2.0, 8.0]) == pytest.approx(4)


def test_changes_are_matched_by_sizes_not_by_name() -> None:
    newer = replace(
        MADE_UP,
        rows=[
            Row(replace(FAST, name="renamed"), {"fastlstm": Timing([1.2e-3], 0, 0)}),
            Row(replace(SLOW, H=201), {"fastlstm": Timing([1.0], 0, 0)}),
        ],
    )
    [change] = compare.changes(MADE_UP, newer)
    assert str(change) == "renamed: 1.00 ms -> 1.20 ms (+20%)"
    assert change.relative == pytest.approx(0.2)


def test_runs_that_should_not_be_compared_are_pointed_out() -> None:
    other = replace(MADE_UP, machine={**MADE_UP.machine, "cpu": "Quipu"}, threads=1, through="torch")
    assert list(compare.differences(MADE_UP, MADE_UP)) == []
    assert list(compare.differences(other, MADE_UP)) == [
        "measured on another machine: Quipu",
        "measured with 1 threads, now 2",
        "measured through torch, now through arrays",
    ]


def test_bars_begin_at_one_and_ticks_are_plain_numbers() -> None:
    picture = plot.figure(MADE_UP)
    picture.canvas.draw()
    (axes,) = picture.axes
    assert sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches) == [(1, 0.5), (1, 2), (1, 4)]
    low, high = axes.get_xlim()
    assert low < 0.5 < 5 < high < 10
    shown = [each.get_text() for each in axes.get_xticklabels()]
    assert shown == ["0.5", "1", "1.5", "2", "3", "5"]
    assert not any(each.get_text() for each in axes.get_xticklabels(minor=True))


def test_a_stored_run_is_drawn_by_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run.json").write_text(MADE_UP.to_json())
    monkeypatch.setattr("sys.argv", ["plot", str(tmp_path / "run.json"), str(tmp_path / "run.svg"), "slow"])
    plot.main()
    first = (tmp_path / "run.svg").read_text()
    assert "slow, train" in first
    assert "fast, infer" not in first
    plot.main()
    assert (tmp_path / "run.svg").read_text() == first


def test_the_best_of_three_that_agree_is_settled() -> None:
    assert not Timing([1.0, 1.0], 0, 0).settled
    assert Timing([2.0, 1.04, 1.0, 9.0, 1.049], 0, 0).settled
    assert not Timing([1.04, 1.0, 1.06], 0, 0).settled


@pytest.mark.parametrize(("rounds", "most", "expected"), [(2, 0, {2}), (1, 4, {3, 4})])
def test_turns_go_on_until_the_best_is_settled(rounds: int, most: int, expected: set[int]) -> None:
    told: list[str] = []
    tiny = replace(FAST, T=2, B=1, I=3, H=4)
    found = driver.run([tiny], ["fastlstm"], 1, rounds, 0.001, told.append, most=most)
    assert len(found.rows[0].timings["fastlstm"].rounds) in expected
    assert len(told) == driver.steps([tiny], ["fastlstm"], rounds)


def test_the_picture_names_rows_and_peers(tmp_path: Path) -> None:
    plot.draw(MADE_UP, tmp_path / "run.svg")
    text = (tmp_path / "run.svg").read_text()
    for expected in (
        "fast, infer",
        "slow, train",
        "torch 2.13.0",
        "onnxruntime 1.31.1",
        "Abacus 3000",
        ">4.0<",
        ">0.5<",
    ):
        assert expected in text
    plot.draw(MADE_UP, tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_a_small_run_from_end_to_end() -> None:
    tiny = [
        Workload("infer", "LSTM", "infer", T=3, B=2, I=4, H=5),
        Workload("reset", "LSTM", "reset", T=3, B=2, I=4, H=5),
    ]
    told: list[str] = []
    names = ["fastlstm", "torch", "onnxruntime"]
    found = driver.run(tiny, names, threads=1, rounds=2, seconds=0.01, done=told.append, scaling=True)
    assert len(told) == driver.steps(tiny, names, 2, scaling=True)
    assert set(found.versions) == set(names)
    assert [set(row.timings) for row in found.rows] == [{*names, ALONE}, {"fastlstm", "torch", ALONE}]
    assert found.rows[1].refused == {"onnxruntime": "inference only"}
    for row in found.rows:
        for timing in row.timings.values():
            assert len(timing.rounds) == 2
            assert 0 < timing.best < 1
            assert timing.error < 1e-5
    assert found.limits is not None
    assert found.limits.fma > 1e9


def test_scaling_is_from_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def ask(self: driver.Process, do: str, **arguments: Any) -> dict[str, Any]:
        if do == "prepare":
            asked.append((self.name, arguments["threads"]))
        return original(self, do, **arguments)

    original = driver.Process.ask
    monkeypatch.setattr(driver.Process, "ask", ask)
    driver.run([FAST], ["fastlstm"], threads=2, rounds=1, seconds=0.01, scaling=True)
    assert asked == [("fastlstm", 2), ("fastlstm", 1)]


def test_a_library_that_dies_costs_its_cells_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """`reference` poses as a library that is installed; `no_such` has no module and dies at the first question."""
    monkeypatch.setattr(driver, "missing", lambda name: [])
    tiny = [Workload("infer", "LSTM", "infer", T=3, B=2, I=4, H=5)]
    found = driver.run(tiny, ["torch", "no_such"], threads=1, rounds=1, seconds=0.01)
    assert set(found.versions) == {"torch"}
    assert "No module named" in found.missing["no_such"]
    assert set(found.rows[0].timings) == {"torch"}


def test_what_is_not_installed_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "missing", lambda name: ["abacus"])
    found = driver.run([], ["torch"], threads=1, rounds=1, seconds=0.01)
    assert found.missing == {"torch": "pip install abacus"}
    assert found.versions == {}
