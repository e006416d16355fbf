"""What a rule is made of.

A rule file holds one `Rule`: its code, name and explanation, a wrong and a right example, cases that must and must not
be found, and the checks. Tests and the pages in `docs/rules` are generated from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from .. import cst
from ..facts import Fact
from ..layers import Recurrent
from ..records import changing, field, record

Proof = Literal["crash", "mixes", "differs", "warns", "slow", "same"]
"""How a case is shown to be wrong by running it: it raises; a sample's output depends on another sample's input; it
computes something else than the right program; torch warns; it computes the same with more calls of its layers. The
same: nothing is wrong, and what the fix makes of it computes the same numbers."""

HEADER = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
"""What every case and example begins with, unless it has imports of its own."""


def model(init: str, forward: str, arguments: str = "") -> str:
    """The text of a `Model` class with these constructor and forward bodies."""
    parameters = f", {arguments}" if arguments else ""
    return (
        f"\nclass Model(nn.Module):\n    def __init__(self{parameters}):\n        super().__init__()\n"
        f"{_indented(init)}\n\n    def forward(self, x):\n{_indented(forward)}\n"
    )


def _indented(text: str) -> str:
    margin = " " * 8
    return (margin + text.strip("\n").replace("\n", f"\n{margin}")).replace(f"\n{margin}\n", "\n\n")


@record
class Wrong:
    """A program with the mistake. The line that is reported ends with `# FLxxx`.

    It defines `Model`, which the tests call on an input of the sizes in `input` ("B=4 T=7 I=5"; "tokens=9" makes the
    input integers below 9). `fixed` is the right program for the proof "differs"; None takes what the fix makes of it.
    """

    code: str
    proof: Proof
    input: str = "B=4 T=7 I=5"
    fixed: str | None = None


@record
class Right:
    """A program that must stay silent, and runs."""

    code: str
    input: str = "B=4 T=7 I=5"


@record
class Problem:
    """What a check found. `layer` is the layer it is about, if any; `edits` replace nodes by text; `made` are the
    statements that bind the names in the message."""

    node: cst.CSTNode
    message: str
    layer: Recurrent | None = None
    edits: tuple[tuple[cst.CSTNode, str], ...] = ()
    fix: str = ""
    safe: bool = False
    either: bool = False  # whether the edits are right for every value of the constructor's flags
    made: tuple[tuple[str, cst.CSTNode], ...] = ()
    imports: str = ""  # the module that the edits need
    holds: Callable[[], bool] | None = None  # asked once the whole program is known; None: it holds
    mends: Callable[[], bool] | None = None  # the same of its edits


Check = Callable[[Any], Iterator[Problem]]


@changing
class Rule:
    """One rule. `torch` says what torch does with the mistake: silent, crash or warns; slow for advice on speed.

    A `general` rule gives torch's own sentence: it is silent where another rule that `refuses` names the cause.
    """

    code: str
    name: str
    summary: str
    explanation: str
    torch: str
    wrong: str
    right: str
    invalid: tuple[Wrong, ...]
    valid: tuple[Right, ...]
    fixable: Literal["", "safe", "unsafe"] = ""
    unfixable: str = ""  # why there is no fix, where there is none
    default: bool = True
    likely: bool = False
    general: bool = False
    crashes: bool = False  # whether torch may also raise, where `torch` says that it does not always
    example_input: str = "B=4 T=7 I=5"
    example_proof: Proof | None = None  # of `wrong`; None: that of the first case
    checks: list[tuple[type[Fact], Check]] = field(default_factory=list)

    @property
    def refuses(self) -> bool:
        """Whether the rule names the cause of an error of torch."""
        return not self.general and (self.torch == "crash" or self.crashes)

    def on(self, fact: type[Fact]) -> Callable[[Check], Check]:
        """Register a check for one kind of fact."""

        def register(check: Check) -> Check:
            self.checks.append((fact, check))
            return check

        return register
