"""Weights from torch's layout into panels: (1 + K, W) blocks of W columns, the bias first, zeros where nothing is."""

import numpy as np

from fastlstm.kernels.jit import at, inner, lanes_of, put
from fastlstm.kernels.product import panel_width
from fastlstm.kernels.rows import copy
from fastlstm.kernels.tokens import share


def pack(job, phase, portion):
    """Kernel, one for all cells, `job.threads` portions: the panels that forward reads.

    Both biases go with W_ih unless the cell splits its gates.
    """
    inputs, recurrent = np.int64(0), np.int64(1)  # no literals: Numba would compile each call's function again
    if job.multiplies_input:
        _pack_gates(job, portion, inputs, job.w_ih, job.I, job.gate_step, job.wx)
    if job.recurs:
        _pack_gates(job, portion, recurrent, job.w_hh, job.P, job.H, job.wh)
    first, last = share(_gate_rows(job), panel_width(job.wx), portion, job.threads)
    for r in range(first, last):
        row, row_of_u = gate_row(job, r, job.gate_step), recurrent_row(job, r, job.gate_step)
        input_bias = job.b_ih[row] if job.bias and row >= 0 and job.multiplies_input else 0.0
        recurrent_bias = job.b_hh[row_of_u] if job.bias and row_of_u >= 0 and job.recurs else 0.0
        if job.splits_gates:
            _put_bias(job.wh, r, job.P, recurrent_bias)
        else:
            input_bias += recurrent_bias
        _put_bias(job.wx, r, job.I, input_bias)
    if job.projected:
        _pack_plain(job, portion, job.w_hr, job.H, np.int64(1), job.P, job.H, job.wr)
    if job.wl_ld:
        _pack_rows(job, portion)


def pack_transposed(job, phase, portion):
    """Kernel, one for all cells, `job.threads` portions: the panels that backward reads."""
    inputs, recurrent = np.int64(0), np.int64(1)
    if job.multiplies_input:
        _pack_gates_transposed(job, portion, inputs, job.w_ih, job.I, job.gate_step, job.wx_t)
    if job.recurs:
        _pack_gates_transposed(job, portion, recurrent, job.w_hh, job.P, job.H, job.wh_t)
    if job.projected:
        _pack_plain(job, portion, job.w_hr, np.int64(1), job.H, job.H, job.P, job.wr_t)


@inner
def _pack_rows(job, portion):
    """Rows as torch's, but unit by unit: of W_ih, the bias (both, where the cell splits its gates), of W_hh."""
    first, last = share(job.gates * job.H, np.int64(1), portion, job.threads)
    for r in range(first, last):
        row = r % job.gates * job.H + r // job.gates
        target = at(job.wl, r * job.wl_ld)
        copy(at(job.w_ih, row * job.I), target, job.I)
        input_bias = job.b_ih[row] if job.bias else 0.0
        recurrent_bias = job.b_hh[row] if job.bias else 0.0
        put(target, job.I, input_bias if job.splits_gates else input_bias + recurrent_bias)
        if job.splits_gates:
            put(target, job.I + 1, recurrent_bias)
        copy(at(job.w_hh, row * job.P), at(target, job.I + 1 + job.splits_gates), job.P)


@inner
def gate_row(job, r, step):
    """torch's row of the padded gate row r, or -1 for padding; gates lie `step` rows apart.

    Order: block of units, gate, unit of the block.
    """
    lanes = lanes_of(job.z)
    gates = job.gates
    unit = r // (gates * lanes) * lanes + r % lanes
    return (r // lanes % gates) * step + unit if unit < job.H else -1


@inner
def recurrent_row(job, r, step):
    """The same for a row of u, where the gates that meet one value in a step stand together, group after group.

    Order: value, block of units, gate, unit of the block.
    """
    if not job.stages:
        return gate_row(job, r, step)
    value = np.int64(0)
    first, count = group(job, value)
    while r >= first + count:
        value += 1
        first, count = group(job, value)
    lanes = lanes_of(job.z)
    gates = count // (lanes * job.blocks)
    unit = (r - first) // (gates * lanes) * lanes + r % lanes
    gate, left = -1, (r - first) // lanes % gates + 1
    while left > 0:
        gate += 1
        left -= 1 if (job.values >> 4 * gate & 15) == value else 0
    return gate * step + unit if unit < job.H else -1


@inner
def group(job, value):
    """(first, count): of the rows of u those that are multiplied with a value of the step, 0 for the state."""
    rows = lanes_of(job.z) * job.blocks
    if not job.stages:
        return np.int64(0), job.gates * rows
    first = np.int64(0)
    for earlier in range(value):
        first += (job.counts >> 4 * earlier & 15) * rows
    return first, (job.counts >> 4 * value & 15) * rows


@inner
def _gate_rows(job):
    return job.gates * lanes_of(job.z) * job.blocks


@inner
def _put_bias(panels, r, K, bias):
    W = panel_width(panels)
    put(panels, r // W * (1 + K) * W + r % W, bias)


@inner
def _pack_gates(job, portion, recurrent, weights, K, step, panels):
    """Columns are gate rows, or rows of u, depth is K; the row of biases is left alone."""
    W = panel_width(panels)
    first, last = share(_gate_rows(job), W, portion, job.threads)
    for r in range(first, last):
        row = recurrent_row(job, r, step) if recurrent else gate_row(job, r, step)
        target = at(panels, r // W * (1 + K) * W + r % W)
        source = at(weights, row * K)
        for k in range(K):
            put(target, (1 + k) * W, source[k] if row >= 0 else 0.0)


@inner
def _pack_gates_transposed(job, portion, recurrent, weights, columns, step, panels):
    """Columns are inputs, depth is the padded gate rows, or rows of u."""
    W = panel_width(panels)
    K = _gate_rows(job)
    first, last = share(columns, W, portion, job.threads)
    for n in range(first, last, W):
        target = at(panels, n // W * (1 + K) * W)
        count = min(W, columns - n)
        for j in range(W):
            put(target, j, 0.0)
        for k in range(K):
            row = recurrent_row(job, k, step) if recurrent else gate_row(job, k, step)
            for j in range(W):
                put(target, (1 + k) * W + j, weights[row * columns + n + j] if row >= 0 and j < count else 0.0)


@inner
def _pack_plain(job, portion, weights, n_stride, k_stride, columns, K, panels):
    """Column n of depth k is weights[n*n_stride + k*k_stride]."""
    W = panel_width(panels)
    first, last = share((columns + W - 1) // W * W, W, portion, job.threads)
    for n in range(first, last):
        target = at(panels, n // W * (1 + K) * W + n % W)
        put(target, 0, 0.0)
        for k in range(K):
            put(target, (1 + k) * W, weights[n * n_stride + k * k_stride] if n < columns else 0.0)
