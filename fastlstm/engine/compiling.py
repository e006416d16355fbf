"""What each unit of compiled code is made from. To import this is to import Numba."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import types

from fastlstm.compiled.file import Code
from fastlstm.compiled.made import Unit
from fastlstm.engine import entry
from fastlstm.engine.threads import crew
from fastlstm.kernels.advance import advance, retreat
from fastlstm.kernels.backward import backward
from fastlstm.kernels.build import Export, Lowered, emit, lower
from fastlstm.kernels.cards import trait_of
from fastlstm.kernels.forward import forward
from fastlstm.kernels.gradient import gradients
from fastlstm.kernels.jit import Job, job_type
from fastlstm.kernels.machine import target
from fastlstm.kernels.pack import pack, pack_transposed
from fastlstm.kernels.plain import products
from fastlstm.kernels.product import multiply, multiply_signature
from fastlstm.kernels.product8 import multiply_bytes, multiply_bytes_twice, multiply_words
from fastlstm.kernels.product16 import multiply_halves
from fastlstm.kernels.samples_backward import backward_samples, gradients_samples
from fastlstm.kernels.samples_forward import forward_samples
from fastlstm.kernels.staged import advance_in_stages, retreat_in_stages
from fastlstm.kernels.unpacked_backward import step_back
from fastlstm.kernels.unpacked_few import step_few
from fastlstm.kernels.unpacked_samples import step_samples

_N = types.int64
_OF_A_CELL = {"advance": (advance, advance_in_stages), "retreat": (retreat, retreat_in_stages)}
"""Without products of the step's own, and with some."""
_NARROW = {
    "multiply_halves": multiply_halves,
    "multiply_words": multiply_words,
    "multiply_bytes": multiply_bytes,
    "multiply_bytes_twice": multiply_bytes_twice,
}
_ALONE = {f.__name__: f for f in (step_few, step_samples, step_back, products, forward_samples)}


def compile_units(units: Sequence[Unit]) -> Iterator[Code]:
    """Of each unit an object file of all its functions. LLVM makes one in a second thread, without the interpreter's
    lock, while Numba lowers the next.
    """
    with ThreadPoolExecutor(1) as beside:
        begun = []
        for unit in units:
            lowered = lower(_exports(unit), object.__basicsize__)
            begun.append((lowered, _submit(beside, lowered)))
        for lowered, emitted in begun:
            made, needs = emitted.result()
            yield Code(made, lowered.functions, tuple(needs))


def _submit(beside: Executor, lowered: Lowered) -> Future[tuple[bytes, list[str]]]:
    try:
        return beside.submit(emit, lowered, target())
    except RuntimeError:  # the system gives no thread, or the interpreter is ending
        done: Future[tuple[bytes, list[str]]] = Future()
        done.set_result(emit(lowered, target()))
        return done


def _exports(unit: Unit) -> list[Export]:
    if unit.name == "calls":
        return _calls()
    job = job_type(unit.cell, np.dtype(unit.dtype))
    if unit.name == "inference":
        return [_kernel(forward, job), _kernel(pack, job), Export(multiply, multiply_signature(job))]
    if unit.name == "training":
        return [_kernel(function, job) for function in (backward, gradients, pack_transposed)]
    if unit.name == "training_samples":
        return [_kernel(function, job) for function in (backward_samples, gradients_samples)]
    if unit.name in _NARROW:
        return [Export(_NARROW[unit.name], multiply_signature(job), name=unit.name)]
    if unit.name in _ALONE:
        return [_kernel(_ALONE[unit.name], job)]
    if unit.name == "advance_coarse":
        job = job_type(unit.cell, np.dtype(unit.dtype), coarse=True)
        return [Export(advance, (job, _N, _N, _N, _N), name=unit.name)]
    plain, staged = _OF_A_CELL[unit.name]
    function = staged if trait_of(unit.cell, "STAGES") else plain
    return [Export(function, (job, _N, _N, _N, _N), name=unit.name)]


def _kernel(function: Any, job: Job) -> Export:
    return Export(function, (job, _N, _N))


def _calls() -> list[Export]:
    def called(function: Any, kinds: str, result: types.Type = types.void) -> Export:
        return Export(function, (_N,) * len(kinds), result, kinds)

    return [
        called(entry.run_forward, "nnnnnnnnaaaaaa"),
        called(entry.run_backward, "nnnnnnnnnnnnaaaaaaaaa"),
        called(entry.run_each, "nnnnn"),
        called(entry.run_step, "nnnnnnnnnnnnnnn"),
        called(entry.run_step_back, "nnnnnnnnnnnnn"),
        called(entry.run_products, "nnnnnn"),
        called(entry.same_bytes, "nn", _N),
        called(crew.hire, "nnn", _N),
        called(crew.dismiss, "n"),
        Export(crew.work, (_N,), _N),
        Export(crew.region, (_N,)),
    ]
