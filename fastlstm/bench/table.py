"""A run as text: a table, the averages, where a peer is faster, and the limits beside it."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from fastlstm.bench import roofline
from fastlstm.bench.busy import OTHERS
from fastlstm.bench.result import ALONE, OURS, Result, Row, Timing, busy_ratio, geometric_mean
from fastlstm.bench.workload import MODES, Workload

WIDE = 0.2
"""Turns whose middle one is so far above the best say that something else was at work."""


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
    text += f" {workload.weights}" if workload.weights else ""
    return text + (f" V{workload.V}" if workload.V else "")


def render(result: Result) -> str:
    """The whole report."""
    peers = [name for name in result.versions if name != OURS]
    return "\n".join(
        [
            *_table(result, peers),
            "",
            *_errors(result),
            *_busy(result, peers),
            *_averages(result, peers),
            *_notes(result),
        ]
    )


def _table(result: Result, peers: list[str]) -> Iterator[str]:
    peers = [ALONE] * any(ALONE in row.timings for row in result.rows) + peers
    rows = [["row", "mode", "T,B,I,H", OURS, "GF/s", "of limit", *peers]]
    rows += [_cells(row, result, peers) for row in result.rows]
    yield from _aligned(rows, 3)


def _aligned(rows: list[list[str]], left: int) -> Iterator[str]:
    """Lines of columns, the first `left` of which begin, and the others end, below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:left], widths, strict=False)]
        cells += [cell.rjust(width) for cell, width in zip(row[left:], widths[left:], strict=True)]
        yield "  ".join(cells).rstrip()


def _errors(result: Result) -> Iterator[str]:
    """How far results on rounded weights lie from float64, library by library."""
    rows = [row for row in result.rows if row.workload.weights]
    if not rows:
        return
    names = list(result.versions)
    yield "Largest errors against float64, relative to the largest value of the array:"
    lines = [["row", "T,B,I,H", *names]]
    for row in rows:
        found = [f"{row.timings[name].error:.1e}" if name in row.timings else "-" for name in names]
        lines.append([row.workload.name, sizes(row.workload), *found])
    yield from _aligned(lines, 2)
    yield ""


def _busy(result: Result, peers: list[str]) -> Iterator[str]:
    """Every row alone and beside another busy process, where that was measured; the middle times of calls."""
    rows = [row for row in result.rows if OURS in row.timings and row.timings[OURS].busy]
    if not rows:
        return
    yield "Beside another busy process, middle times of calls; x is times as long as alone, then times ours:"
    lines = [["row", "T,B,I,H", f"{OURS} alone", "busy", "x"]]
    lines[0] += [word for name in peers for word in (f"{name} busy", "x", "x ours")]
    for row in rows:
        ours = row.timings[OURS]
        line = [row.workload.name, sizes(row.workload), duration(median(ours.quiet)), duration(median(ours.busy))]
        line.append(f"{ours.slowdown:.2f}x")
        for name in peers:
            ratio = busy_ratio(row, name)
            if ratio is None:
                line += ["-", "", ""]
            else:
                theirs = row.timings[name]
                line += [duration(median(theirs.busy)), f"{theirs.slowdown:.2f}x", f"{ratio:.2f}x"]
        lines.append(line)
    yield from _aligned(lines, 2)
    yield ""


def _cells(row: Row, result: Result, peers: list[str]) -> list[str]:
    work = row.workload
    first = [work.name, work.mode, sizes(work)]
    if OURS in row.timings:
        rate = f"{work.flop / row.timings[OURS].best / 1e9:.1f}"
        limit = ""
        if result.limits is not None:
            part, what = roofline.share(row, OURS, result.limits, result.threads)
            limit = f"{part:.0%} {what}"
        first += [f"{duration(row.timings[OURS].best)} {spread(row.timings[OURS])}", rate, limit]
    else:
        first += ["-", "", ""]
    return first + [_peer(row, name) for name in peers]


def _peer(row: Row, name: str) -> str:
    """Its time, and how many times ours that is."""
    if name not in row.timings:
        return "-"
    ratio = row.ratio(name)
    times = f" {ratio:5.2f}x" if ratio is not None else ""
    return f"{duration(row.timings[name].best)} {spread(row.timings[name])}{times}"


def spread(timing: Timing) -> str:
    """How far turns lie apart, beside their best."""
    return f"±{timing.spread:.0%}".rjust(4)


def _averages(result: Result, peers: list[str]) -> Iterator[str]:
    yield "Ratios are a peer's time over ours: above 1, fastlstm is faster. Geometric means:"
    for mode in MODES:
        rows = [row for row in result.rows if row.workload.mode == mode]
        found = {name: [ratio for row in rows if (ratio := row.ratio(name)) is not None] for name in peers}
        best = [ratio for row in rows if row.best_peer and (ratio := row.ratio(row.best_peer)) is not None]
        if best:
            parts = [f"{name} {geometric_mean(ratios):.2f}" for name, ratios in found.items() if ratios]
            yield f"  {mode:<11} best peer {geometric_mean(best):.2f}; " + ", ".join(parts)


def _beware(result: Result) -> Iterator[str]:
    """What makes the figures those of a busy machine."""
    others, stolen = result.load.get("others", 0.0), result.load.get("stolen", 0.0)
    began = result.machine.get("load")
    if others > OTHERS or stolen > OTHERS:
        told = f", load {began:.1f} when it began" if began is not None else ""
        yield (
            f"BEWARE, a busy machine: other programs used {others:.1f} of {result.machine['cpus']} CPUs meanwhile, "
            f"other machines {stolen:.1f}{told}. Ratios are not to be believed"
        )
    wide = [f"{row.workload.name} ({name} {t.spread:.0%})" for row in result.rows for name, t in row.timings.items()
            if t.spread > WIDE]  # fmt: skip
    if wide:
        yield f"BEWARE, turns lie more than {WIDE:.0%} apart: {', '.join(wide)}"


def _notes(result: Result) -> Iterator[str]:
    yield from _beware(result)
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
            f"first forward {duration(start.forward)}, first training step {duration(start.training)}, whole process "
            + (f"{duration(start.inference)} to infer, " if start.inference is not None else "")
            + f"{duration(start.process)} to train"
        )
