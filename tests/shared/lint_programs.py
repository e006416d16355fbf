"""Running the cases of the rule files under torch."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

from absent import ABSENT, optional
from fastlstm_lint import check_source
from fastlstm_lint.config import Settings
from fastlstm_lint.rules.base import HEADER, Wrong

if TYPE_CHECKING:
    import torch
else:
    torch = optional("torch")
if "torch" not in ABSENT:
    torch.set_num_threads(1)  # the cases are tiny: more threads only wait for each other

MARK = re.compile(r"#((?: FL\d{3})+)\s*$")
ERRORS = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError)


def text_of(code: str) -> str:
    """The whole program of a case."""
    return HEADER + code


def expected_lines(code: str) -> set[tuple[str, int]]:
    """The findings a program says it has, by the marks at its lines."""
    lines = text_of(code).splitlines()
    marked = [(row, match[1]) for row, line in enumerate(lines, 1) if (match := MARK.search(line))]
    return {(code, row) for row, codes in marked for code in codes.split()}


def found_lines(source: str, code: str) -> set[tuple[str, int]]:
    """The findings the linter has by default, and those of the rule `code`."""
    findings = check_source(source, "case.py", Settings(extend_select=(code,)))
    return {(finding.code, finding.start.row) for finding in findings}


def make_input(spec: str) -> tuple[torch.Tensor, int]:
    """The input that "B=4 T=7 I=5" describes, and which axis is the batch."""
    words = [word.split("=") for word in spec.split()]
    sizes = [(name, int(size)) for name, size in words if name != "tokens"]
    shape = [size for _, size in sizes]
    batch = next((i for i, (name, _) in enumerate(sizes) if name == "B"), 0)
    tokens = next((int(size) for name, size in words if name == "tokens"), None)
    generator = torch.Generator().manual_seed(7)
    if tokens is not None:
        return torch.randint(0, tokens, shape, generator=generator), batch
    return torch.randn(shape, generator=generator), batch


def build(source: str) -> Any:
    """The `Model` that a program defines, in evaluation mode, with fixed weights."""
    namespace: dict[str, Any] = {"__name__": "case"}
    torch.manual_seed(3)
    exec(compile(source, "case.py", "exec"), namespace)
    torch.manual_seed(3)
    return namespace["Model"]().eval()


def run(model: Any, x: torch.Tensor) -> torch.Tensor:
    """The first tensor that a model gives."""
    torch.manual_seed(5)
    result = model(x)
    while isinstance(result, (tuple, list)):
        result = result[0]
    return result.data if isinstance(result, torch.nn.utils.rnn.PackedSequence) else result


def mixes(model: Any, x: torch.Tensor, batch: int) -> bool:
    """Whether an output row changes when only another sample's input changes."""
    before = run(model, x).detach()
    for sample in range(x.shape[batch]):
        other = x.clone()
        row = other.select(batch, sample)
        row.copy_(row.flip(0) if x.dtype == torch.int64 else row + 1.0)
        changed = run(model, other).detach()
        if changed.shape[0] != x.shape[batch]:
            return True
        for i in range(x.shape[batch]):
            if i != sample and not torch.allclose(before[i], changed[i], atol=1e-6):
                return True
    return False


def calls_of_torch(model: Any, x: torch.Tensor) -> int:
    """How many calls of torch a model makes."""

    class Counting(torch.overrides.TorchFunctionMode):  # type: ignore[misc]
        """Counts the calls that reach torch from Python."""

        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.count += 1
            return func(*args, **(kwargs or {}))

    with Counting() as counting:
        run(model, x)
    return counting.count


def differs(model: Any, right: Any, x: torch.Tensor) -> bool:
    """Whether two models compute something else."""
    a, b = run(model, x).detach(), run(right, x).detach()
    return a.shape != b.shape or not torch.allclose(a, b, atol=1e-6)


def check_mended(text: str, case: Wrong) -> None:
    """A program whose mistake was mended runs without a warning, mixes no samples where it did, and computes what the
    right program of the case does, where it has one."""
    x, batch = make_input(case.input)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="LSTM with projections")
        model = build(text)
        run(model, x)
    if case.proof == "mixes":
        assert not mixes(model, x, batch)
    if case.fixed is not None:
        assert not differs(model, build(text_of(case.fixed)), x)
