"""The faster of two ways is found once for each kind of call, by a clock that the tests set."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fastlstm_lint.contract import Layer

from fastlstm.torch.chooser import ROUNDS, Choice, Chooser, Kind, Way

KIND = Kind(Layer("LSTM", 3, 4), 512, 16, "float32", False, True, 0)


class Refused(Exception):
    """What a way raises where it cannot serve."""


class Bench:
    """Two ways, and a clock that tells for each of them a time after the other."""

    def __init__(self, ours: Sequence[float] = (1, 1, 1), theirs: Sequence[float] = (2, 2, 2)) -> None:
        self.log: list[str] = []
        self._times: dict[Way, Iterator[float]] = {self.ours: iter(ours), self.theirs: iter(theirs)}
        self.chooser = Chooser(self._timed, lambda a, b: a == b, (Refused,), 2)

    def ours(self) -> Sequence[Any]:
        self.log.append("ours")
        return [7]

    def theirs(self) -> Sequence[Any]:
        self.log.append("theirs")
        return [7]

    def _timed(self, way: Way) -> float:
        way()
        return next(self._times[way])

    def choose(self, kind: Kind = KIND, ours: Way | None = None, theirs: Way | None = None) -> Choice:
        return self.chooser.choose(kind, lambda: (ours or self.ours, theirs or self.theirs))


@pytest.mark.parametrize(("ours", "theirs", "is_ours"), [(1, 2, True), (2, 1, False), (1, 1, False)])
def test_the_faster_is_chosen_and_measured_once(ours: float, theirs: float, is_ours: bool) -> None:
    bench = Bench([ours] * 3, [theirs] * 3)
    choice = bench.choose()
    assert choice == Choice(ours, theirs)
    assert choice.is_ours is is_ours
    # once to warm up and to compare, then by turns
    assert bench.log == ["ours", "theirs"] * (1 + ROUNDS)
    assert bench.choose() is choice
    assert len(bench.log) == 2 * (1 + ROUNDS)


def test_the_best_of_all_turns_counts() -> None:
    assert Bench([9, 1, 9], [2, 3, 2]).choose() == Choice(1, 2)


def refuse() -> Sequence[Any]:
    raise Refused("no memory")


@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_a_way_that_cannot_serve_loses(whose: str) -> None:
    bench = Bench()
    choice = bench.choose(**{whose: refuse})
    assert (choice.is_ours, choice.failed, choice.reason) == (False, True, "no memory")
    assert bench.choose() is choice


def test_other_results_lose() -> None:
    choice = Bench().choose(ours=lambda: [8])
    assert not choice.is_ours
    assert choice.failed
    assert "differ from torch's" in choice.reason


def test_an_error_passes_and_is_not_remembered() -> None:
    def broken() -> Sequence[Any]:
        raise KeyError("weight_ih_l0")

    bench = Bench()
    with pytest.raises(KeyError):
        bench.choose(ours=broken)
    assert bench.choose().is_ours


def test_a_bounded_number_of_kinds_is_measured() -> None:
    bench = Bench([1] * 6, [2] * 6)
    kinds = [KIND._replace(B=B) for B in (1, 2, 3)]
    assert [bench.choose(kind).is_ours for kind in kinds] == [True, True, False]
    assert [bench.choose(kind).is_ours for kind in kinds] == [True, True, False]
    assert "2 kinds of calls were measured" in bench.choose(kinds[2]).reason
    assert not bench.choose(kinds[2]).failed
    assert len(bench.log) == 2 * 2 * (1 + ROUNDS)


def test_what_is_known_of_a_layer() -> None:
    bench = Bench([1] * 6, [2] * 6)
    other = KIND._replace(layer=Layer("GRU", 3, 4))
    choices = {kind: bench.choose(kind) for kind in (KIND, other)}
    assert bench.chooser.known(KIND.layer) == {KIND: choices[KIND]}
    assert bench.chooser.known(Layer("RNN", 3, 4)) == {}


def test_while_one_thread_measures_torch_serves_the_others() -> None:
    """Nobody waits: the thread that measures may wait for autograd's, and that one may be here."""
    bench, entered, left = Bench(), threading.Event(), threading.Event()
    found: list[Choice] = []

    def slow() -> Sequence[Any]:
        entered.set()
        assert left.wait(10)
        return [7]

    thread = threading.Thread(target=lambda: found.append(bench.choose(ours=slow, theirs=slow)))
    bench._times |= {slow: iter([1.0] * 6)}
    thread.start()
    assert entered.wait(10)
    meanwhile = bench.choose()
    assert not meanwhile.is_ours
    assert not meanwhile.failed
    left.set()
    thread.join(10)
    assert bench.choose() is found[0]


def test_how_they_read() -> None:
    assert str(KIND) == "T<=512 B=16 float32 training"
    assert str(KIND._replace(packed=True, training=False)) == "T<=512 B=16 float32 packed inference"
    assert str(Choice(0.0019, 0.00312)) == "ours 1.9 ms, torch's own 3.12 ms: ours"
    assert str(Choice(0.0019, 0.0001)) == "ours 1.9 ms, torch's own 0.1 ms: torch's own"
    assert str(Choice(reason="no memory", failed=True)) == "torch's own: no memory"
