"""A run as a picture: for each row how many times our time every peer takes."""

from __future__ import annotations

from pathlib import Path

from fastlstm.bench.result import OURS, Result
from fastlstm.bench.table import sizes

ROW_INCHES = 0.55


def draw(result: Result, path: Path) -> None:
    """Write the picture; the file's ending says in which format (svg, png, pdf)."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text: smaller, and searchable
    from matplotlib import pyplot

    peers = [name for name in result.versions if name != OURS and any(name in row.timings for row in result.rows)]
    rows = [row for row in result.rows if OURS in row.timings and row.peers][::-1]
    height = 0.8 / max(1, len(peers))
    figure, axes = pyplot.subplots(figsize=(9, 1.5 + ROW_INCHES * len(rows)), layout="constrained")
    for number, peer in enumerate(peers):
        places, ratios = [], []
        for place, row in enumerate(rows):
            ratio = row.ratio(peer)
            if ratio is not None:
                places.append(place + 0.4 - height * (number + 0.5))
                ratios.append(ratio)
        bars = axes.barh(places, ratios, height, label=f"{peer} {result.versions[peer]}")
        axes.bar_label(bars, [f"{ratio:.1f}" for ratio in ratios], padding=2, fontsize=7)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(
        range(len(rows)), [f"{row.workload.name}, {row.workload.mode}\n{sizes(row.workload)}" for row in rows]
    )
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlabel(f"time / fastlstm's time: right of 1, fastlstm is faster ({result.threads} threads)")
    axes.set_title(f"{result.machine['cpu']}, {result.date[:10]}", fontsize=9)
    axes.legend(fontsize=8)
    figure.savefig(path)
    pyplot.close(figure)
