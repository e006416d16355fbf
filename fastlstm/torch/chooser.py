"""Which of two ways to compute a layer is the faster: measured once for each kind of call, and remembered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fastlstm_lint.contract import Layer

Way = Callable[[], Sequence[Any]]
"""Computes a call once, and returns its results."""


class Kind(NamedTuple):
    """What calls have in common that take about the same time."""

    layer: Layer
    T: int
    """Steps, up to the next power of two."""
    B: int
    dtype: str
    packed: bool
    training: bool
    """Whether a backward follows."""
    device: int

    def __str__(self) -> str:
        form = " packed" if self.packed else ""
        return f"T<={self.T} B={self.B} {self.dtype}{form} {'training' if self.training else 'inference'}"


class Choice(NamedTuple):
    """What was measured, in seconds; or why torch serves, measured or not."""

    ours: float = 0.0
    theirs: float = 0.0
    reason: str = ""
    failed: bool = False
    """Whether the reason is that a way could not serve."""

    @property
    def is_ours(self) -> bool:
        return not self.reason and self.ours < self.theirs

    def __str__(self) -> str:
        if self.reason:
            return f"torch's own: {self.reason}"
        chosen = "ours" if self.is_ours else "torch's own"
        return f"ours {self.ours * 1e3:.3g} ms, torch's own {self.theirs * 1e3:.3g} ms: {chosen}"


# Runs of each way that are timed, by turns, so that a change of the clock meets both; and one before that is not.
ROUNDS = 3


class Chooser:
    """Remembers a choice for each kind. While one thread measures, torch serves the others."""

    def __init__(
        self,
        timed: Callable[[Way], float],
        agree: Callable[[Sequence[Any], Sequence[Any]], bool],
        failures: tuple[type[Exception], ...],
        most: int,
    ) -> None:
        """timed: seconds of a run. agree: whether the results of ours and theirs are the same but for rounding.
        failures: what a way may raise where it cannot serve. most: kinds that are measured; then torch serves new ones.
        """
        self._timed, self._agree, self._failures, self._most = timed, agree, failures, most
        self._known: dict[Kind, Choice] = {}
        self._measuring = threading.Lock()

    def choose(self, kind: Kind, ways: Callable[[], tuple[Way, Way]]) -> Choice:
        """The choice for this kind; measured with `ways()`, ours and theirs, where it is a new one."""
        known = self._known.get(kind)
        if known is not None:
            return known
        if len(self._known) >= self._most:
            return Choice(reason=f"{self._most} kinds of calls were measured, and no more are")
        # Who waited here for a thread that waits for autograd's, which may wait for us, would wait for ever.
        if not self._measuring.acquire(blocking=False):
            return Choice(reason="another thread measures")
        try:
            choice = self._known[kind] = self._measured(*ways())
        finally:
            self._measuring.release()
        return choice

    def known(self, layer: Layer) -> dict[Kind, Choice]:
        """What was measured for layers of a configuration, in the order of time."""
        return {kind: choice for kind, choice in list(self._known.items()) if kind.layer == layer}

    def _measured(self, ours: Way, theirs: Way) -> Choice:
        try:
            if not self._agree(ours(), theirs()):
                return Choice(reason="the kernels' results differ from torch's by more than rounding", failed=True)
            times = [(self._timed(ours), self._timed(theirs)) for _ in range(ROUNDS)]
        except self._failures as error:
            return Choice(reason=str(error), failed=True)
        return Choice(min(time for time, _ in times), min(time for _, time in times))
