"""Compiled code by unit: from the first place that has it whole, or else compiled now and kept where it can be."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fastlstm.compiled import file
from fastlstm.compiled.file import Code, Unusable
from fastlstm.compiled.loader import load
from fastlstm.compiled.made import Made, Unit, made
from fastlstm.compiled.places import VARIABLE, Place, places
from fastlstm.compiled.prune import prune, touched
from fastlstm.compiled.trust import strange_folder

PATIENCE = 2.0
"""Seconds of compiling after which a terminal is told."""


class Complaint(NamedTuple):
    """What the user can do something about. about: of one thing only the first is said in a process."""

    about: str
    text: str


class Store:
    """What this process has loaded, and how it comes by more. Two threads may ask at once; a fork waits for them."""

    def __init__(self, compile: Callable[[Sequence[Unit]], Iterable[Code]]) -> None:
        self._compile = compile
        self._loaded: dict[Unit, dict[str, int]] = {}
        self._said: set[str] = set()
        self._into: Place | None = None
        self._lock = threading.RLock()
        self._held: list[Any] = []

    def addresses(self, unit: Unit, *others: Unit) -> dict[str, int]:
        """Where the unit's functions are; loaded, or compiled, at the first time. others: what is wanted as well, so
        that all that must be compiled is compiled at once.
        """
        found = self._loaded.get(unit)
        if found is not None:
            return found
        complaints: list[Complaint] = []
        with self._lock:
            self._load([one for one in dict.fromkeys((unit, *others)) if one not in self._loaded], complaints)
        self._say(complaints)
        return self._loaded[unit]

    @contextmanager
    def filling(self, folder: Path) -> Iterator[None]:
        """Meanwhile what is loaded, or was before, is also put into this folder, for others to read."""
        self._into, before = Place(folder), self._loaded
        self._loaded = {}
        try:
            yield
        finally:
            self._into = None
            self._loaded = before | self._loaded

    def _load(self, units: list[Unit], complaints: list[Complaint]) -> None:
        lacking = []
        for unit in units:
            found = self._kept(unit, complaints)
            if found is None:
                lacking.append(unit)
            else:
                self._loaded[unit] = found
        if not lacking:
            return
        with _announced(lacking):
            for unit, code in zip(lacking, self._compile(lacking), strict=True):
                try:
                    self._loaded[unit] = load(code)
                except Unusable as reason:
                    raise RuntimeError(f"{unit} cannot be loaded: {reason}") from None
                self._keep(code, made(unit), [self._into] if self._into else places(), complaints)

    def _kept(self, unit: Unit, complaints: list[Complaint]) -> dict[str, int] | None:
        """Loaded from the first place that has it whole."""
        wanted = made(unit)
        for place in ([self._into] if self._into else []) + places():
            path = place.folder / wanted.file_name(place.shipped)
            try:
                code = _read(place, path, wanted)
                if code is None:
                    continue
                addresses = load(code)
                if place.own:
                    touched(path)
            except Unusable as reason:
                about = f"{reason}: {path.parent}"
                complaints.append(Complaint(about, f"compiled code is not loaded, {reason}: {path}"))
                continue
            if self._into is not None and place != self._into:
                self._keep(code, wanted, [self._into], complaints)
            return addresses
        return None

    def _keep(self, code: Code, wanted: Made, where: Iterable[Place], complaints: list[Complaint]) -> None:
        """Into the first place that takes it."""
        reasons = []
        for place in where:
            if place.shipped:
                continue
            try:
                folder, shared = place.folder, place == self._into
                folder.mkdir(mode=0o755 if shared else 0o700, parents=True, exist_ok=True)
                if reason := strange_folder(folder):
                    reasons.append(f"{folder}: {reason}")
                    continue
                file.write(folder / wanted.file_name(), code, wanted, shared)
                if place.own:
                    prune(folder)
                return
            except OSError as error:
                reasons.append(f"{place.folder}: {error.strerror or error}")
        if self._into is not None:
            raise OSError("; ".join(reasons))
        complaints.append(Complaint(
            "kept",
            f"compiled code cannot be kept, so each process compiles anew: {'; '.join(reasons) or 'no folder for it'}. "
            f"{VARIABLE} may name a folder, also one that only `fastlstm warmup --into` may write",
        ))  # fmt: skip

    def _say(self, complaints: list[Complaint]) -> None:
        """Of each reason and folder, and of keeping, the first."""
        for about, text in complaints:
            if about not in self._said:
                self._said.add(about)
                warnings.warn(text, RuntimeWarning, stacklevel=4)

    def before_fork(self) -> None:
        """Wait until nobody loads or compiles, with Numba's one lock as well, whoever uses it: a child forked amid that
        would find the locks taken for ever. In the order in which compiling takes them.
        """
        compiling = sys.modules.get("numba.core.compiler_lock")
        held = [self._lock, *([compiling.global_compiler_lock] if compiling else [])]
        for lock in held:
            lock.acquire()
        self._held = held

    def after_fork(self) -> None:
        held, self._held = self._held, []
        for lock in reversed(held):
            lock.release()


def _read(place: Place, path: Path, wanted: Made) -> Code | None:
    code = file.read(path, wanted, place.shipped)
    if code is not None and not place.shipped and (reason := strange_folder(place.folder)):
        raise Unusable(reason)
    return code


@contextmanager
def _announced(units: Sequence[Unit]) -> Iterator[None]:
    """On a terminal, after a while, why nothing happens."""
    if sys.stderr is None or sys.stderr.closed or not sys.stderr.isatty():
        yield
        return
    text = f"fastlstm: compiling {', '.join(map(str, units))} for this machine, once; `fastlstm warmup` does it ahead\n"
    timer = threading.Timer(PATIENCE, lambda: sys.stderr.write(text))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def watch_forks(store: Store) -> None:
    """Let forks wait until nothing is being loaded or compiled."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=store.before_fork, after_in_parent=store.after_fork, after_in_child=store.after_fork)
