"""A run as a picture: for each row how many times our time every peer takes, from 1, and how far turns lie apart."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fastlstm.bench.result import OURS, Result, load
from fastlstm.bench.table import sizes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW_INCHES = 0.55
TICKS = [0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 50, 100]


def draw(result: Result, path: Path) -> None:
    """Write the picture; the file's ending says in which format (svg, png, pdf)."""
    import matplotlib

    matplotlib.use("Agg")
    # text stays text: smaller, and searchable; names that do not change from one drawing to the next
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fastlstm"}):
        figure(result).savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def figure(result: Result) -> Figure:
    """The picture, not written yet."""
    from matplotlib import ticker
    from matplotlib.figure import Figure

    peers = [name for name in result.versions if name != OURS and any(name in row.timings for row in result.rows)]
    rows = [row for row in result.rows if OURS in row.timings and row.peers][::-1]
    lowest = highest = 1.0
    height = 0.8 / max(1, len(peers))
    picture = Figure(figsize=(9, 1.5 + ROW_INCHES * len(rows)), layout="constrained")
    axes = picture.subplots()
    for number, peer in enumerate(peers):
        places, ratios, ends = [], [], []
        for place, row in enumerate(rows):
            ratio = row.ratio(peer)
            if ratio is not None:
                places.append(place + 0.4 - height * (number + 0.5))
                ratios.append(ratio)
                theirs, ours = row.timings[peer], row.timings[OURS]
                ends.append((ratio - theirs.best / ours.median, theirs.median / ours.best - ratio))
        bars = axes.barh(
            places,
            [ratio - 1 for ratio in ratios],
            height,
            left=1,
            xerr=list(zip(*ends, strict=True)),
            error_kw={"linewidth": 0.8, "alpha": 0.6},
            label=f"{peer} {result.versions[peer]}",
        )
        lowest, highest = min(lowest, *ratios), max(highest, *(a + b for a, (_, b) in zip(ratios, ends, strict=True)))
        axes.bar_label(bars, [f"{ratio:.1f}" for ratio in ratios], padding=2, fontsize=7)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(lowest if lowest == 1 else lowest / 1.3, highest * 1.3)
    axes.set_xticks([tick for tick in TICKS if lowest / 1.3 <= tick <= highest * 1.3])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(
        range(len(rows)), [f"{row.workload.name}, {row.workload.mode}\n{sizes(row.workload)}" for row in rows]
    )
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlabel(f"time / fastlstm's time: right of 1, fastlstm is faster ({result.threads} threads)")
    axes.set_title(f"{result.machine['cpu']}, {result.date[:10]}", fontsize=9)
    axes.legend(fontsize=8, loc="lower right")
    return picture


def main() -> None:
    """`python -m fastlstm.bench.plot RUN.json PICTURE [NAME]...`: a run that was stored, or some of its rows."""
    source, path, *names = sys.argv[1:]
    result = load(Path(source))
    draw(replace(result, rows=[row for row in result.rows if not names or row.workload.name in names]), Path(path))


if __name__ == "__main__":
    main()
