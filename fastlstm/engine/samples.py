"""Plans for kernels whose lanes are samples: narrow layers, whose units would fill registers badly.

Whether they serve a call depends on the sizes and the machine, not on how many threads there are: results must not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastlstm.engine.layout import Layout, Memory, Piece
from fastlstm.engine.plan import Plan, Sizes
from fastlstm.engine.weights import Weights
from fastlstm.kernels.tiling import MOST_GROUPS, SUM_COLUMNS, SUM_ROWS

# Samples from which on registers of them are as good as those of units.
FEWEST = 32
# Of the lanes of all registers, the last one's too, so many must be samples.
LEAST_USED = 0.7
# Gates' gradients of so many bytes wait in the second-level cache for the sums over them.
CHUNK_BYTES = 96 * 1024


def reason_against(layout: Layout, weights: Weights, sizes: Sizes) -> str | None:
    """Why a call is not computed with samples as lanes, None where it is."""
    if not (layout.by_samples and weights.transposed):
        return "its units fill registers, or its cell or layers ask for more than one product of x and of h"
    if sizes.split is not None:
        return "another split is asked for"
    if sizes.batch_sizes is not None:
        return "sequences of different lengths"
    if sizes.B < FEWEST or sizes.T < 1:
        return f"fewer than {FEWEST} samples"
    groups = -(-sizes.B // layout.lanes)
    if groups < 2 or LEAST_USED * groups * layout.lanes > sizes.B:
        return "samples would not fill registers"
    return None


def plan_of(layout: Layout, weights: Weights, sizes: Sizes, addresses: Mapping[str, int], key: Any = None) -> Plan:
    """The plan for a call."""
    kind = Plan if reason_against(layout, weights, sizes) else SamplePlan
    return kind(layout, weights, sizes, addresses, key)


class SamplePlan(Plan):
    """A task has one or two registers of samples, through all of time."""

    kernels = ("forward_samples", "backward_samples", "gradients_samples")
    reads_transposed = False

    def __init__(self, layout: Layout, *args: Any) -> None:
        self.samples_in_row = layout.lanes
        super().__init__(layout, *args)

    def _chosen(self, weights: Weights) -> tuple[str, int, int, str]:
        slices, threads = -(-self._groups(self.sizes.B) // MOST_GROUPS), self.sizes.threads
        slices = min(max(slices, threads), self._groups(self.sizes.B))
        why = f"{self.layout.H} units would be padded or turned, {self.sizes.B} samples fill registers"
        return "samples", min(threads, slices), slices, why

    def _groups(self, samples: int) -> int:
        return -(-samples // self.layout.lanes)

    def _bounds(self, slices: int) -> list[int]:
        groups, B = self._groups(self.sizes.B), self.sizes.B
        return [min(groups * n // slices * self.layout.lanes, B) for n in range(slices + 1)]

    def _count(self, tokens: Any, samples: int) -> int:
        return self.sizes.T * self._groups(samples)

    def _sizes(self, piece: Piece, first: int, last: int, tokens: Any, packed_rows: int) -> dict[str, int]:
        layout, widths = self.layout, self.widths(piece.layer)
        groups = self._groups(last - first)
        step_bytes = groups * widths["z"] * layout.dtype.itemsize
        return super()._sizes(piece, first, last, tokens, packed_rows) | {
            "samples": last - first,
            "B": groups,
            "H": layout.H * layout.lanes,
            "blocks": layout.H,
            "section": layout.H * layout.lanes,
            "chunk": min(max(CHUNK_BYTES // step_bytes, 1), self.sizes.T),
            "xs_ld": widths["xs"],
            "z_ld": widths["z"],
            "h_ld": widths["hin"],
            "c_ld": widths["cin"],
            "e_ld": widths["e"],
            "sums_ld": self._sums_row(piece.layer),
            "sums_part": self._sums_part(piece.layer),
            "sums_size": self._sums_size(piece.layer),
        }

    def _sums_row(self, layer: int) -> int:
        columns = self.layout.inputs(layer) + 1 + self.layout.P
        return -(-columns // SUM_COLUMNS) * SUM_COLUMNS * self.layout.lanes

    def _sums_part(self, layer: int) -> int:
        rows = self.layout.gates * self.layout.H
        return -(-rows // SUM_ROWS) * SUM_ROWS * self._sums_row(layer)

    def _sums_size(self, layer: int) -> int:
        return (1 + self.layout.trait("SPLITS_GATES")) * self._sums_part(layer)

    def widths(self, layer: int) -> dict[str, int]:
        """Elements of one row of each array that has rows: one for each group and step. What sums read behind the last
        row or column of theirs is there, and zero.
        """
        layout, lanes = self.layout, self.layout.lanes
        columns, rows = layout.inputs(layer) + 1 + layout.H, layout.gates * layout.H
        x, z = (columns + SUM_COLUMNS - 1) * lanes, (rows + SUM_ROWS - 1) * lanes
        return {
            "xs": layout.apart(x),
            "hin": layout.apart(x),
            "z": layout.apart(z),
            "u": layout.apart(z),
            "cin": layout.apart(max(layout.trait("OTHERS"), 1) * layout.H * lanes),
            "e": layout.trait("EXTRA") * layout.H * lanes,
        }

    def storage_names(self) -> list[str]:
        """The arrays of which training keeps a row for every token: h stands in those of xs."""
        return [name for name in super().storage_names() if name != "hin"]

    def _storage(self, memory: Memory, layer: int, tokens: int) -> dict[str, tuple[int, int]]:
        storage = super()._storage(memory, layer, self._count(None, self.sizes.B))
        offset, width = storage["xs"]
        return storage | {"hin": (offset + self._to_h(layer), width)}

    def _to_h(self, layer: int) -> int:
        """Bytes of x and 1 before h in a row of xs."""
        return (self.layout.inputs(layer) + 1) * self.layout.lanes * self.layout.dtype.itemsize

    def _scratch(self, memory: Memory, layer: int, B: int, chunk: int, shared: dict[str, int]) -> dict[str, int]:
        widths, groups = self.widths(layer), self._groups(B)
        sizes = {"h_end": groups * widths["hin"], "c_end": groups * widths["cin"]}
        if not self.sizes.train:
            sizes |= {"xs": 2 * groups * widths["xs"], "cin": 2 * groups * widths["cin"]}
            sizes |= {name: groups * widths[name] for name in ("z", "u", "e")}
        else:
            sizes |= {"dh": groups * widths["hin"], "dc": groups * widths["cin"]}
            sizes |= {"dx": groups * self.layout.inputs(layer) * self.layout.lanes}
            sizes |= {} if self.layout.trait("SPLITS_GATES") else {"u": 0}
        offsets = {name: memory.add(size) for name, size in sizes.items()}
        if not self.sizes.train:
            return offsets | {"hin": offsets["xs"] + self._to_h(layer)}
        return offsets | {"sums": self._sums_of_task(memory, layer, shared)}

    def _sums_of_task(self, memory: Memory, layer: int, shared: dict[str, int]) -> int:
        """One after the other, for all layers the same: those run one after another."""
        if not shared:
            largest = max(self._sums_size(each) for each in range(self.layout.config.num_layers))
            shared["sums"] = memory.add(self.tasks * largest)
        number = shared.setdefault(f"layer {layer}", 0)
        shared[f"layer {layer}"] += 1
        return shared["sums"] + number * self._sums_size(layer) * self.layout.dtype.itemsize
