"""How much one file may cost. Everything that repeats asks the same budget; what is beyond it is unknown."""

from __future__ import annotations

import time

WORK = 400_000
"""Units of work per file, an expression being one: about two seconds. Files of 1,600 lines of layers take 60,000."""

SECONDS = 4.0
"""Processor time after which a file is given up even so: units are of unlike size."""

LOOK = 4_096
"""Units between two looks at the clock."""


_processor_time = getattr(time, "thread_time", time.perf_counter)
"""Python in a browser has no clock of a thread, and one thread."""


class Budget:
    """Units of work that are left. `spent` once there are none: no further statement, call or expression is walked."""

    __slots__ = ("_deadline", "_earliest", "_look_at", "_low", "left")

    def __init__(self, work: int = WORK, seconds: float = SECONDS) -> None:
        self.left = work
        self._low = work // 2
        self._deadline = _processor_time() + seconds
        self._earliest = time.perf_counter() + seconds
        self._look_at = max(work - LOOK, 1)

    @property
    def low(self) -> bool:
        """Whether the half is gone that calls of the program's own functions may take: the rest walks what is left."""
        return self.left < self._low

    @property
    def spent(self) -> bool:
        return self.left <= 0

    def take(self, units: int = 1) -> bool:
        """Count work that is about to be done; False if it may not be."""
        left = self.left = self.left - units
        if left >= self._look_at:  # which is never below 0
            return True
        self.look()
        return self.left > 0

    def look(self) -> None:
        """Look at the clock: after what is not counted in units, as what rules make of a fact."""
        self._look_at = max(self.left - LOOK, 1)
        # A thread uses no more processor time than passes, and the wall clock is read without asking the kernel.
        if time.perf_counter() > self._earliest and _processor_time() > self._deadline:
            self.left = 0
