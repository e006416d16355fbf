"""The kernel of `few` for more samples: the lanes of a vector are samples, so no sums go across lanes."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.cells import CELLS
from fastlstm.kernels.jit import Job, at, inner, lanes_of, put, task, trait
from fastlstm.kernels.machine import host
from fastlstm.kernels.step import step_forward
from fastlstm.kernels.tokens import share
from fastlstm.kernels.vector import Emitter, Vector

_I64 = ir.IntType(64)


def step_samples(job, thread):
    """Kernel: this thread's share of the units of every direction, from x and h0 to out, hn and cn. T is 1.

    Reads B I H bias tasks blocks (of units), x h0 c0, w_ih w_hh b_ih b_hh; writes out hn cn. `lanes` samples at a time.
    Works in xs m, (I, lanes) and (H, lanes) for each thread, `scratch_thread` apart; z u, (H, G, lanes); hin cin h_end
    c_end, (H, lanes).
    """
    lanes = lanes_of(job.z)
    for number in range(job.tasks):
        here = task(job, number)
        xs = at(here.xs, thread * here.scratch_thread)
        hs = at(here.m, thread * here.scratch_thread)
        first, last = share(here.H, units_at_once(here), thread, here.threads)
        for b in range(0, here.B, lanes):
            samples = min(lanes, here.B - b)
            _turn(at(here.x, b * here.x_batch), here.x_batch, samples, xs, 0, here.I)
            if here.has_state:
                _turn(at(here.h0, b * here.H), here.H, samples, hs, 0, here.H)
            _units(here, b, samples, first, last, xs, hs)


@inner
def _units(job, b, samples, first, last, xs, hs):
    """Units first..last-1 of the samples from b on."""
    lanes = lanes_of(job.z)
    depth = job.H if job.has_state else 0
    for unit in range(first, last, units_at_once(job)):
        if trait(job, "SPLITS_GATES"):
            _gates_of(job, unit, 0, xs, depth, hs, job.b_hh, 0, job.u)
            _gates_of(job, unit, job.I, xs, 0, hs, job.b_ih, 0, job.z)
        else:
            _gates_of(job, unit, job.I, xs, depth, hs, job.b_ih, job.bias, job.z)
    n, gates = first * lanes, first * trait(job, "GATES") * lanes
    _state(job.has_state, at(job.h0, b * job.H), job.H, samples, job.hin, first, last)
    if trait(job, "CARRIES_CELL"):
        _state(job.has_state, at(job.c0, b * job.H), job.H, samples, job.cin, first, last)
    step_forward(
        job,
        at(job.z, gates),
        at(job.u, gates),
        at(job.hin, n),
        at(job.cin, n),
        at(job.h_end, n),
        at(job.c_end, n),
        last - first,
    )
    for i in range(samples):
        for unit in range(first, last):
            h = job.h_end[unit * lanes + i]
            put(job.out, (b + i) * job.out_batch + unit, h)
            put(job.hn, (b + i) * job.H + unit, h)
        if trait(job, "CARRIES_CELL"):
            for unit in range(first, last):
                put(job.cn, (b + i) * job.H + unit, job.c_end[unit * lanes + i])


@inner
def _gates_of(job, unit, x_depth, xs, h_depth, hs, bias, has_other, out):
    gates_of(
        job, unit, job.H, job.w_ih, job.I, x_depth, xs, job.w_hh, h_depth, hs, bias, job.b_hh, job.bias, has_other, out
    )


@inner
def _state(given, source, distance, samples, target, first, last):
    _turn(source, distance, samples if given else 0, target, first, last)


@inner
def _turn(source, distance, samples, target, first, last):
    """target[k, b] = source[b, k] for k = first ... last - 1; zeros for the lanes without a sample."""
    lanes = lanes_of(target)
    for b in range(samples):
        for k in range(first, last):
            put(target, k * lanes + b, source[b * distance + k])
    for b in range(samples, lanes):
        for k in range(first, last):
            put(target, k * lanes + b, 0.0)


def _units_at_once(cell: str) -> int:
    """Units whose gates fill the accumulators of the matrix product's tile."""
    return max(host().tile_rows * host().tile_vectors // CELLS[cell].GATES, 1)


@intrinsic
def units_at_once(typing_context: Any, job: Job):
    """How many units `gates_of` computes, as a compile-time constant."""
    count = _units_at_once(job.cell)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return ir.Constant(_I64, count)

    return types.int64(job), emit


@intrinsic
def gates_of(
    typing_context: Any,
    job: Job,
    unit: types.Integer,
    total: types.Integer,
    w: types.CPointer,
    width: types.Integer,
    I: types.Integer,
    xs: types.CPointer,
    v: types.CPointer,
    H: types.Integer,
    hs: types.CPointer,
    bias: types.CPointer,
    other_bias: types.CPointer,
    has_bias: types.Integer,
    has_other: types.Integer,
    out: types.CPointer,
):
    """out[u, g] = the gates' sums of `units_at_once` units from `unit` on: up to two biases, w x + v h.

    w: rows of `width`, v: rows of `total`, a row for each gate and each of `total` units. xs: (I, lanes), hs: (H,
    lanes), out: (units, G, lanes). I is `width` and H is `total`, or 0 to leave that product out. Units behind the last
    one read the last one's weights; nobody reads what comes of it.
    """
    G = CELLS[job.cell].GATES
    units = _units_at_once(job.cell)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        _, unit, total, w, width, I, xs, v, H, hs, bias, other_bias, has_bias, has_other, out = args
        vectors = Emitter(builder, host(), str(signature.args[0].dtype))
        last = builder.sub(total, ir.Constant(_I64, 1))
        rows = []
        for u in range(units):
            here = builder.add(unit, ir.Constant(_I64, u))
            here = builder.select(builder.icmp_signed("<", here, total), here, last)
            rows += [builder.add(builder.mul(ir.Constant(_I64, g), total), here) for g in range(G)]
        sums = []
        for row in rows:
            value = ir.Constant(vectors.real.type, 0.0)
            for pointer, there in ((bias, has_bias), (other_bias, has_other)):
                # Without biases the pointer is null: read something else.
                yes = builder.icmp_signed("!=", there, ir.Constant(_I64, 0))
                read = builder.load(builder.select(yes, builder.gep(pointer, [row]), xs))
                value = builder.fadd(value, builder.select(yes, read, ir.Constant(vectors.real.type, 0.0)))
            sums.append(vectors.splat(value))
        for weights, distance, values, depth in ((w, width, xs, I), (v, total, hs, H)):
            pointers = [builder.gep(weights, [builder.mul(row, distance)]) for row in rows]
            sums = _multiply(builder, vectors, pointers, values, depth, sums)
        first = builder.mul(unit, ir.Constant(_I64, G * vectors.lanes))
        for n, total_n in enumerate(sums):
            vectors.store(total_n, builder.gep(out, [first]), n * vectors.lanes)
        return context.get_dummy_value()

    n = types.int64
    return types.void(job, n, n, w, n, n, xs, v, n, hs, bias, other_bias, n, n, out), emit


def _multiply(
    builder: ir.IRBuilder,
    vectors: Emitter,
    rows: list[ir.Value],
    values: ir.Value,
    depth: ir.Value,
    sums: list[Vector],
) -> list[Vector]:
    """sums[r] += rows[r][k] * values[k] over all k: a number of each row times a vector of samples."""
    entry = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("depth", "multiply", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.phi(_I64)
    phis = [builder.phi(vectors.type) for _ in sums]
    for phi, value in zip([k, *phis], [ir.Constant(_I64, 0), *(one.value for one in sums)], strict=True):
        phi.add_incoming(value, entry)
    builder.cbranch(builder.icmp_signed("<", k, depth), body, done)
    builder.position_at_end(body)
    factor = vectors.load(values, builder.mul(k, ir.Constant(_I64, vectors.lanes)))
    products = [
        vectors.fma(vectors.splat(builder.load(builder.gep(row, [k]))), factor, Vector(vectors, phi)).value
        for row, phi in zip(rows, phis, strict=True)
    ]
    for phi, value in zip([k, *phis], [builder.add(k, ir.Constant(_I64, 1)), *products], strict=True):
        phi.add_incoming(value, body)
    builder.branch(head)
    builder.position_at_end(done)
    return [Vector(vectors, phi) for phi in phis]
