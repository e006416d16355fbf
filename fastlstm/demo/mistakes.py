"""`fastlstm lint` on a small model with three planted mistakes."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner

from fastlstm.demo.showing import Part, Showing, Watch

PLANTED = """\
import torch
from torch import nn


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(32, 64, batch_first=True, dropout=0.2)
        self.head = nn.Linear(64, 5)

    def forward(self, x):
        h_0 = torch.zeros(x.size(0), 1, 64)
        c_0 = torch.zeros(1, x.size(0), 64)
        output, _ = self.lstm(x, (h_0, c_0))
        return self.head(output[-1])
"""
EXPECTED = {
    "FL310": "dropout acts between layers, and there is one",
    "FL101": "a batch-first initial state",
    "FL201": "the last sample taken for the last step",
}
"""The planted mistakes, by the rule that names them."""


def lint(source: str) -> tuple[list[dict[str, Any]], str]:
    """The findings in a source text, and the text that `fastlstm lint` prints for it."""
    from fastlstm_lint.cli.lint import lint as command

    with TemporaryDirectory() as folder, chdir(folder):
        Path("model.py").write_text(source, encoding="utf-8")
        found = CliRunner().invoke(command, ["--output-format", "json", "model.py"], catch_exceptions=False)
        shown = CliRunner().invoke(command, ["model.py"], catch_exceptions=False)
    return json.loads(found.stdout), shown.output


def run(watch: Watch) -> Showing:
    findings, printed = lint(PLANTED)
    codes = {finding["code"] for finding in findings}
    return Showing(
        f"{len(EXPECTED.keys() & codes)} of 3 planted mistakes found in {len(PLANTED.splitlines())} lines, without "
        "running them: " + "; ".join(f"{code} {what}" for code, what in EXPECTED.items() if code in codes) + ".",
        codes == EXPECTED.keys(),
        printed.strip().splitlines(),
    )


PART = Part("A model with three shape mistakes: fastlstm lint model.py", run)
