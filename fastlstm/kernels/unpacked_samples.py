"""The kernel of `few` for more samples: the lanes of a vector are samples, so no sums go across lanes."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from fastlstm.cells import CELLS
from fastlstm.kernels.jit import Job, at, inner, lanes_of, task, trait
from fastlstm.kernels.machine import host
from fastlstm.kernels.rows import clear
from fastlstm.kernels.step import step_forward
from fastlstm.kernels.tokens import share
from fastlstm.kernels.turn import turn, turn_back
from fastlstm.kernels.unpacked_few import kept_width
from fastlstm.kernels.vector import Emitter, Vector

_I64 = ir.IntType(64)


def step_samples(job, phase, portion):
    """Kernel: this portion's share of the units of every direction, from x and h0 to out, hn and cn. T is 1.

    Reads B I H bias tasks train, x h0 c0, w_ih w_hh b_ih b_hh; writes out hn cn, and kept where train is set. `lanes`
    samples at a time, each time all of them for a few units, whose weights stay in the first-level cache. Works in xs
    m, (I, lanes) and (H, lanes) for every `lanes` samples of each portion, `scratch_thread` apart; z u, (H, G, lanes)
    for every `lanes` samples, `z_ld` apart; hin cin h_end c_end, (H, lanes).
    """
    lanes = lanes_of(job.z)
    for number in range(job.tasks):
        here = task(job, number)
        xs = at(here.xs, portion * here.scratch_thread)
        hs = at(here.m, portion * here.scratch_thread)
        first, last = share(here.H, units_at_once(here, 1), portion, here.threads)
        for b in range(0, here.B, lanes):
            samples = min(lanes, here.B - b)
            turn(at(here.x, b * here.x_batch), here.x_batch, samples, at(xs, b * here.I), 0, here.I)
            if here.has_state:
                turn(at(here.h0, b * here.H), here.H, samples, at(hs, b * here.H), 0, here.H)
        _gates(here, first, last, xs, hs)
        for b in range(0, here.B, lanes):
            _units(here, b, min(lanes, here.B - b), first, last, at(hs, b * here.H))


@inner
def _gates(job, first, last, xs, hs):
    """z, and u where the cell splits its gates, of units first..last-1 for all samples."""
    lanes = lanes_of(job.z)
    depth = job.H if job.has_state else 0
    pairs = job.B // (2 * lanes) * 2 * lanes
    for unit in range(first, last, units_at_once(job, 1)):
        for b in range(0, pairs, 2 * lanes):
            for n in range(unit, min(unit + units_at_once(job, 1), last), units_at_once(job, 2)):
                turn, x, h = b // lanes * job.z_ld, at(xs, b * job.I), at(hs, b * job.H)
                if trait(job, "SPLITS_GATES"):
                    _two_gates_of(job, n, 0, x, depth, h, job.b_hh, 0, at(job.u, turn))
                    _two_gates_of(job, n, job.I, x, 0, h, job.b_ih, 0, at(job.z, turn))
                else:
                    _two_gates_of(job, n, job.I, x, depth, h, job.b_ih, job.bias, at(job.z, turn))
        for b in range(pairs, job.B, lanes):
            turn, x, h = b // lanes * job.z_ld, at(xs, b * job.I), at(hs, b * job.H)
            if trait(job, "SPLITS_GATES"):
                _gates_of(job, unit, 0, x, depth, h, job.b_hh, 0, at(job.u, turn))
                _gates_of(job, unit, job.I, x, 0, h, job.b_ih, 0, at(job.z, turn))
            else:
                _gates_of(job, unit, job.I, x, depth, h, job.b_ih, job.bias, at(job.z, turn))


@inner
def _units(job, b, samples, first, last, hs):
    """Units first..last-1 of the samples from b on, through the cell's equations and to the caller's arrays."""
    lanes = lanes_of(job.z)
    G = trait(job, "GATES")
    n = first * lanes
    z, u = at(job.z, b // lanes * job.z_ld), at(job.u, b // lanes * job.z_ld)
    if job.has_state:
        if trait(job, "CARRIES_CELL"):
            turn(at(job.c0, b * job.H), job.H, samples, job.cin, first, last)
    else:
        clear(at(job.hin, n), (last - first) * lanes)
        clear(at(job.cin, n), (last - first) * lanes)
    step_forward(
        job,
        at(z, n * G),
        at(u, n * G),
        at(hs, n) if job.has_state else at(job.hin, n),
        at(job.cin, n),
        at(job.h_end, n),
        at(job.c_end, n),
        job.e,
        job.units,
        job.es,
        job.section,
        last - first,
        job.H - first,
    )
    turn_back(job.h_end, lanes, samples, at(job.out, b * job.out_batch), job.out_batch, first, last)
    turn_back(job.h_end, lanes, samples, at(job.hn, b * job.H), job.H, first, last)
    if trait(job, "CARRIES_CELL"):
        turn_back(job.c_end, lanes, samples, at(job.cn, b * job.H), job.H, first, last)
    if job.train:
        width = kept_width(job)
        kept = at(job.kept, b * width)
        for gate in range(G):
            turn_back(at(z, gate * lanes), G * lanes, samples, at(kept, gate * job.H), width, first, last)
            if trait(job, "SPLITS_GATES"):
                turn_back(at(u, gate * lanes), G * lanes, samples, at(kept, (G + gate) * job.H), width, first, last)


@inner
def _gates_of(job, unit, x_depth, xs, h_depth, hs, bias, has_other, out):
    gates_of(
        job, 1, unit, job.H, job.w_ih, job.I, x_depth, xs, job.w_hh, h_depth, hs, bias, job.b_hh, job.bias, has_other,
        out, 0,
    )  # fmt: skip


@inner
def _two_gates_of(job, unit, x_depth, xs, h_depth, hs, bias, has_other, out):
    gates_of(
        job, 2, unit, job.H, job.w_ih, job.I, x_depth, xs, job.w_hh, h_depth, hs, bias, job.b_hh, job.bias, has_other,
        out, job.z_ld,
    )  # fmt: skip


def _units_at_once(cell: str, vectors: int) -> int:
    """Units whose gates, for so many vectors of samples, fill the accumulators of the matrix product's tile."""
    return max(host().tile_rows * host().tile_vectors // (CELLS[cell].GATES * vectors), 1)


@intrinsic(prefer_literal=True)
def units_at_once(typing_context: Any, job: Job, vectors: types.IntegerLiteral):
    """How many units `gates_of` computes for so many vectors of samples, as a compile-time constant."""
    if not isinstance(vectors, types.IntegerLiteral):
        return None
    count = _units_at_once(job.cell, vectors.literal_value)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return ir.Constant(_I64, count)

    return types.int64(job, vectors), emit


@intrinsic(prefer_literal=True)
def gates_of(
    typing_context: Any,
    job: Job,
    at_once: types.IntegerLiteral,
    unit: Any,
    total: Any,
    w: types.CPointer,
    width: Any,
    I: Any,
    xs: types.CPointer,
    v: types.CPointer,
    H: Any,
    hs: types.CPointer,
    bias: types.CPointer,
    other_bias: types.CPointer,
    has_bias: Any,
    has_other: Any,
    out: types.CPointer,
    out_ld: Any,
):
    """out[n, u, g] = the gates' sums of `units_at_once` units from `unit` on: up to two biases, w x + v h.

    For `at_once` (1 or 2) vectors n of samples, each weight read once for both: with two, half as many rows of weights
    are under way, whose addresses stay in registers. w: rows of `width`, v: rows of `total`, a row for each gate and
    each of `total` units. xs: (at_once, width, lanes), hs: (at_once, total, lanes), out: (at_once, units, G, lanes),
    `out_ld` apart. I is `width` and H is `total`, or 0 to leave that product out. Units behind the last one read the
    last one's weights; nobody reads what comes of it.
    """
    if not isinstance(at_once, types.IntegerLiteral):
        return None
    G, V = CELLS[job.cell].GATES, at_once.literal_value
    units = _units_at_once(job.cell, V)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        _, _, unit, total, w, width, I, xs, v, H, hs, bias, other_bias, has_bias, has_other, out, out_ld = args
        vectors = Emitter(builder, host(), str(signature.args[0].dtype))
        room = builder.sub(builder.sub(total, ir.Constant(_I64, 1)), unit)
        units_on = []
        for u in range(units):
            u = ir.Constant(_I64, u)
            units_on.append(builder.select(builder.icmp_signed("<", u, room), u, room))
        gates = [builder.add(builder.mul(ir.Constant(_I64, g), total), unit) for g in range(G)]
        sums = []
        for row in [builder.add(gate, on) for on in units_on for gate in gates]:
            value = ir.Constant(vectors.real.type, 0.0)
            for pointer, there in ((bias, has_bias), (other_bias, has_other)):
                # Without biases the pointer is null: read something else.
                yes = builder.icmp_signed("!=", there, ir.Constant(_I64, 0))
                read = builder.load(builder.select(yes, builder.gep(pointer, [row]), xs))
                value = builder.fadd(value, builder.select(yes, read, ir.Constant(vectors.real.type, 0.0)))
            sums += [vectors.splat(value)] * V
        for weights, distance, values, depth in ((w, width, xs, I), (v, total, hs, H)):
            pointers = [builder.gep(weights, [builder.mul(gate, distance)]) for gate in gates]
            offsets = [builder.mul(on, distance) for on in units_on]
            apart = builder.mul(distance, ir.Constant(_I64, vectors.lanes))
            factors = [values, builder.gep(values, [apart])][:V]
            sums = _multiply(builder, vectors, pointers, offsets, factors, depth, sums)
        first = builder.mul(unit, ir.Constant(_I64, G * vectors.lanes))
        places = [builder.gep(out, [first]), builder.gep(out, [builder.add(first, out_ld)])]
        for n, total_n in enumerate(sums):
            vectors.store(total_n, places[n % V], n // V * vectors.lanes)
        return context.get_dummy_value()

    n = types.int64
    return types.void(job, at_once, n, n, w, n, n, xs, v, n, hs, bias, other_bias, n, n, out, n), emit


def _multiply(
    builder: ir.IRBuilder,
    vectors: Emitter,
    gates: list[ir.Value],
    offsets: list[ir.Value],
    values: list[ir.Value],
    depth: ir.Value,
    sums: list[Vector],
) -> list[Vector]:
    """sums[u, g, n] += w[k] * values[n][k] over all k < depth, with w the row `offsets[u]` behind `gates[g]`.

    Written so that a turn is its loads and multiply-adds and five instructions more: of each row's address by itself
    there are more than registers, and each would be loaded again for every k; two turns in one want more vectors than
    there are.
    """
    entry = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("depth", "multiply", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.phi(_I64)
    pointers = [builder.phi(start.type) for start in (*gates, *values)]
    phis = [builder.phi(vectors.type) for _ in sums]
    starts = [ir.Constant(_I64, 0), *gates, *values, *(one.value for one in sums)]
    for phi, value in zip([k, *pointers, *phis], starts, strict=True):
        phi.add_incoming(value, entry)
    builder.cbranch(builder.icmp_signed("<", k, depth), body, done)
    builder.position_at_end(body)
    at_gates = [_opaque(builder, pointer) for pointer in pointers[: len(gates)]]
    at_values = pointers[len(gates) :]
    factors = [vectors.load(place) for place in at_values]
    products = [Vector(vectors, phi) for phi in phis]
    number = 0
    for offset in offsets:
        for gate in at_gates:
            weight = vectors.splat(builder.load(builder.gep(gate, [offset])))
            for factor in factors:
                products[number] = vectors.fma(weight, factor, products[number])
                number += 1
    one, lanes = ir.Constant(_I64, 1), ir.Constant(_I64, vectors.lanes)
    moved = [builder.gep(place, [one]) for place in at_gates] + [builder.gep(place, [lanes]) for place in at_values]
    following = [builder.add(k, one), *moved, *(product.value for product in products)]
    for phi, value in zip([k, *pointers, *phis], following, strict=True):
        phi.add_incoming(value, body)
    builder.branch(head)
    builder.position_at_end(done)
    return [Vector(vectors, phi) for phi in phis]


def _opaque(builder: ir.IRBuilder, pointer: ir.Value) -> ir.Value:
    """The same pointer, of which the optimiser does not know that: it would add each offset to it ahead of the loop."""
    same = ir.FunctionType(pointer.type, [pointer.type])
    return builder.asm(same, "", "=r,0", [pointer], side_effect=False)
