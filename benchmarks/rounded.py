"""What `fastlstm bench --json` and `--weights int8` and `float16` found of the same rows, side by side.

    python benchmarks/rounded.py FLOAT32.json INT8.json FLOAT16.json

For each row of inference: our time in float32 in ms and over those with rounded weights, the best float32 peer's time
over the better of our float32 and int8, the int8 peers' over our int8, and errors against float64 as parts of the
largest value; then a geometric mean.
"""

from __future__ import annotations

import sys
from math import exp, log
from pathlib import Path

from fastlstm.bench.result import OURS, Result, Row, load

INT8_PEERS = ("onnxruntime", "torch")


def best(row: Row | None, library: str) -> float | None:
    return row.timings[library].best if row is not None and library in row.timings else None


def over(one: float | None, other: float | None) -> str:
    return "" if one is None or other is None else f"{one / other:.2f}"


def main(files: list[str]) -> None:
    full, *rounded = (load(Path(file)) for file in files)

    def row_of(result: Result, name: str) -> Row | None:
        return next((row for row in result.rows if row.workload.name == name), None)

    print(
        "| workload | sizes | float32, ms | int8 | float16 | best peer | onnxruntime's int8 | torch's int8 | errors |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    ratios = []
    for row in full.rows:
        work, ours = row.workload, best(row, OURS)
        others = [row_of(result, work.name) for result in rounded]
        times = [best(other, OURS) for other in others]
        peer = row.timings[row.best_peer].best if row.best_peer else None
        fastest = min(time for time in (ours, times[0] if times else None) if time is not None)
        if peer is not None:
            ratios.append(peer / fastest)
        int8 = others[0] if others else None
        errors = "" if int8 is None else ", ".join(f"{name} {t.error:.1g}" for name, t in int8.timings.items())
        print(
            f"| {work.name} | {work.cell} {work.T}, {work.B}, {work.I}, {work.H} | {ours * 1e3:.3g} | "
            + " | ".join(over(ours, time) for time in times)
            + f" | {row.best_peer} {over(peer, fastest)} | "
            + " | ".join(over(best(int8, name), times[0] if times else None) for name in INT8_PEERS)
            + f" | {errors} |"
        )
    mean = exp(sum(map(log, ratios)) / len(ratios))
    print(
        f"\nBest float32 peer over the better of our float32 and int8, geometric mean of {len(ratios)} rows: {mean:.2f}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
