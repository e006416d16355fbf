"""DistributedDataParallel over two processes: the gradients of one process on the joined batch."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import children
import numpy as np

WORKER = Path(__file__).with_name("ddp_worker.py")
# The machine's name need not resolve where only this machine is asked.
ENVIRONMENT = os.environ | ({"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {})


def worker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ddp_worker", WORKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_processes(number: int, folder: Path) -> list[dict[str, np.ndarray]]:
    """The gradients that each of `number` processes has after one step."""
    results = [folder / f"{rank}.npz" for rank in range(number)]
    commands = [
        [sys.executable, str(WORKER), str(rank), str(number), str(folder / "store"), str(result)]
        for rank, result in enumerate(results)
    ]
    done = children.finished(commands, env=ENVIRONMENT)
    assert [one.returncode for one in done] == [0] * number, "\n".join(one.stdout + one.stderr for one in done)
    assert "terminate" not in "".join(one.stderr for one in done)
    found = []
    for result in results:
        with np.load(result) as file:
            found.append(dict(file))
    return found


def test_two_processes_have_the_gradients_of_the_joined_batch(tmp_path: Path) -> None:
    """All of them: those of torch's own layers on both halves together, averaged over processes."""
    alone = worker()
    expected = {
        f"{kind}/{name}": value
        for kind in alone.KINDS
        for name, value in alone.gradients(alone.model(kind), *alone.batch()).items()
    }
    first, second = run_processes(2, tmp_path)
    assert set(first) == set(second) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_allclose(first[name], value, rtol=1e-4, atol=1e-4 * np.abs(value).max(), err_msg=name)
        assert value.any(), name


def test_the_example_trains_on_two_processes() -> None:
    example = Path(__file__).parents[2] / "docs" / "examples" / "torch" / "distributed.py"
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(example)]
    environment = ENVIRONMENT | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    done = children.python(*command, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("2 processes, loss")
