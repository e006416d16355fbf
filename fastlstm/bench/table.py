"""A run as text: a table, the averages, where a peer is faster, and the limits beside it."""

from __future__ import annotations

from collections.abc import Iterator

from fastlstm.bench import roofline
from fastlstm.bench.result import ALONE, OURS, Result, Row, geometric_mean
from fastlstm.bench.workload import MODES, Workload


def duration(seconds: float) -> str:
    """Three digits and a unit: 3.51 us, 12.0 ms, 1.20 s."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= factor or unit == "us":
            number = seconds / factor
            digits = 2 if number < 10 else 1 if number < 100 else 0
            return f"{number:.{digits}f} {unit}"
    raise AssertionError


def sizes(workload: Workload) -> str:
    """`LSTM 128,8,64,256 x2 bi V100`: T, B, I, H, then layers and directions where there are several, a vocabulary."""
    text = f"{workload.cell} {workload.T},{workload.B},{workload.I},{workload.H}"
    text += (f" x{workload.L}" if workload.L > 1 else "") + (" bi" if workload.D == 2 else "")
    return text + (f" V{workload.V}" if workload.V else "")


def render(result: Result) -> str:
    """The whole report."""
    peers = [name for name in result.versions if name != OURS]
    return "\n".join([*_table(result, peers), "", *_averages(result, peers), *_notes(result)])


def _table(result: Result, peers: list[str]) -> Iterator[str]:
    peers = [ALONE] * any(ALONE in row.timings for row in result.rows) + peers
    rows = [["row", "mode", "T,B,I,H", OURS, "GF/s", "of limit", *peers]]
    rows += [_cells(row, result, peers) for row in result.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=False)]
        right = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
        yield "  ".join([*left, *right]).rstrip()


def _cells(row: Row, result: Result, peers: list[str]) -> list[str]:
    work = row.workload
    first = [work.name, work.mode, sizes(work)]
    if OURS in row.timings:
        rate = f"{work.flop / row.timings[OURS].best / 1e9:.1f}"
        limit = ""
        if result.limits is not None:
            part, what = roofline.share(row, OURS, result.limits, result.threads)
            limit = f"{part:.0%} {what}"
        first += [duration(row.timings[OURS].best), rate, limit]
    else:
        first += ["-", "", ""]
    return first + [_peer(row, name) for name in peers]


def _peer(row: Row, name: str) -> str:
    """Its time, and how many times ours that is."""
    if name not in row.timings:
        return "-"
    ratio = row.ratio(name)
    return duration(row.timings[name].best) + (f" {ratio:5.2f}x" if ratio is not None else "")


def _averages(result: Result, peers: list[str]) -> Iterator[str]:
    yield "Ratios are a peer's time over ours: above 1, fastlstm is faster. Geometric means:"
    for mode in MODES:
        rows = [row for row in result.rows if row.workload.mode == mode]
        found = {name: [ratio for row in rows if (ratio := row.ratio(name)) is not None] for name in peers}
        best = [ratio for row in rows if row.best_peer and (ratio := row.ratio(row.best_peer)) is not None]
        if best:
            parts = [f"{name} {geometric_mean(ratios):.2f}" for name, ratios in found.items() if ratios]
            yield f"  {mode:<7} best peer {geometric_mean(best):.2f}; " + ", ".join(parts)


def _notes(result: Result) -> Iterator[str]:
    slower = [
        f"{row.workload.name} ({name} {ratio:.2f})"
        for row in result.rows
        for name in row.peers
        if (ratio := row.ratio(name)) is not None and ratio < 1
    ]
    yield "A peer is faster in: " + (", ".join(slower) if slower else "no row")
    reasons: dict[str, list[str]] = {}
    for row in result.rows:
        for name, reason in row.refused.items():
            reasons.setdefault(f"{name}: {reason}", []).append(row.workload.name)
    for reason, rows in reasons.items():
        yield f"Not timed, {reason} ({', '.join(rows)})"
    for name, remedy in result.missing.items():
        yield f"Not installed, {name}: {remedy}"
    yield ""
    cpu = f"{result.machine['cpu']}, {result.machine['cpus']} CPUs usable, {result.threads} threads used"
    yield f"{cpu}; {', '.join(f'{name} {version}' for name, version in result.versions.items())}; {result.date}"
    if result.limits is not None:
        limits = result.limits
        yield (
            f"This machine, all threads: {limits.fma / 1e9:.0f} GF/s from registers, "
            f"{limits.l2 / 1e9:.0f} GB/s from L2, {limits.l3 / 1e9:.0f} GB/s from L3"
        )
    for start in result.start_up:
        yield (
            f"Start-up, {start.library}, {start.cache}: import {duration(start.imported)}, "
            f"first forward {duration(start.forward)}, first training step {duration(start.training)}, "
            f"whole process {duration(start.process)}"
        )
