"""Kernel: one time step of a layer on weights where they are, in torch's layout, each read once.

The packed panels of `fastlstm.kernels` are faster per product, but a caller whose weights may change unseen must first
compare all of them with a copy: two readings more, where a single step needs one.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

from fastlstm.kernels.jit import at, inner, lanes_of, put, task, trait
from fastlstm.kernels.machine import host
from fastlstm.kernels.rows import copy, copy_padded
from fastlstm.kernels.step import step_forward
from fastlstm.kernels.tokens import share
from fastlstm.kernels.vector import Emitter, Vector

_I32, _I64 = ir.IntType(32), ir.IntType(64)

# Sums under way at once: the product of latency and rate of fused multiply-adds, 4 x 2, on the CPUs of these years.
CHAINS = 8


def step_few(job, phase, portion):
    """Kernel for few samples: this portion's share of the units of every direction, from x and h0 to out, hn and cn.

    T is 1. Reads B I H blocks bias tasks train, x h0 c0, w_ih w_hh b_ih b_hh; writes out hn cn, and kept where train is
    set. Works in z u (B rows), xs m (one row of z each, the biases), hin cin h_end c_end (B rows).
    """
    lanes = lanes_of(job.z)
    for number in range(job.tasks):
        here = task(job, number)
        first, last = share(here.blocks, 1, portion, job.threads)
        _gates(here, first, last)
        n = first * lanes
        width = min(here.H, last * lanes) - n
        kept = width if here.has_state else 0
        for b in range(here.B):
            row, gates = b * here.h_ld + n, b * here.z_ld + n * trait(job, "GATES")
            copy_padded(at(here.h0, b * here.H + n), at(here.hin, row), kept, (last - first) * lanes)
            if trait(job, "CARRIES_CELL"):
                copy_padded(at(here.c0, b * here.H + n), at(here.cin, row), kept, (last - first) * lanes)
            step_forward(
                here,
                at(here.z, gates),
                at(here.u, gates),
                at(here.hin, row),
                at(here.cin, row),
                at(here.h_end, row),
                at(here.c_end, row),
                here.e,
                here.units,
                here.es,
                here.section,
                last - first,
                here.H - n,
            )
            copy(at(here.h_end, row), at(here.out, b * here.out_batch + n), width)
            copy(at(here.h_end, row), at(here.hn, b * here.H + n), width)
            if trait(job, "CARRIES_CELL"):
                copy(at(here.c_end, row), at(here.cn, b * here.H + n), width)
            if here.train:
                _keep(here, b, first, last)


@inner
def _keep(job, b, first, last):
    """The gates of sample b in torch's order, and u where the cell splits them: what `unpacked_backward` reads."""
    lanes = lanes_of(job.z)
    G = trait(job, "GATES")
    kept = at(job.kept, b * kept_width(job))
    for block in range(first, last):
        for gate in range(G):
            unit = block * lanes
            place, count = b * job.z_ld + (block * G + gate) * lanes, min(lanes, job.H - unit)
            copy(at(job.z, place), at(kept, gate * job.H + unit), count)
            if trait(job, "SPLITS_GATES"):
                copy(at(job.u, place), at(kept, (G + gate) * job.H + unit), count)


@inner
def kept_width(job):
    """Numbers of one sample in `kept`."""
    return trait(job, "GATES") * job.H * (1 + trait(job, "SPLITS_GATES"))


