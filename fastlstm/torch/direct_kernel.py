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
from fastlstm.kernels.rows import copy, copy_padded, fill
from fastlstm.kernels.step import step_forward
from fastlstm.kernels.tokens import share
from fastlstm.kernels.vector import Emitter, Vector

_I32, _I64 = ir.IntType(32), ir.IntType(64)

# Sums under way at once: the product of latency and rate of fused multiply-adds, 4 x 2, on the CPUs of these years.
CHAINS = 8


def step_direct(job, thread):
    """Kernel: this thread's share of the units of every direction, from x and h0 to out, hn and cn. T is 1.

    Reads B I H P blocks tasks, x h0 c0 reset, w_ih w_hh b_ih b_hh; writes out hn cn; works in z u hin cin h_end c_end.
    """
    lanes = lanes_of(job.z)
    for number in range(job.tasks):
        here = task(job, number)
        first, last = share(here.blocks, 1, thread, job.threads)
        _gates(here, first, last)
        n = first * lanes
        for b in range(here.B):
            _enter(here, b, n, last * lanes)
            row = b * here.h_ld + n
            gates = b * here.z_ld + n * trait(job, "GATES")
            step_forward(
                here,
                at(here.z, gates),
                at(here.u, gates),
                at(here.hin, row),
                at(here.cin, row),
                at(here.h_end, row),
                at(here.c_end, row),
                last - first,
            )
            width = min(here.H, last * lanes) - n
            copy(at(here.h_end, row), at(here.out, b * here.out_batch + n), width)
            copy(at(here.h_end, row), at(here.hn, b * here.H + n), width)
            if trait(job, "CARRIES_CELL"):
                copy(at(here.c_end, row), at(here.cn, b * here.H + n), width)


@inner
def _keeps_state(job, b):
    return job.has_state and not (job.resets and job.reset[b])


@inner
def _enter(job, b, first, last):
    """The state that enters sample b, columns first..last-1, zeros behind the last unit."""
    count = max(min(job.H, last) - first, 0) if _keeps_state(job, b) else 0
    copy_padded(at(job.h0, b * job.H + first), at(job.hin, b * job.h_ld + first), count, last - first)
    if trait(job, "CARRIES_CELL"):
        copy_padded(at(job.c0, b * job.H + first), at(job.cin, b * job.h_ld + first), count, last - first)


@inner
def _gates(job, first, last):
    """z (and u where the cell splits its gates) of all samples, (blocks, G, lanes), blocks first..last-1."""
    lanes = lanes_of(job.z)
    gates = trait(job, "GATES")
    for block in range(first, last):
        count = min(lanes, job.H - block * lanes)
        for gate in range(gates):
            row = gate * job.H + block * lanes
            place = (block * gates + gate) * lanes
            _biases(job, row, place, count)
            w_ih, w_hh = at(job.w_ih, row * job.I), at(job.w_hh, row * job.H)
            # The samples inside: the weights of these few rows stay in the first-level cache.
            for b in range(job.B):
                h = at(job.h0, b * job.H)
                depth = job.H if _keeps_state(job, b) else 0
                z = at(job.z, b * job.z_ld + place)
                if trait(job, "SPLITS_GATES"):
                    add_products(count, z, w_ih, at(job.x, b * job.x_batch), job.I, w_hh, h, job.H, 0)
                    u = at(job.u, b * job.z_ld + place)
                    add_products(count, u, w_ih, at(job.x, b * job.x_batch), 0, w_hh, h, job.H, depth)
                else:
                    add_products(count, z, w_ih, at(job.x, b * job.x_batch), job.I, w_hh, h, job.H, depth)


@inner
def _biases(job, row, place, count):
    lanes = lanes_of(job.z)
    for lane in range(count):
        input_bias = job.b_ih[row + lane] if job.bias else 0.0
        recurrent_bias = job.b_hh[row + lane] if job.bias else 0.0
        if not trait(job, "SPLITS_GATES"):
            input_bias += recurrent_bias
        for b in range(job.B):
            put(job.z, b * job.z_ld + place + lane, input_bias)
            if trait(job, "SPLITS_GATES"):
                put(job.u, b * job.z_ld + place + lane, recurrent_bias)
    for b in range(job.B):
        fill(at(job.z, b * job.z_ld + place + count), 0.0, lanes - count)
        if trait(job, "SPLITS_GATES"):
            fill(at(job.u, b * job.z_ld + place + count), 0.0, lanes - count)


