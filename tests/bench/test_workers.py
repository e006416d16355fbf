"""Each library in its own process: it computes what the reference computes, and sits still when it is not its turn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest

from fastlstm.bench.libraries import NAMES, THROUGH, library
from fastlstm.bench.process import CAN_STOP, Process, WorkerDied, processes
from fastlstm.bench.workload import Workload

# torch's reset row steps through time in Python; these sizes keep all of it short
SIZES = {"T": 7, "B": 3, "I": 5, "H": 6}
SERVES = {
    "fastlstm": ("infer", "train", "packed", "reset", "cells"),
    "fastlstm_torch": ("infer", "train", "packed", "reset", "cells", "cells-train", "model"),
    "torch": ("infer", "train", "packed", "reset", "cells", "cells-train", "model"),
    "onnxruntime": ("infer",),
    "openvino": ("infer",),
    "jax": ("infer", "train", "reset"),
}
TOLERANCE = 1e-5  # float32 against float64, a few steps: far below any wrong formula


@pytest.fixture(scope="module")
def workers() -> Iterator[dict[str, Process]]:
    with processes({name: name for name in (*SERVES, "reference")}) as started:
        yield started


def cases() -> list[Workload]:
    found = []
    for cell in ("LSTM", "GRU", "RNN"):
        for L, D in ((1, 1), (2, 2)):
            found += [
                Workload(f"{cell}-{L}-{D}-{mode}", cell, mode, **SIZES, L=L, D=D)
                for mode in ("infer", "train", "packed", "reset")
                if mode != "reset" or D == 1
            ]
            if (L, D) == (1, 1):
                found += [Workload(f"{cell}-{mode}", cell, mode, **SIZES) for mode in ("cells", "cells-train")]
            found.append(Workload(f"{cell}-{L}-{D}-model", cell, "model", **SIZES, L=L, D=D, V=11))
    return found


def test_every_adapter_is_tested() -> None:
    assert set(SERVES) == {*NAMES, *THROUGH.values()}


@pytest.mark.parametrize("name", SERVES)
@pytest.mark.parametrize("workload", cases(), ids=lambda workload: workload.name)
def test_a_library_computes_what_the_reference_computes(
    workers: dict[str, Process], name: str, workload: Workload, tmp_path: Path
) -> None:
    truth = str(tmp_path / "truth.npz")
    workers["reference"].ask("truth", workload=workload.to_dict(), path=truth)
    reply = workers[name].ask("prepare", workload=workload.to_dict(), threads=2, truth=truth)
    if workload.mode not in SERVES[name]:
        assert reply["refused"]
        return
    assert "refused" not in reply
    with np.load(truth) as stored:
        assert set(reply["errors"]) == set(stored)
        assert ("grad_weight_hh_l0" in stored) == workload.training
        if workload.mode == "model":
            assert set(stored) >= {"loss", "grad_embedding", "grad_weight", "grad_bias"}
        else:
            assert stored["output"].shape[-1] == 6 * workload.D
    assert max(reply["errors"].values()) < TOLERANCE


OWN_CELLS = {  # each for a form of product, a kind of leaf or a function; torch.compile would take a minute for each
    "PeepholeLSTM": ("fastlstm", "torch", "jax"),
    "LayerNormGRU": ("torch", "jax"),
    "sLSTM": ("torch", "jax"),
    "GRUD": ("torch", "jax"),
    "IndRNN": ("torch", "jax"),
    "minGRU": ("torch", "jax"),
    "LIF": ("torch", "jax"),
}


@pytest.mark.parametrize("cell", OWN_CELLS)
@pytest.mark.parametrize("mode", ["infer", "train"])
def test_a_cell_of_ones_own_is_the_references_in_every_library(
    workers: dict[str, Process], cell: str, mode: str, tmp_path: Path
) -> None:
    truth = str(tmp_path / "truth.npz")
    workload = Workload(cell, f"fastlstm.cells:{cell}", mode, **SIZES, L=2, D=2, N=3 if cell == "sLSTM" else 1)
    workers["reference"].ask("truth", workload=workload.to_dict(), path=truth)
    for name in OWN_CELLS[cell]:
        reply = workers[name].ask("prepare", workload=workload.to_dict(), threads=2, truth=truth)
        assert "refused" not in reply
        with np.load(truth) as stored:
            assert set(reply["errors"]) == set(stored)
            assert ("grad_x" in stored) == workload.training
        assert max(reply["errors"].values()) < 10 * TOLERANCE, reply["errors"]  # a normalisation of six units
    assert workers["onnxruntime"].ask("prepare", workload=workload.to_dict(), threads=2)["refused"]


def test_step_inputs_the_same_at_every_step(workers: dict[str, Process], tmp_path: Path) -> None:
    truth = str(tmp_path / "truth.npz")
    workload = Workload("static", "fastlstm.cells:EALSTM", "train", **SIZES, same_step=True)
    workers["reference"].ask("truth", workload=workload.to_dict(), path=truth)
    for name in ("torch", "jax"):
        reply = workers[name].ask("prepare", workload=workload.to_dict(), threads=2, truth=truth)
        assert max(reply["errors"].values()) < TOLERANCE


def test_wrong_results_are_refused_and_never_timed(workers: dict[str, Process], tmp_path: Path) -> None:
    workload = Workload("wrong", "GRU", "train", **SIZES)
    truth = tmp_path / "truth.npz"
    workers["reference"].ask("truth", workload=workload.to_dict(), path=str(truth))
    with np.load(truth) as stored:
        arrays = dict(stored)
    arrays["grad_bias_hh_l0"][3] += 0.01 * np.abs(arrays["grad_bias_hh_l0"]).max()
    np.savez(truth, **arrays)
    reply = workers["torch"].ask("prepare", workload=workload.to_dict(), threads=1, truth=str(truth))
    assert reply["refused"].startswith("wrong grad_bias_hh_l0: error 1.0e-02")
    with Process("torch") as fresh, pytest.raises(WorkerDied, match="prepare first"):
        fresh.ask("time", seconds=0.01)


def test_a_worker_times_what_it_prepared(workers: dict[str, Process]) -> None:
    small = Workload("small", "LSTM", "infer", **SIZES)
    large = replace(small, T=200, B=16, H=64)
    best = []
    for workload in (small, large):
        workers["torch"].ask("prepare", workload=workload.to_dict(), threads=1)
        times = workers["torch"].ask("time", seconds=0.05)["times"]
        assert all(time > 0 for time in times)
        best.append(min(times))
    assert best[1] > 3 * best[0]  # 500 times the work


def test_a_dead_worker_says_why() -> None:
    with (
        Process("nothing") as worker,
        pytest.raises(WorkerDied, match=r"No module named .*libraries\.nothing"),
    ):
        worker.ask("version")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process state from /proc")
def test_an_idle_worker_is_stopped_by_the_system() -> None:
    assert CAN_STOP
    with Process("torch") as worker:
        assert worker.ask("version")["version"] == library("torch").version()
        for _ in range(1000):  # a signal takes its time to a process that runs on another core
            state = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "T":
                break
            sleep(0.01)
        assert state == "T"
    assert not Path(f"/proc/{worker.pid}").exists()
