"""Products of matrices that nobody has packed before, as the backward of a loop over cells has them."""

from fastlstm.kernels.jit import at, inner, task
from fastlstm.kernels.product import panel_width, product
from fastlstm.kernels.rows import clear, copy, copy_padded
from fastlstm.kernels.tiling import BLOCK_LD, BLOCK_ROWS, PLAIN_DEPTH, C, R
from fastlstm.kernels.tokens import share
from fastlstm.kernels.vectorcopy import copy_tile

# So many rows are worth packing a panel for them alone.
LEAST_ROWS = 4 * R


def products(job, phase, portion):
    """Kernel, one for all cells: out = start + a b for every task; zeros where `has_start` is not set.

    a (B, depth): a[r, k] stands at a + r*a_row + k*a_step, one of which is 1; b (depth, I) has rows b_row apart, out
    and start (B, I) rows out_batch and start_row apart; out overlaps nothing, or is start. One phase of job.portions
    portions, each some columns of some rows of out, or, where a_row is 1, some rows. Packs into scratch,
    `scratch_thread` for each portion (`tiling.plain_room` says how much).
    """
    for number in range(job.tasks):
        here = task(job, number)
        if here.a_step == 1:
            _some_columns(here, portion, job.portions)
        else:
            _some_rows(here, portion, job.portions)


@inner
def _some_columns(job, portion, portions):
    """Panels; of few panels, parts of their rows, though each part packs its panel anew."""
    W = panel_width(job.b)
    panels = (job.I + W - 1) // W
    parts = max(min(job.B // LEAST_ROWS, 2 * portions // panels), 1)
    first, last = share(panels * parts, 1, portion, portions)
    for part in range(first, last):
        row, end = share(job.B, R, part % parts, parts)
        for done in range(0, job.depth, PLAIN_DEPTH):
            a = at(job.a, row * job.a_row + done)
            _multiply(job, portion, part // parts, row, end - row, done, a, job.a_row, 1)


@inner
def _some_rows(job, portion, portions):
    W = panel_width(job.b)
    first, last = share(job.B, R, portion, portions)
    block = at(job.scratch, portion * job.scratch_thread + (1 + PLAIN_DEPTH + BLOCK_ROWS) * W)
    for row in range(first, last, BLOCK_ROWS):
        rows = min(BLOCK_ROWS, last - row)
        for done in range(0, job.depth, PLAIN_DEPTH):
            depth = min(PLAIN_DEPTH, job.depth - done)
            source = at(job.a, done * job.a_step + row)
            if rows == BLOCK_ROWS:
                copy_tile(source, job.a_step, block, BLOCK_LD, 0, BLOCK_ROWS, depth)
            else:
                for k in range(depth):
                    copy(at(source, k * job.a_step), at(block, k * BLOCK_LD), rows)
            for panel in range((job.I + W - 1) // W):
                _multiply(job, portion, panel, row, rows, done, block, 1, BLOCK_LD)


@inner
def _multiply(job, portion, panel, row, rows, done, a, a_row, a_step):
    """One panel of out from `row` on, and the depths from `done` on; those before have been added up in it.

    A last panel of fewer columns is summed in scratch: whole vectors do not fit in `out`.
    """
    W = panel_width(job.b)
    zeros = at(job.scratch, portion * job.scratch_thread)
    packed, narrow = at(zeros, W), at(zeros, (1 + PLAIN_DEPTH) * W)
    depth, columns = min(PLAIN_DEPTH, job.depth - done), min(W, job.I - panel * W)
    source = at(job.b, done * job.b_row + panel * W)
    out, out_row = at(job.out, row * job.out_batch + panel * W), job.out_batch
    start, start_row = out, out_row
    if done == 0:
        start, start_row = at(job.start, row * job.start_row + panel * W), job.start_row
        if not job.has_start:
            clear(zeros, W)
            start, start_row = zeros, 0
    if columns == W:
        copy_tile(source, job.b_row, packed, W, C, 0, depth)
    else:
        for k in range(depth):
            copy_padded(at(source, k * job.b_row), at(packed, k * W), columns, W)
        if done == 0:
            for r in range(rows):
                copy_padded(at(start, r * start_row), at(narrow, r * W), columns, W)
        start, start_row = narrow, W
        out, out_row = narrow, W
    product(job, a, a_row, a_step, rows, depth, packed, 0, 0, 1, start, start_row, 0, out, out_row)
    if columns < W and done + depth == job.depth:
        for r in range(rows):
            target = at(job.out, (row + r) * job.out_batch + panel * W)
            copy(at(narrow, r * W), target, columns)