@intrinsic
def add_products(
    typing_context: Any,
    count: types.Integer,
    out: types.CPointer,
    w: types.CPointer,
    x: types.CPointer,
    I: types.Integer,
    v: types.CPointer,
    h: types.CPointer,
    ld: types.Integer,
    H: types.Integer,
):
    """out[r] += sum over i < I of w[r, i] x[i] + sum over j < H of v[r, j] h[j], for one vector of rows r.

    w: rows of I, v: rows of `ld`. Rows from `count` (1 ... lanes) on are read as row count - 1: nothing behind the last
    row is touched, and nobody reads what these lanes of out become.
    """

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vectors = Emitter(builder, host(), str(signature.args[1].dtype))
        count, out, w, x, I, v, h, ld, H = args
        sums = [vectors.splat(0.0)] * (vectors.lanes * _unroll(vectors))
        tail = vectors.load(out)
        for weights, distance, values, depth in ((w, I, x, I), (v, ld, h, H)):
            rows = _row_pointers(builder, vectors, weights, distance, count)
            whole = builder.and_(depth, ir.Constant(_I64, -vectors.lanes * _unroll(vectors)))
            sums = _multiply(builder, vectors, rows, values, whole, sums)
            tail = _multiply_tail(builder, vectors, rows, values, whole, depth, tail)
        lanes = vectors.lanes
        folded = sums[:lanes]
        for n in range(lanes, len(sums), lanes):
            folded = [a + b for a, b in zip(folded, sums[n : n + lanes], strict=True)]
        vectors.store(tail + _sums_across(builder, vectors, folded), out)
        return context.get_dummy_value()

    n = types.int64
    return types.void(n, out, w, x, n, v, h, n, n), emit


def _unroll(vectors: Emitter) -> int:
    return max(1, CHAINS // vectors.lanes)


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
    whole: ir.Value,
    sums: list[Vector],
) -> list[Vector]:
    """sums[u * lanes + r] += rows[r][k:] * values[k:], whole vectors of k < `whole`, `unroll` at a time."""
    lanes, unroll = vectors.lanes, _unroll(vectors)
    entry = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("depth", "multiply", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.phi(_I64)
    phis = [builder.phi(vectors.type) for _ in sums]
    for phi, value in zip([k, *phis], [ir.Constant(_I64, 0), *(one.value for one in sums)], strict=True):
        phi.add_incoming(value, entry)
    builder.cbranch(builder.icmp_signed("<", k, whole), body, done)
    builder.position_at_end(body)
    products = []
    for u in range(unroll):
        place = builder.add(k, ir.Constant(_I64, u * lanes))
        factor = vectors.load(values, place)
        for r, row in enumerate(rows):
            before = Vector(vectors, phis[u * lanes + r])
            products.append(vectors.fma(vectors.load(row, place), factor, before).value)
    following = builder.add(k, ir.Constant(_I64, unroll * lanes))
    for phi, value in zip([k, *phis], [following, *products], strict=True):
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
    place = cgutils.alloca_once_value(builder, total.value)
    with cgutils.for_range_slice(builder, whole, depth, ir.Constant(_I64, 1), inc=True) as (k, _):
        column = ir.Constant(vectors.type, ir.Undefined)
        for r, row in enumerate(rows):
            column = builder.insert_element(column, builder.load(builder.gep(row, [k])), ir.Constant(_I32, r))
        factor = vectors.splat(builder.load(builder.gep(values, [k])))
        builder.store(vectors.fma(Vector(vectors, column), factor, Vector(vectors, builder.load(place))).value, place)
    return Vector(vectors, builder.load(place))


def _sums_across(builder: ir.IRBuilder, vectors: Emitter, sums: list[Vector]) -> Vector:
    """Lane r of the result is the sum of the lanes of sums[r]: neighbours are added until one vector is left."""
    lanes = vectors.lanes
    while len(sums) > 1:
        pairs = []
        for a, b in zip(sums[::2], sums[1::2], strict=True):
            even, odd = (
                builder.shuffle_vector(
                    a.value,
                    b.value,
                    ir.Constant(ir.VectorType(_I32, lanes), [*range(start, 2 * lanes, 2)]),
                )
                for start in (0, 1)
            )
            pairs.append(Vector(vectors, even) + Vector(vectors, odd))
        sums = pairs
    return sums[0]
