"""The crew's protocol, every interleaving of it; and that the explorer would see a fault, by faults that were there."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.threads import earlier, protocol
from tests.engine.threads.explorer import Explorer

ONE, TWO = ["worker 1"], ["worker 1", "worker 2"]


def faults(programs: dict[str, Any], workers: list[str], forks: Callable[..., Any] = lambda state: ()) -> set[str]:
    programs = programs | {worker: protocol.worker(number + 1) for number, worker in enumerate(workers)}
    return Explorer(programs, protocol.owes, forks).faults(protocol.first(programs, workers))


def test_two_callers_and_a_worker():
    """One has the crew and waits for no worker that does not claim; the other works alone."""
    assert not faults({f"caller {n}": protocol.caller(f"job {n}", ONE) for n in (1, 2)}, ONE)


def test_a_caller_and_two_workers():
    assert not faults({"caller 1": protocol.caller("job 1", TWO)}, TWO)


def test_a_caller_beside_an_interrupted_stop_and_another():
    programs = {"stop 1": protocol.stopper(ONE, interrupted=True), "stop 2": protocol.stopper(ONE, interrupted=False)}
    assert not faults(programs | {"caller 1": protocol.caller("job 1", ONE)}, ONE)


def test_a_fork_by_a_caller_in_python():
    """With an empty crew in the child's pool, and the parent's, in whatever state, in the child's hand."""
    programs = {f"caller {n}": protocol.caller(f"job {n}", ONE) for n in (1, 2)}
    assert not faults(programs, ONE, protocol.forked)


@pytest.mark.slow
def test_two_callers_two_workers_and_a_stop():
    programs = {f"caller {n}": protocol.caller(f"job {n}", TWO) for n in (1, 2)}
    assert not faults(programs | {"stop 1": protocol.stopper(TWO, interrupted=True)}, TWO, protocol.forked)


def test_a_worker_that_claims_nothing_is_no_fault():
    """Nobody depends on it."""
    worker = protocol.worker(1) | {"claim 0": lambda s, me: "claim 1", "claim 1": lambda s, me: "await"}
    programs = {"caller 1": protocol.caller("job 1", ONE), "worker 1": worker}
    assert not Explorer(programs, protocol.owes).faults(protocol.first(programs, ONE))


def test_a_worker_that_sleeps_without_a_last_look_is_seen():
    worker = protocol.worker(1) | {"look again": lambda s, me: "sleep"}
    programs = {"stop 1": protocol.stopper(ONE, interrupted=False), "worker 1": worker}
    found = Explorer(programs, protocol.owes).faults(protocol.first(programs, ONE))
    assert found == {"stop 1 waits for ever at 'join'", "worker 1 waits for ever at 'sleep'"}


def test_one_slot_instead_of_two_is_seen(monkeypatch):
    """What a caller writes before it moves the epoch may then be read as half of the epoch before."""
    monkeypatch.setattr(protocol, "SLOTS", 1)
    programs = {f"caller {n}": protocol.caller(f"job {n}", ONE) for n in (1, 2)}
    assert "a portion of a call that has returned" in faults(programs, ONE)


def test_a_caller_that_does_not_look_whether_the_crew_is_retired_is_seen():
    caller = protocol.caller("job 1", ONE)
    programs = {"caller 1": caller | {"take": lambda s, me: s.update({"job 1.open": True}) or "claims"}}
    assert faults(programs | {"stop 1": protocol.stopper(ONE, interrupted=False)}, ONE)


class TestEarlier:
    """The faults of the protocol before: the explorer finds each."""

    def faults(self, programs, *, hired=True, forks=lambda state: ()):
        programs = programs | earlier.WORKERS
        return Explorer(programs, earlier.owes, forks).faults(earlier.first(programs, hired))

    def test_alone_it_was_right(self):
        assert not self.faults({"caller 1": earlier.caller(), "caller 2": earlier.caller()})

    def test_a_stop_between_two_lines_of_a_call(self):
        found = self.faults({"caller 1": earlier.caller(), "stop": earlier.stop()})
        assert "writes behind the control block" in found

    def test_a_fork_while_another_thread_holds_the_engines_lock(self):
        found = self.faults({"caller 1": earlier.caller(), "caller 2": earlier.caller()}, forks=earlier.forked)
        assert found == {"caller 1 waits for ever at 'give back'"}

    def test_a_signal_while_a_worker_is_started(self):
        found = self.faults({"caller 1": earlier.caller(interrupted=True)}, hired=False)
        assert "a portion twice" in found

    def test_a_finaliser_inside_the_engines_lock(self):
        found = self.faults({"caller 1": earlier.caller(finaliser=True)})
        assert found == {"caller 1 waits for ever at 'finaliser'"}
