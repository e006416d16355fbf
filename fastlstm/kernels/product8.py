"""Products with weights of 8 or 16 bits: as `multiply`, on panels of integers. Values are rounded as they come."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastlstm.kernels.jit import at, put
from fastlstm.kernels.product import panel_width
from fastlstm.kernels.round import as_bytes, as_reals, round_rest, round_row, row_peak, scratch
from fastlstm.kernels.tile8 import tile8
from fastlstm.kernels.tiling import R
from fastlstm.spec.narrow import BYTES, BYTES_TWICE, DEPTH, REST, SMALLEST, WORDS, Rounding

ROWS = 48
"""Rows rounded at once, which every panel then meets: bytes stay in the first-level cache, with a panel beside them; of
words a tile's rows come from the second-level cache while the one before is multiplied."""


def _made(rounding: Rounding) -> Any:
    """The product with this rounding: its source is the same, what it is compiled into is not."""
    small, twice = int(rounding.in_bytes), rounding.twice
    row_bytes = DEPTH * (1 if small else 2)
    columns = rounding.together
    room_bytes, scale_bytes = ROWS * row_bytes, 4 * ROWS
    limit, smallest = np.float32(rounding.values), np.float32(SMALLEST)
    nothing, rest = np.float32(0.0), np.float32(REST)

    def multiply(job, a, a_row, a_step, rows, K, w, w_panel, first, last, start, start_row, start_panel, out, out_row):
        W = panel_width(a)
        room, scales = scratch(room_bytes), as_reals(scratch(scale_bytes))
        inverses = as_reals(scratch(scale_bytes))
        panel = 4 * w_panel
        row0 = 0
        while row0 < rows:
            passes = (rows - row0 + ROWS - 1) // ROWS
            count = (rows - row0 + passes - 1) // passes
            beyond = False
            for r in range(count):
                peak = row_peak(at(a, (row0 + r) * a_row), K)
                put(scales, r, peak / limit)
                put(inverses, r, limit / peak if peak > smallest else nothing)
                beyond |= nothing < inverses[r] < limit
            tiles = (count + R - 1) // R
            low = count // tiles
            high = count - low * tiles  # this many tiles have one row more
            for part in range(2 if twice and beyond else 1):
                if part:  # what the first has left, of rows that reach beyond 1; of others nothing
                    for r in range(count):
                        put(scales, r, scales[r] / rest if nothing < inverses[r] < limit else nothing)
                done, place = 0, 4 * W
                while done < K:
                    depth = min(DEPTH, K - done)
                    groups = (depth + columns - 1) // columns
                    for r in range(count):
                        source, target = at(a, (row0 + r) * a_row + done), at(room, r * row_bytes)
                        if part:
                            round_rest(source, depth, inverses[r], target)
                        else:
                            round_row(small, source, depth, inverses[r], target)
                    here_start, here_row, here_panel = at(start, row0 * start_row), start_row, start_panel
                    if done or part:
                        here_start, here_row, here_panel = at(out, row0 * out_row), out_row, W
                    number = first
                    while number < last:
                        column = at(as_bytes(w), number * panel)
                        begin, end = at(here_start, number * here_panel), at(out, row0 * out_row + number * W)
                        if count <= 3 and number + 2 <= last:
                            tile8(small, 3, 2, count, room, scales, at(column, place), column, panel, groups, begin,
                                  here_row, here_panel, end, out_row, row_bytes)  # fmt: skip
                            number += 2
                        else:
                            row = 0
                            for n in range(tiles):
                                some = low + (1 if n < high else 0)
                                tile8(small, R, 1, some, at(room, row * row_bytes), at(scales, row), at(column, place),
                                      column, panel, groups, at(begin, row * here_row), here_row, 0,
                                      at(end, row * out_row), out_row, row_bytes)  # fmt: skip
                                row += some
                            number += 1
                    place += 4 * W * (1 + groups)
                    done += depth
            row0 += count

    return multiply


multiply_words, multiply_bytes, multiply_bytes_twice = _made(WORDS), _made(BYTES), _made(BYTES_TWICE)
"""Kernels: out = start + a w' as `multiply`'s, a rounded to 12 bits or to 8, a_step 1.

w stands at the first panel's scales, W numbers; behind these, for each DEPTH columns, W 32-bit numbers (minus 128 times
the sums of the weights, where values are bytes), then the weights, (groups of four columns, W, 4) bytes or (groups of
two, W, 2) words. w_panel is the distance of panels in numbers, scales included. A row with NaN or infinity gives NaN.
"""
