"""The slots of a job block: every size, stride and address that a kernel reads. Python writes it, kernels read it.

One block describes one task: one direction of one layer for a range of samples. Strides and sizes count elements, not
bytes. A token is one (time step, sample) pair that exists; a task numbers its tokens by time step, then sample.
README.md in this folder draws the layouts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SLOT_KINDS: Mapping[str, str] = {
    # how the work is split
    "threads": "int",  # so many threads take part at most
    "tasks": "int",  # blocks of a layer
    "phases": "int",  # of this run, one after another: of `forward` ...
    "portions": "int",  # of a phase of `forward`: at once, in any order, by any thread
    "phases_back": "int",  # ... and of `backward`
    "portions_back": "int",
    "together": "int",  # 1: a portion is some units of a task, a phase a step of time; 0: a portion is a task
    "wavefront": "int",  # 1: a portion of `forward` is a layer's chunk of time, a phase behind the layer below
    "brief": "int",  # 1: so little work that waking a worker for it costs more than it gives
    "multiply": "int",  # address of the compiled product
    "multiply_state": "int",  # and of the one for W_hh, which is another where weights have 8 bits
    "advance": "int",  # addresses of the cell's own kernels
    "retreat": "int",
    # sizes
    "T": "int",
    "B": "int",  # samples of this task
    "I": "int",
    "H": "int",
    "P": "int",  # width of h: proj_size or H
    "blocks": "int",  # of units: ceil(H / lanes), rounded up so that G * blocks vectors fill whole panels
    "ragged": "int",  # 1: `tokens` and `rows` are tables; 0: every step has B samples
    "tokens": "int*",  # (T + 1): number of the first token of each step
    "rows": "int*",  # (T + 1): row of the packed data at which each step begins
    "backwards": "int",  # 1: this direction runs from the last step to the first
    "direction": "int",
    "leads": "int",  # 1: the first task of its part (direction, head): it makes the gradients of the weights
    "adds": "int",  # 1: the gradient of x is added to that of the parts before, which read the same x
    "train": "int",  # 1: xs, z, hin, cin, m (and u of cells that split their gates) have a row for each token
    "projected": "int",
    # what the cell states about itself (cards.py), for the kernels that are one for all cells
    "gates": "int",
    "splits_gates": "int",
    "multiplies_input": "int",
    "recurs": "int",
    "multiplies_state": "int",
    "returns_state": "int",
    "stages": "int",
    "values": "int",
    "counts": "int",
    "passes_state": "int",
    "across": "int",
    "others": "int",
    "chunk": "int",  # time steps whose input product is computed at once
    "step_bytes": "int",  # of gates go at once from a step's product to its cell
    # the caller's arrays
    "x": "real*",
    "x_step": "int",
    "x_batch": "int",
    "out": "real*",
    "out_step": "int",
    "out_batch": "int",
    "masked": "int",
    "mask": "real*",  # dropout factors, laid out as out
    "resets": "int",
    "reset": "byte*",  # one flag for each step and sample
    "reset_step": "int",
    "has_state": "int",
    "h0": "real*",  # B rows of P numbers, `h_row` apart; of a head they are part of a row
    "c0": "real*",  # B rows of H numbers, `c_row` apart
    "hn": "real*",
    "cn": "real*",
    "h_row": "int",
    "c_row": "int",
    # where the caller's arrays begin for this task, in elements
    "x_offset": "int",
    "out_offset": "int",
    "h_offset": "int",
    "c_offset": "int",
    "reset_offset": "int",
    # the parameters, torch's layouts
    "bias": "int",
    "gate_step": "int",  # distance of two gates: rows of w_ih, numbers of the biases, and of x where it holds the gates
    "w_ih": "real*",
    "w_hh": "real*",
    "w_hr": "real*",
    "b_ih": "real*",
    "b_hh": "real*",
    # the parameters in panels (1 + K, W), the bias first
    "wx": "real*",  # K = I
    "wh": "real*",  # K = P
    "wr": "real*",  # K = H
    "wx_panel": "int",  # distance of two panels: (1 + K) W, less where weights are narrower
    "wh_panel": "int",
    "wr_panel": "int",
    "wx_t": "real*",  # K = G * blocks * lanes
    "wh_t": "real*",  # K = G * blocks * lanes
    "wr_t": "real*",  # K = P
    # rows of padded width, `_ld` apart
    "xs": "real*",
    "xs_ld": "int",
    "z": "real*",
    "z_ld": "int",
    "u": "real*",
    "hin": "real*",
    "h_ld": "int",
    "cin": "real*",
    "c_ld": "int",
    "section": "int",  # of a row of cin: distance of one state's units from the next one's
    "others_step": "int",  # distance of one such state from the next in c0, cn and their gradients
    "h_end": "real*",
    "c_end": "real*",
    "m": "real*",
    # one step on unpacked weights: (B, G*H) the gates in torch's order, then where the cell splits them u likewise
    "kept": "real*",
    "e": "real*",  # in training, (blocks, EXTRA, lanes) for each token: what a user's cell stores besides
    "e_ld": "int",
    "has_every": "int",
    "every": "real*",  # the states beside h after each step, laid out as out with rows of H, `every_step` apart
    "every_step": "int",
    "has_grad_every": "int",
    "grad_every": "real*",  # their gradients
    "v0": "real*",  # a row for each token: what a user's step multiplies with W_hh itself, first
    "v1": "real*",  # and second
    "p": "real*",  # (B) rows as of u: these products; in backward (STAGES, B) as of hin, the gradients of v0 and v1
    "p_stage": "int",
    "units": "real*",  # (UNITS, section): a user's cell's unit parameters, as of `pack`
    "units_back": "real*",  # as of `pack_transposed`
    "es": "real*",  # (STEPS, section) for each token of the caller's: a user's cell's step inputs
    "es_step": "int",
    "es_batch": "int",
    # backward
    "all_tokens": "int",  # of all tasks of this direction; their rows stand one after another from the first task's
    "has_grad_out": "int",
    "grad_out": "real*",  # laid out as out
    "has_grad_state": "int",
    "grad_hn": "real*",
    "grad_cn": "real*",
    "grad_x": "real*",  # laid out as x
    "skips_x": "int",  # 1: nobody wants it
    "grad_h0": "real*",
    "grad_c0": "real*",
    "dh": "real*",
    "dc": "real*",
    "dm": "real*",
    "d_units": "real*",  # (UNITS, section), of this task
    "d_es": "real*",  # laid out as es
    "dp": "real*",  # a row for each token: gradient of the projected h
    "grad_w_ih": "real*",
    "grad_w_hh": "real*",
    "grad_w_hr": "real*",
    "grad_b_ih": "real*",
    "grad_b_hh": "real*",
    # plain products: `out` (B, I) = `start` + `a` `b`
    "a": "real*",
    "a_row": "int",
    "a_step": "int",
    "depth": "int",
    "b": "real*",
    "b_row": "int",
    "has_start": "int",
    "start": "real*",
    "start_row": "int",
    # samples as lanes (`samples_forward.py`): B counts groups of as many samples as a register holds, a block is a unit
    "samples": "int",
    "wl": "real*",  # (H * G, I + 1 + P) weights, unit by unit: of x, then the bias (two where the cell splits), of h
    "wl_ld": "int",
    "dx": "real*",  # (B, I, lanes)
    "sums_part": "int",  # distance in `sums` of the sums of u from those of z
    "sums_size": "int",  # and of one task's from the next one's
    "scratch": "real*",
    "scratch_thread": "int",  # distance between two threads' scratch
    "sums": "real*",  # weight gradients, a row for each padded gate row, then one for each row of W_hr
    "sums_ld": "int",
    "narrow": "int",  # 1: `sums` has the columns of x and h as rows, and the gate rows as columns
}
SLOTS: Mapping[str, int] = {name: number for number, name in enumerate(SLOT_KINDS)}


def blank(count: int) -> np.ndarray:
    """`count` empty job blocks, (count, slots) int64."""
    return np.zeros((count, len(SLOTS)), np.int64)
