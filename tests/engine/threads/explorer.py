"""A small explorer of interleavings: every order in which the steps of a few processes can follow each other.

A state is a dict of hashable values. A process is a name; its place in its program stands in the state under that name,
and a program gives for each place a function that does one indivisible step: it changes the state, which is its own
copy, and returns the next place, or several to go on from any of them, or None where it cannot go on yet. A process at
`END` has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

State = dict[str, Any]
Step = Callable[[State, str], Any]
END = "end"


class Broken(Exception):
    """What must not happen has happened."""


class Explorer:
    """All states that can be reached from a first one.

    programs: for each process its program. owes: whether a process must go on by itself; the others may stop for ever
    wherever they are (a thread that is not running), and nobody may depend on them. forks: for a state, further states
    that can follow.
    """

    def __init__(
        self,
        programs: dict[str, dict[str, Step]],
        owes: Callable[[State, str], bool] = lambda state, process: True,
        forks: Callable[[State], Iterable[State]] = lambda state: (),
    ) -> None:
        self.programs, self.owes, self.forks = programs, owes, forks
        self.states = 0

    def faults(self, first: State) -> set[str]:
        """What goes wrong on any way: the words of `Broken`, and who waits for ever."""
        found: set[str] = set()
        seen: set[frozenset[Any]] = set()
        todo = [first]
        while todo:
            state = todo.pop()
            key = frozenset(state.items())
            if key in seen:
                continue
            seen.add(key)
            todo += self.forks(state)
            moved = False
            for process in self.programs:
                try:
                    after = self.after(state, process)
                except Broken as broken:
                    found.add(str(broken))
                    moved = True
                    continue
                todo += after
                moved |= bool(after) and self.owes(state, process)
            if not moved:
                waiting = [p for p in self.programs if state.get(p, END) != END and self.owes(state, p)]
                found |= {f"{process} waits for ever at '{state[process]}'" for process in waiting}
        self.states = len(seen)
        return found

    def after(self, state: State, process: str) -> list[State]:
        """The states after the process's next step."""
        place = state.get(process, END)
        if place == END:
            return []
        copy = dict(state)
        places = self.programs[process][place](copy, process)
        if places is None:
            return []
        return [copy | {process: next_place} for next_place in ([places] if isinstance(places, str) else places)]