@inner
def _gates(job, first, last):
    """z (and u where the cell splits its gates) of all samples, (blocks, G, lanes), blocks first..last-1."""
    lanes = lanes_of(job.z)
    gates = trait(job, "GATES")
    depth = job.H if job.has_state else 0
    for block in range(first, last):
        count = min(lanes, job.H - block * lanes)
        for gate in range(gates):
            row = gate * job.H + block * lanes
            place = (block * gates + gate) * lanes
            h_depth = depth
            w_ih, w_hh = at(job.w_ih, row * job.I), at(job.w_hh, row * job.H)
            if trait(job, "SPLITS_GATES"):
                _bias(job, job.b_hh, row, count, at(job.m, place))
                products(
                    count, job.B, at(job.m, place), at(job.u, place), job.z_ld, w_ih, 0, job.x, job.x_batch, 0,
                    w_hh, job.H, job.h0, job.H, h_depth,
                )  # fmt: skip
                h_depth = 0
            _bias(job, job.b_ih, row, count, at(job.xs, place))
            if not trait(job, "SPLITS_GATES") and job.bias:
                for i in range(count):
                    put(job.xs, place + i, job.xs[place + i] + job.b_hh[row + i])
            products(
                count, job.B, at(job.xs, place), at(job.z, place), job.z_ld, w_ih, job.I, job.x, job.x_batch, job.I,
                w_hh, job.H, job.h0, job.H, h_depth,
            )  # fmt: skip


@inner
def _bias(job, bias, row, count, start):
    """A vector at `start` of `count` numbers of a bias, from `row` on, and zeros behind; zeros where there is none."""
    copy_padded(at(bias, row), start, count if job.bias else 0, lanes_of(job.z))


@intrinsic
def products(
    typing_context: Any,
    count: types.Integer,
    samples: types.Integer,
    start: types.CPointer,
    out: types.CPointer,
    out_ld: types.Integer,
    w: types.CPointer,
    w_ld: types.Integer,
    x: types.CPointer,
    x_ld: types.Integer,
    I: types.Integer,
    v: types.CPointer,
    v_ld: types.Integer,
    h: types.CPointer,
    h_ld: types.Integer,
    H: types.Integer,
):
    """out[b, r] = start[r] + sum over i < I of w[r, i] x[b, i] + sum over j < H of v[r, j] h[b, j].

    For `samples` b and one vector of rows r; `_ld` apart are the rows of each array. Rows from `count` (1 ... lanes) on
    are read as row count - 1: nothing behind the last row is touched, and nobody reads what comes of it. The samples
    are the inner loop: the weights of these few rows stay in the first-level cache.
    """

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vectors = Emitter(builder, host(), str(signature.args[2].dtype))
        count, samples, start, out, out_ld, w, w_ld, x, x_ld, I, v, v_ld, h, h_ld, H = args
        begin = vectors.load(start)
        sides = [
            (_row_pointers(builder, vectors, weights, distance, count), values, values_ld, depth)
            for weights, distance, values, values_ld, depth in ((w, w_ld, x, x_ld, I), (v, v_ld, h, h_ld, H))
        ]
        with cgutils.for_range(builder, samples) as loop:
            sums = [vectors.splat(0.0)] * max(CHAINS, vectors.lanes)
            at_once = max(len(sums) // vectors.lanes, 2)
            total = begin
            for rows, values, values_ld, depth in sides:
                here = builder.gep(values, [builder.mul(loop.index, values_ld)])
                many = builder.and_(depth, ir.Constant(_I64, -vectors.lanes * at_once))
                whole = builder.and_(depth, ir.Constant(_I64, -vectors.lanes))
                sums = _multiply(builder, vectors, rows, here, ir.Constant(_I64, 0), many, at_once, sums)
                sums = _multiply(builder, vectors, rows, here, many, whole, 1, sums)
                total = _multiply_tail(builder, vectors, rows, here, whole, depth, total)
            folded = sums[: vectors.lanes]
            for n in range(vectors.lanes, len(sums), vectors.lanes):
                folded = [a + b for a, b in zip(folded, sums[n : n + vectors.lanes], strict=True)]
            place = builder.gep(out, [builder.mul(loop.index, out_ld)])
            vectors.store(total + _sums_across(builder, vectors, folded), place)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, n, start, out, n, w, n, x, n, n, v, n, h, n, n), emit


def _row_pointers(
    builder: ir.IRBuilder, vectors: Emitter, weights: ir.Value, distance: ir.Value, count: ir.Value
) -> list[ir.Value]:
    rows = []
    for r in range(vectors.lanes):
        row = ir.Constant(_I64, r)
        inside = builder.icmp_signed("<", row, count)
        row = builder.select(inside, row, builder.sub(count, ir.Constant(_I64, 1)))
        rows.append(builder.gep(weights, [builder.mul(row, distance)]))
    return rows


