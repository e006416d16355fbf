"""A proof as a picture: a square per pair, darker where the dependence is stronger."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .ask import Proof

INCHES = 0.3
"""Side of a square."""


def draw(proof: Proof, path: Path, title: str) -> None:
    """Write the picture; the file's ending says in which format (svg, png, pdf)."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text: smaller, and searchable
    from matplotlib import pyplot

    widest = max(len(answer.seen.inputs) for answer in proof.answers)
    figure, all_axes = pyplot.subplots(
        1,
        len(proof.answers),
        squeeze=False,
        layout="constrained",
        figsize=(len(proof.answers) * (2.5 + INCHES * widest), 2 + INCHES * widest),
    )
    for axes, answer in zip(all_axes[0], proof.answers, strict=True):
        seen = answer.seen
        strength = seen.gradient if seen.gradient is not None else seen.change
        assert strength is not None
        shown = np.where(seen.found, np.nan_to_num(strength), np.nan)
        image = axes.imshow(np.log10(np.where(shown > 0, shown, np.nan)), cmap="viridis_r")
        axes.set_xticks(range(len(seen.inputs)), [str(j) for j in seen.inputs], fontsize=7)
        axes.set_yticks(range(len(seen.outputs)), [str(i) for i in seen.outputs], fontsize=7)
        axes.set_xlabel(f"input {answer.what}")
        axes.set_ylabel(f"output {answer.what}")
        axes.set_title(f"{answer.what}s: {'holds' if answer.complaint is None else 'depends'}", fontsize=9)
        what = "gradient" if seen.gradient is not None else "change"
        figure.colorbar(image, ax=axes, label=f"log10 of the largest {what}")
    figure.suptitle(title, fontsize=9)
    figure.savefig(path)
    pyplot.close(figure)
