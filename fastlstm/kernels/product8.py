"""Products with weights of 8 or 16 bits: as `multiply`, on panels of integers. Values are rounded as they come."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastlstm.kernels.jit import at, put
from fastlstm.kernels.product import panel_width
from fastlstm.kernels.round import as_bytes, as_reals, round_row, row_peak, scratch
from fastlstm.kernels.tile8 import tile8
from fastlstm.kernels.tiling import R
from fastlstm.spec.narrow import BYTES, DEPTH, SMALLEST, WORDS, Rounding

ROWS = 48
"""Rows rounded at once, which every panel then meets: bytes stay in the first-level cache, with a panel beside them; of
words a tile's rows come from the second-level cache while the one before is multiplied."""


def _made(rounding: Rounding) -> Any:
    """The product with this rounding: its source is the same, what it is compiled into is not."""
    small = int(rounding.in_bytes)
    row_bytes = DEPTH * (1 if small else 2)
    columns = rounding.together
    room_bytes, scale_bytes = ROWS * row_bytes, 4 * ROWS
    limit, smallest = np.float32(rounding.values), np.float32(SMALLEST)
    nothing = np.float32(0.0)

    def multiply(job, a, a_row, a_step, rows, K, w, w_panel, first, last, start, start_row, start_panel, out, out_row):
        W = panel_width(a)
        room, scales = scratch(room_bytes), as_reals(scratch(scale_bytes))
        inverses = as_reals(scratch(scale_bytes))
        panel = 4 * w_panel
        row0 = 0
        while row0 < rows:
            passes = (rows - row0 + ROWS - 1) // ROWS
            count = (rows - row0 + passes - 1) // passes
            for r in range(count):
                peak = row_peak(at(a, (row0 + r) * a_row), K)
                put(scales, r, peak / limit)
                put(inverses, r, limit / peak if peak > smallest else nothing)
            tiles = (count + R - 1) // R
            low = count // tiles
            high = count - low * tiles  # this many tiles have one row more
            done, place = 0, 4 * W
            while done < K:
                depth = min(DEPTH, K - done)
                groups = (depth + columns - 1) // columns
                for r in range(count):
                    target = at(room, r * row_bytes)
                    round_row(small, at(a, (row0 + r) * a_row + done), depth, inverses[r], target)
                here_start, here_row, here_panel = at(start, row0 * start_row), start_row, start_panel
                if done:
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


multiply_words, multiply_bytes = _made(WORDS), _made(BYTES)
"""Kernels: out = start + a w' as `multiply`'s, a rounded to 12 bits or to 8, a_step 1.

w stands at the first panel's scales, W numbers; behind these, for each DEPTH columns, W 32-bit numbers (minus 128 times
the sums of the weights, where values are bytes), then the weights, (groups of four columns, W, 4) bytes or (groups of
two, W, 2) words. w_panel is the distance of panels in numbers, scales included. A row with NaN or infinity gives NaN.
"""