def _multiply(
    builder: ir.IRBuilder,
    vectors: Emitter,
    rows: list[ir.Value],
    values: ir.Value,
    first: ir.Value,
    last: ir.Value,
    at_once: int,
    sums: list[Vector],
) -> list[Vector]:
    """sums[n] += the products of row n % lanes over k = first ... last - 1, `at_once` vectors of k at a time.

    Neighbouring loads are never of the same part of a cache line: rows often lie a power of two apart, and two loads
    from one bank of the first-level cache take turns.
    """
    lanes = vectors.lanes
    entry = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("depth", "multiply", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.phi(_I64)
    phis = [builder.phi(vectors.type) for _ in sums]
    for phi, value in zip([k, *phis], [first, *(one.value for one in sums)], strict=True):
        phi.add_incoming(value, entry)
    builder.cbranch(builder.icmp_signed("<", k, last), body, done)
    builder.position_at_end(body)
    places = [builder.add(k, ir.Constant(_I64, u * lanes)) for u in range(at_once)]
    factors = [vectors.load(values, place) for place in places]
    products = [Vector(vectors, phi) for phi in phis]
    for turn in range(at_once):
        for r, row in enumerate(rows):
            u = (turn + r) % at_once
            n = (u * lanes + r) % len(sums)
            products[n] = vectors.fma(vectors.load(row, places[u]), factors[u], products[n])
    following = builder.add(k, ir.Constant(_I64, at_once * lanes))
    for phi, value in zip([k, *phis], [following, *(one.value for one in products)], strict=True):
        phi.add_incoming(value, body)
    builder.branch(head)
    builder.position_at_end(done)
    return [Vector(vectors, phi) for phi in phis]


def _multiply_tail(
    builder: ir.IRBuilder,
    vectors: Emitter,
    rows: list[ir.Value],
    values: ir.Value,
    whole: ir.Value,
    depth: ir.Value,
    total: Vector,
) -> Vector:
    """total[r] += rows[r][k] * values[k] for the last k, from `whole` on: a column of weights at a time."""
    entry = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("last", "column", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    k, phi = builder.phi(_I64), builder.phi(vectors.type)
    k.add_incoming(whole, entry)
    phi.add_incoming(total.value, entry)
    builder.cbranch(builder.icmp_signed("<", k, depth), body, done)
    builder.position_at_end(body)
    column = ir.Constant(vectors.type, ir.Undefined)
    for r, row in enumerate(rows):
        column = builder.insert_element(column, builder.load(builder.gep(row, [k])), ir.Constant(_I32, r))
    factor = vectors.splat(builder.load(builder.gep(values, [k])))
    phi.add_incoming(vectors.fma(Vector(vectors, column), factor, Vector(vectors, phi)).value, body)
    k.add_incoming(builder.add(k, ir.Constant(_I64, 1)), body)
    builder.branch(head)
    builder.position_at_end(done)
    return Vector(vectors, phi)


def _sums_across(builder: ir.IRBuilder, vectors: Emitter, sums: list[Vector]) -> Vector:
    """Lane r of the result is the sum of the lanes of sums[r].

    Halves of two vectors are added until one vector is left; in units that double at each level, and first within 16
    bytes, where a shuffle is cheapest.
    """
    lanes, unit = vectors.lanes, 1
    while unit < lanes:
        near = 16 // vectors.align
        chunk = near if 2 * unit <= near <= lanes else lanes
        halves = []
        for start in (0, chunk // 2):
            places = [
                source + base + start + n + i
                for base in range(0, lanes, chunk)
                for n in range(0, chunk // 2, unit)
                for source in (0, lanes)
                for i in range(unit)
            ]
            halves.append(ir.Constant(ir.VectorType(_I32, lanes), places))
        sums = [
            Vector(vectors, builder.shuffle_vector(a.value, b.value, halves[0]))
            + Vector(vectors, builder.shuffle_vector(a.value, b.value, halves[1]))
            for a, b in zip(sums[::2], sums[1::2], strict=True)
        ]
        unit *= 2
    return sums[0]
