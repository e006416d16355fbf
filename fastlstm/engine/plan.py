"""A plan: how one call of given sizes is split, and all memory it works in, as job blocks ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fastlstm.engine.layout import Layout, Memory, Piece
from fastlstm.engine.weights import Weights
from fastlstm.kernels.job import SLOTS, blank
from fastlstm.kernels.tiling import BLOCK_LD, DEPTH, ROWS

# Rows of z that one chunk of time fills: half of a 512 KB second-level cache; and the fewest rows for which a panel of
# input weights is worth fetching.
CHUNK_BYTES, CHUNK_ROWS = 256 * 1024, 48
# Each layer of a wavefront waits for the first chunk of the one below: with so many chunks for an eighth of the time.
CHUNKS_PER_THREAD = 8
# In a wavefront a core reads a layer's recurrent weights alone. They must stay in its second-level cache: with H = 128
# (256 KB) it is 17 % faster than sharing units, with H = 256 (1 MB) 12 % slower.
LAYER_BYTES = 384 * 1024
# Below about 2 us of arithmetic a second thread costs more than it gives.
SMALL_FLOPS = 150_000
# Below about 300 us a thread that sleeps costs more than it gives.
BRIEF_FLOPS = 30_000_000
# And below about 2 us of arithmetic in a step a barrier costs more than the second thread gives.
SMALL_STEP = 100_000

# Columns of x and h up to which weight gradients are turned after their sums.
MOST_NARROW = 128


class Sizes(NamedTuple):
    """What a plan is made for. `batch_sizes` is None for sequences of equal length."""

    T: int
    B: int
    train: bool
    threads: int
    batch_sizes: tuple[int, ...] | None = None
    split: str | None = None  # to force one: "batch", "units" or "layers"


class Plan:
    """Job blocks, a row for each task, layer by layer; within a layer slice by slice, direction by direction."""

    kernels = ("forward", "backward", "gradients")
    reads_transposed = True
    """Whether backward reads weights of `pack_transposed`."""
    samples_in_row = 1
    """How many samples share a row of what training keeps."""
    forward = 0
    backward: tuple[int, ...] = ()
    """The addresses of the first of the kernels, which every call wants, and of the others."""

    def __init__(
        self, layout: Layout, weights: Weights, sizes: Sizes, addresses: Mapping[str, int], key: Any = None
    ) -> None:
        """addresses: of the kernels that forward calls."""
        self.layout, self.sizes, self.key = layout, sizes, key
        self.work = flops(layout, sizes) / weights.pace
        self.B = sizes.B
        self.extras = False  # whether the last call had masks, resets or states of every step
        self.extras_back = False  # whether the last backward had gradients of the states of every step
        self.split, self.threads, slices, self.reason = self._chosen(weights)
        self.slices = slices
        config = layout.config
        D, P, pieces = config.directions, config.output_size, config.directions * layout.heads
        self.tasks = pieces * slices
        self.blocks = blank(config.num_layers * self.tasks)
        self._tables: list[np.ndarray] = []
        bounds = self._bounds(slices)
        rows_before = self._packed_rows
        memory = Memory(layout.dtype)
        pointers: list[tuple[int, str]] = []
        shared: dict[str, int] = {}
        count = sum(sizes.batch_sizes) if sizes.batch_sizes is not None else sizes.T * sizes.B
        between = [memory.add(count * D * P) for _ in range(config.num_layers - 1)]

        for piece, weight_block in zip(layout.pieces(), weights.blocks, strict=True):
            layer = piece.layer
            storage = self._storage(memory, layer, count) if sizes.train else {}
            done = 0
            for number, (first, last) in enumerate(pairwise(bounds)):
                row = layer * self.tasks + number * pieces + piece.number
                block = self.blocks[row]
                block[:] = weight_block
                tokens = self._tokens(first, last)
                fields = self._sizes(piece, first, last, tokens, rows_before)
                for name, value in fields.items():
                    block[SLOTS[name]] = value
                here = {name: offset + done * width for name, (offset, width) in storage.items()}
                here |= self._scratch(memory, layer, last - first, fields["chunk"], shared)
                if layer > 0:
                    here["x"] = between[layer - 1] + fields["x_offset"] * layout.dtype.itemsize
                    here["grad_x"] = here["x"]
                if layer < config.num_layers - 1:
                    here["out"] = between[layer] + fields["out_offset"] * layout.dtype.itemsize
                    here["grad_out"] = here["out"]
                for name, offset in here.items():
                    block[SLOTS[name]] = offset
                    pointers.append((row, name))
                done += self._count(tokens, last - first)
        for name, value in (self._phases() | {"step_bytes": weights.step_bytes} | dict(addresses)).items():
            self.blocks[:, SLOTS[name]] = value
        self.rows, self.address = len(self.blocks), self.blocks.ctypes.data
        self.heads = np.arange(self.rows) % layout.heads
        self.owner, base = memory.allocate()
        for row, name in pointers:
            self.blocks[row, SLOTS[name]] += base
        # Every task's own gradients of unit parameters, to be zeroed by who runs a backward.
        units = (self.rows, layout.trait("UNITS"), layout.section)
        self.d_units = np.zeros(units if sizes.train else 0, layout.dtype)
        if self.d_units.size:
            starts = np.arange(self.rows) * self.d_units[0].nbytes
            self.blocks[:, SLOTS["d_units"]] = self.d_units.ctypes.data + starts

    def _chosen(self, weights: Weights) -> tuple[str, int, int, str]:
        return choose(self.layout, self.sizes, weights)

    @property
    def _together(self) -> bool:
        """Threads share the units of a task; in a wavefront only backward."""
        return self.split == "units" or (self.split == "layers" and shares_units(self.layout, self.threads))

    def _phases(self) -> dict[str, int]:
        """The slots that say how a run is cut: the kernels' `phases_of`, said once more for who hands out the work."""
        T, layers, chunk = self.sizes.T, self.layout.config.num_layers, int(self.blocks[0, SLOTS["chunk"]])
        chunks = -(-T // chunk)
        forward = backward = (1, self.tasks)
        if self._together:
            forward = self.tasks * (2 * chunks + T), self.threads
            backward = self.tasks * (T + 1), self.threads
        if self.split == "layers":
            forward = chunks + layers - 1, layers
        names = ("threads", "tasks", "phases", "portions", "phases_back", "portions_back")
        return dict(zip(names, (self.threads, self.tasks, *forward, *backward), strict=True))

    @cached_property
    def _packed_rows(self) -> int:
        """Address of the table of the packed data's first row for each step, 0 for equal lengths."""
        if self.sizes.batch_sizes is None:
            return 0
        return self._table(np.concatenate([[0], np.cumsum(self.sizes.batch_sizes)]))

    def _table(self, values: np.ndarray) -> int:
        table = np.ascontiguousarray(values, np.int64)
        self._tables.append(table)
        return table.ctypes.data

    def _bounds(self, slices: int) -> list[int]:
        """Where the batch is cut, so that slices have as equal a number of tokens as can be."""
        T, B, batch_sizes = self.sizes.T, self.sizes.B, self.sizes.batch_sizes
        if batch_sizes is None:
            return [B * n // slices for n in range(slices + 1)]
        lengths = np.searchsorted(-np.asarray(batch_sizes), -np.arange(B), side="left")
        tokens = np.cumsum(lengths)
        cuts = np.searchsorted(tokens, tokens[-1] * np.arange(1, slices) / slices) + 1
        return [0, *(int(min(cut, B)) for cut in cuts), B] if T else [0] * slices + [B]

    def _tokens(self, first: int, last: int) -> np.ndarray | None:
        if self.sizes.batch_sizes is None:
            return None
        counts = np.clip(np.asarray(self.sizes.batch_sizes) - first, 0, last - first)
        return np.concatenate([[0], np.cumsum(counts)])

    def _count(self, tokens: np.ndarray | None, samples: int) -> int:
        return self.sizes.T * samples if tokens is None else int(tokens[-1])

    def _sizes(
        self, piece: Piece, first: int, last: int, tokens: np.ndarray | None, packed_rows: int
    ) -> dict[str, int]:
        """Every slot that is a number."""
        layout, sizes = self.layout, self.sizes
        config = layout.config
        T, B, D = sizes.T, sizes.B, config.directions
        layer, direction = piece.layer, piece.direction
        I, H, P = config.layer_input_size(layer), config.hidden_size, config.output_size
        state, unit = layer * D + direction, piece.head * layout.H
        holds_gates = not layout.trait("INPUTS")
        # Packed rows lie one behind the other; the others as batch_first says.
        step, batch = (1, 1) if tokens is not None else (1, T) if config.batch_first else (B, 1)
        z_bytes = max(last - first, 1) * layout.row(layout.gate_rows) * layout.dtype.itemsize
        shortest = shortest_chunk(last - first)
        chunk = shortest if self.split == "layers" else max(CHUNK_BYTES // z_bytes, shortest)
        return {
            "together": int(self._together),
            "wavefront": int(self.split == "layers"),
            "brief": int(self.work < BRIEF_FLOPS),
            "T": T,
            "B": last - first,
            "ragged": int(tokens is not None),
            "tokens": 0 if tokens is None else self._table(tokens),
            "rows": packed_rows,
            "backwards": direction,
            "direction": direction,
            "leads": int(first == 0),
            "adds": int(direction > 0 if holds_gates else piece.number > 0),
            "train": int(sizes.train),
            "chunk": max(min(chunk, T), 1),
            "x_step": step * I,
            "x_batch": batch * I,
            "x_offset": first * batch * I + unit * holds_gates,
            "out_step": step * D * P,
            "out_batch": batch * D * P,
            "out_offset": first * batch * D * P + direction * P + unit,
            "h_row": P,
            "c_row": H,
            "h_offset": (state * B + first) * P + unit,
            "c_offset": (state * B + first) * H + unit,
            "reset_offset": first,
            "reset_step": B,
            "xs_ld": self.widths(layer)["xs"],
            "z_ld": layout.row(layout.gate_rows),
            "h_ld": layout.row(layout.P),
            "c_ld": self.widths(layer)["cin"],
            "section": layout.section,
            "others_step": config.num_layers * D * B * H,
            "e_ld": self.widths(layer)["e"],
            "p_stage": (last - first) * self.widths(layer)["hin"],
            "all_tokens": sum(sizes.batch_sizes) if sizes.batch_sizes is not None else T * B,
            "sums_ld": self._sums_row(layer),
            "narrow": int(self._narrow(layer)),
        }

    def _narrow(self, layer: int) -> bool:
        """Whether the columns of x and h, in whole panels, would be a tenth more than they are.

        Not where there are many: their sums are turned at the end, one number after the other.
        """
        config, layout = self.layout.config, self.layout
        if config.projected or layout.trait("STAGES") or not (layout.trait("RECURS") and layout.trait("INPUTS")):
            return False
        I, P = layout.inputs(layer), layout.P
        columns, padded = I + 1 + P, (layout.panels(I + 1) + layout.panels(P)) * layout.W
        return columns <= MOST_NARROW and padded >= 1.1 * columns

    def _sums_row(self, layer: int) -> int:
        config, layout = self.layout.config, self.layout
        if self._narrow(layer):
            return layout.row(layout.gate_rows)
        x_panels = layout.panels(layout.inputs(layer) + 1)
        gates = x_panels + 1 + layout.panels(layout.P)
        projection = layout.panels(layout.H) if config.projected else 0
        return layout.row(max(gates, projection) * layout.W)

    def _sums_size(self, layer: int) -> int:
        config = self.layout.config
        if self._narrow(layer):
            rows = self.layout.inputs(layer) + 1 + self.layout.P
        else:
            rows = self.layout.gate_rows + (config.output_size if config.projected else 0)
        return rows * self._sums_row(layer)

    def widths(self, layer: int) -> dict[str, int]:
        """Elements of one row of each array that has rows."""
        layout = self.layout
        z = layout.row(layout.gate_rows)
        h, c = layout.row(layout.P), layout.row(layout.H)
        return {
            "xs": layout.row(layout.inputs(layer) + 1),
            "z": z,
            "u": z,
            "hin": h,
            "v0": h,
            "v1": h,
            "cin": layout.row(max(layout.trait("OTHERS"), 1) * layout.section),
            "e": layout.trait("EXTRA") * layout.blocks * layout.lanes,
            "m": c,
            "dp": h,
        }

    def _storage(self, memory: Memory, layer: int, tokens: int) -> dict[str, tuple[int, int]]:
        """What training keeps: rows for every token of a direction. name -> (offset, bytes of a row)."""
        size, widths = self.layout.dtype.itemsize, self.widths(layer)
        return {name: (memory.add(tokens * widths[name]), widths[name] * size) for name in self.storage_names()}

    def storage_names(self) -> list[str]:
        """The arrays of which training keeps a row for every token."""
        config = self.layout.config
        names = ["xs", "z", "hin"]
        names += ["cin"] if self.layout.trait("OTHERS") else []
        names += ["u"] if self.layout.trait("SPLITS_GATES") else []
        names += ["e"] if self.layout.trait("EXTRA") else []
        names += ["v0", "v1"][: self.layout.trait("STAGES")]
        return names + (["m", "dp"] if config.projected else [])

    def _scratch(self, memory: Memory, layer: int, B: int, chunk: int, shared: dict[str, int]) -> dict[str, int]:
        """What a task works in and nobody reads afterwards. name -> offset."""
        config = self.layout.config
        widths = self.widths(layer)
        h, stages = widths["hin"], self.layout.trait("STAGES")
        sizes = {"h_end": B * h, "c_end": B * widths["cin"]}
        if stages:  # products forward, states of every stage backward
            sizes |= {"p": B * max(widths["u"], stages * h)}
        if not (self.sizes.train and self.layout.trait("SPLITS_GATES")):
            sizes["u"] = B * widths["u"]
        if not self.sizes.train:
            sizes |= {"xs": chunk * B * widths["xs"], "z": chunk * B * widths["z"]}
            sizes |= {"hin": 2 * B * widths["hin"], "cin": 2 * B * widths["cin"]}
            sizes |= {"m": B * widths["m"]} if config.projected else {}
            sizes |= {"e": B * widths["e"], **dict.fromkeys(["v0", "v1"][:stages], B * h)}
        else:
            sizes |= {"dh": B * widths["hin"], "dc": B * widths["cin"], "dm": B * widths["m"]}
        offsets = {name: memory.add(size) for name, size in sizes.items()}
        if self.sizes.train:
            offsets |= self._gradient_scratch(memory, shared)
        return offsets

    def _gradient_scratch(self, memory: Memory, shared: dict[str, int]) -> dict[str, int]:
        """Scratch of the weight gradients, one for all layers, which run one after another."""
        if not shared:
            layout, config = self.layout, self.layout.config
            inputs = max(layout.inputs(layer) for layer in range(config.num_layers))
            columns = layout.panels(inputs + 1) + 1 + max(layout.panels(layout.P), layout.panels(layout.H))
            product = (columns * layout.W + BLOCK_LD) * DEPTH + BLOCK_LD
            thread = max(product, (ROWS + self.sizes.B) * layout.panels(inputs) * layout.W)
            shared["scratch"] = memory.add(self.threads * thread)
            shared["sums"] = memory.add(max(self._sums_size(layer) for layer in range(config.num_layers)))
            self._scratch_thread = thread
        self.blocks[:, SLOTS["scratch_thread"]] = self._scratch_thread
        return dict(shared)


def shortest_chunk(B: int) -> int:
    """Time steps that have CHUNK_ROWS rows."""
    return -(-CHUNK_ROWS // max(B, 1))


def flops(layout: Layout, sizes: Sizes) -> int:
    """Of the forward pass, every step of every sample counted."""
    config = layout.config
    inputs = layout.trait("INPUTS")
    widths = sum(inputs * config.layer_input_size(layer) + layout.P for layer in range(config.num_layers))
    return 2 * layout.gates * config.hidden_size * widths * config.directions * sizes.B * sizes.T


def shares_units(layout: Layout, threads: int) -> bool:
    """There is a panel of units for each thread, and a step needs no other unit's: no projection of all, no mean."""
    alone = not layout.config.projected and not layout.trait("ACROSS")
    return alone and layout.blocks * layout.lanes // layout.W >= threads


def _flows(layout: Layout, sizes: Sizes, weights: Weights) -> bool:
    """Layers can follow each other through time with all threads busy and their weights at hand."""
    config, threads = layout.config, sizes.threads
    return (
        config.directions * layout.heads == 1
        and config.num_layers % threads == 0
        and CHUNKS_PER_THREAD * threads * shortest_chunk(sizes.B) <= sizes.T
        and weights.recurrent_bytes <= LAYER_BYTES
    )


def choose(layout: Layout, sizes: Sizes, weights: Weights) -> tuple[str, int, int, str]:
    """(split, threads, slices, reason).

    "batch" cuts the batch (and takes directions and heads apart), with no barrier; "units" has all threads do each step
    together, each some of the hidden units; "layers" gives each thread whole layers, which follow each other through
    time, in the forward pass; backward they share units.
    """
    config = layout.config
    B, pieces = max(sizes.B, 1), config.directions * layout.heads
    threads, work = sizes.threads, flops(layout, sizes)
    pace = weights.pace  # of narrower weights: they are multiplied faster, and a barrier takes as long as ever
    slices = min(-(-threads // pieces), B)
    batch = ("batch", min(threads, slices * pieces), slices)
    if sizes.split == "units" and not config.projected and not layout.trait("ACROSS"):
        return "units", threads, 1, "asked for"
    if sizes.split == "layers" and pieces == 1:
        return "layers", threads, 1, "asked for"
    if threads == 1:
        return "batch", 1, 1, "one thread"
    if sizes.split is not None:
        return *batch, "asked for"
    if work < SMALL_FLOPS * pace:
        return "batch", 1, 1, f"{work} flop: less than a second thread costs"
    if pieces % threads == 0:
        what = "directions" if layout.heads == 1 else "heads"
        return "batch", threads, 1, f"as many {what} for each thread, no barrier"
    few = 2 * threads > B * pieces
    if few and _flows(layout, sizes, weights):
        return "layers", threads, 1, "few samples: layers follow each other, no barrier"
    step = 2 * layout.gates * config.hidden_size * layout.P * B
    if few and step < SMALL_STEP * pace:
        return "batch", min(pieces, threads), 1, f"{step} flop in a step: less than a barrier costs"
    if threads <= B * pieces and not (few and shares_units(layout, threads)):
        return *batch, f"{slices} slices of the batch, no barrier"
    if not shares_units(layout, threads):
        return *batch, "too few units to share"
    return "units", threads, 1, "few samples: units shared, one barrier for each step"
