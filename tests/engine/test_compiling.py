"""What is compiled together, and by which thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import pytest
from objects import emitted

from fastlstm.compiled.file import Code
from fastlstm.compiled.made import Unit
from fastlstm.compiled.store import Store
from fastlstm.engine import code, compiling

SMALL = [Unit("multiply_halves", "float32")]


@pytest.mark.parametrize(("packing", "names"), [("pack", "inference advance calls"),
                                                ("pack_transposed", "training retreat calls")])  # fmt: skip
def test_what_a_pass_wants_is_compiled_at_once(monkeypatch: pytest.MonkeyPatch, packing: str, names: str) -> None:
    asked: list[list[Unit]] = []

    def compile(units: Sequence[Unit]) -> list[Code]:
        asked.append(list(units))
        return [emitted()] * len(units)

    monkeypatch.setattr("fastlstm.compiled.store.places", list)
    monkeypatch.setattr(code, "STORE", Store(compile))
    with pytest.warns(RuntimeWarning, match="cannot be kept"):
        code.prepare(packing, "float64", "GRU")
    code.prepare(packing, "float64", "GRU")
    [units] = asked
    assert [unit.name for unit in units] == names.split()
    assert [(unit.dtype, unit.cell) for unit in units] == [("float64", "any"), ("float64", "GRU"), ("any", "any")]


def test_llvm_works_in_a_second_thread_and_does_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    emit, threads = compiling.emit, []

    def noted(*args: Any) -> Any:
        threads.append(threading.current_thread())
        return emit(*args)

    monkeypatch.setattr(compiling, "emit", noted)
    beside = list(compiling.compile_units(SMALL))
    assert len(threads) == 1
    assert threading.main_thread() not in threads

    def no_thread(*_: Any) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", no_thread)
    alone = list(compiling.compile_units(SMALL))
    assert set(threads[1:]) == {threading.main_thread()}
    assert [(one.functions, one.needs, len(one.object)) for one in beside] == [
        (one.functions, one.needs, len(one.object)) for one in alone
    ]
