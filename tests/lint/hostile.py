"""A repository made to hang, crash or fool the linter: `python tests/lint/hostile.py` writes one and lints it.

Each file of `BOMBS` makes something grow: numbers, sums of symbols, tuples, modules, classes, calls, depth, the text
itself. Beside them stands what a folder may hold that is no plain file of text. The linter has to end with each of them
within SECONDS of processor time and MEGABYTES, and to report the plain mistake in every file beside them.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HEAD = "import torch\nimport torch.nn as nn\n\nlayer = nn.LSTM(5, 6, dropout=0.5)\n"
"""How most bombs begin: with a mistake in line 4, FL310, which is reported whatever comes after."""

SECONDS, MEGABYTES = 10, 1_000
"""What one file may take. Measured: at most 4 s and 400 MB, on a machine that others used as well."""


def doubled(first: str, step: str, times: int, last: str = "") -> str:
    """`first`, then a line that uses what stands before it, again and again."""
    return HEAD + first + "\n" + (step + "\n") * times + last + "\n"


def chain(first: str, step: str, times: int, last: str = "") -> str:
    """Lines with a number of their own, `{n}`, and that of the line before, `{m}`."""
    return HEAD + first + "\n" + "".join(step.format(n=n, m=n - 1) + "\n" for n in range(1, times)) + last + "\n"


def function(body: str, arguments: str = "x, y, z, flag") -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{HEAD}def f({arguments}):\n{lines}"


BOMBS: dict[str, Callable[[], str]] = {
    "number_squared": lambda: doubled("n = 10", "n = n * n", 60, "nn.Linear(n, n)"),
    "number_to_powers": lambda: doubled("n = 10", "n = n ** 31", 20, "nn.Linear(n, n)"),
    "number_shifted": lambda: HEAD + "n = 1 << 10**9\nn = 10 ** 10 ** 10\nn = int(1e400)\nn = int('9' * 10**9)\n",
    "number_of_digits": lambda: HEAD + f"n = {'9' * 5_000}\nm = 0x{'f' * 100_000}\nk = 1e400\nn = n * m\n",
    "sum_squared": lambda: function("n = x.size(0) + y.size(0) + z.size(0)\n" + "n = n * n\n" * 30 + "x.view(n, -1)"),
    "sum_of_many": lambda: function("n = 0\n" + "".join(f"n = n + x.size({i})\n" for i in range(2_000)) + "n = n * n"),
    "tuple_doubled": lambda: doubled("t = (1, layer)", "t = t + t", 60, "for each in t: pass\na, *b = t"),
    "tuple_times": lambda: doubled("t = (1, layer)", "t = t * 60", 20, "t[layer]"),
    "tuple_nested": lambda: doubled("t = (1,)", "t = (t, t)", 2_000, "a, b = t\nprint(t)"),
    "tuple_deep": lambda: doubled("t = 1", "t = (t,)", 5_000, "for a in t: print(a)"),
    "tuples_joined": lambda: function(
        "t = (x, 1)\nu = (y, 2)\n" + "t = (t, t)\nu = (u, u)\n" * 40 + "if flag:\n    t = u\nprint(t)\nreturn t"
    ),
    "tuple_written": lambda: HEAD + f"t = [{'1, layer, ' * 30_000}]\n" + "t[layer]\nfor x in t: pass\n" * 200,
    "list_in_loop": lambda: function("t = []\nfor i in x:\n" + "    t.append((t, t))\n" * 400 + "return t"),
    "modules_nested": lambda: doubled("m = nn.Linear(5, 5)", "m = nn.Sequential(m, m)", 60, "m(torch.zeros(3, 5))"),
    "modules_deep": lambda: doubled("m = nn.Linear(5, 5)", "m = nn.Sequential(m)", 2_000, "m(torch.zeros(3, 5))"),
    "modules_joined": lambda: function(
        "m = nn.Linear(5, 5)\nk = nn.Linear(5, 5)\n"
        + "m = nn.Sequential(m, m)\nk = nn.Sequential(k, k)\n" * 40
        + "if flag:\n    m = k\nreturn m(x)"
    ),
    "lambdas": lambda: chain("f0 = lambda x: x", "f{n} = lambda x: f{m}(f{m}(x)) + f{m}(x)", 60, "f59(layer)"),
    "functions": lambda: chain("def f0(x): return x", "def f{n}(x): return [f{m}(x), f{m}(x), f{m}(x)]", 60, "f59(1)"),
    "comprehensions": lambda: chain("f0 = lambda x: x", "f{n} = lambda x: [f{m}(x) for y in f{m}(x)]", 60, "f59([1])"),
    "partials": lambda: doubled(
        "from functools import partial\np = partial(layer)", "p = partial(p, p, p, a=p)", 2_000, "p(p)"
    ),
    "classes_diamond": lambda: chain(
        "class A0(nn.Module): pass", "class A{n}(A{m}, A{m}): pass", 60, "A59().forward(1)\nA59(nn.LSTM(1, 1))"
    ),
    "classes_deep": lambda: chain("class A0: pass", "class A{n}(A{m}): pass", 3_000, "A2999().x()"),
    "objects_linked": lambda: (
        HEAD
        + "class A:\n    def __init__(self, x): self.x = x\n"
        + "a = A(1)\nb = A(2)\n"
        + "a = A(a)\nb = A(b)\na.y = b\nb.y = a\n" * 300
        + "if layer.x: a = b\nprint(a.x.y.x)\n"
    ),
    "methods": lambda: (
        HEAD
        + "class A(nn.Module):\n    def m0(self, x): return x\n"
        + "".join(f"    def m{n}(self, x): return self.m{n - 1}(x), self.m{n - 1}(x), self.q\n" for n in range(1, 200))
        + "    @property\n    def q(self): return self.m199(self.q)\n"
    ),
    "stacked": lambda: doubled("x = torch.zeros(2, 3)", "x = torch.stack([x, x])", 3_000, "x.view(-1)"),
    "unsqueezed": lambda: doubled("x = torch.zeros(2, 3)", "x = x[None].unsqueeze(0)", 3_000, "x.flatten()"),
    "concatenated": lambda: function("".join("x = torch.cat([x, y, x], 1)\n" for _ in range(2_000)) + "x.view(3, -1)"),
    "flattened": lambda: function("x = torch.stack([x.view(-1), y.view(-1)])\n" * 2_000),
    "transposed": lambda: function("x = x.transpose(0, 1).unsqueeze(0)\n" * 3_000 + "x.size(3)\nlayer(x)"),
    "attributes": lambda: function("x = x.abcdefghij\n" * 8_000 + "x.view(3)"),
    "layers_called": lambda: doubled("x = torch.zeros(7, 3, 5)", "y, (h, c) = layer(x)\nh[-1]", 4_000),
    "facts_in_one_function": lambda: function("y, (h, c) = layer(x)\nz = y[-1].view(3, -1)\nh.view(3, -1)\n" * 1_000),
    "assignments": lambda: HEAD + "".join(f"x{n} = {n}\n" for n in range(100_000)),
    "branches": lambda: HEAD + "".join(f"x{n} = {n}\n" for n in range(5_000)) + "if layer.y: x1 = y\n" * 5_000,
    "branches_in_branches": lambda: (
        HEAD
        + "".join(" " * n + f"if x{n}:\n" for n in range(95))
        + " " * 95
        + "y = layer\n"
        + "while y: y = y.x\n" * 3_000
    ),
    "parameters": lambda: "".join(
        [HEAD, *(f"class Encoder{n}(nn.Module):\n    def forward(self, x): return x\n" for n in range(500))]
        + [f"def f{n}(encoder{n}, decoder): return encoder{n}(decoder)\n" for n in range(1_500)]
    ),
    "calls_nested": lambda: HEAD + "y = " + "abs(" * 190 + "layer" + ")" * 190 + "\n",
    "calls_chained": lambda: HEAD + "y = layer" + ".cpu()" * 900 + "\n",
    "calls_of_calls": lambda: HEAD + "y = layer" + "()" * 900 + "[0]" * 900 + "\n",
    "sum_of_words": lambda: HEAD + 'y = "a"' + ' + "b"' * 2_500 + "\n",
    "comparisons": lambda: HEAD + "y = 1" + " < 2" * 20_000 + "\n",
    "conditions": lambda: HEAD + "y = 1" + " if layer else 2" * 900 + "\n",
    "negations": lambda: HEAD + "y = " + "not " * 900 + "layer\nz = " + "-" * 900 + "1\n",
    "elifs": lambda: (
        HEAD + "if layer:\n    y = 1\n" + "".join(f"elif layer == {n}:\n    y = {n}\n" for n in range(900))
    ),
    "lambdas_nested": lambda: HEAD + "y = " + "lambda: " * 900 + "layer\n",
    "parentheses": lambda: HEAD + "y = " + "(" * 20_000 + ")" * 20_000 + "\n",
    "brackets": lambda: HEAD + "y = " + "[" * 20_000 + "]" * 20_000 + "\n",
    "open_brackets": lambda: HEAD + "y = " + "{[(" * 200_000 + "\n",
    "indented": lambda: HEAD + "".join(" " * n + "if 1:\n" for n in range(3_000)),
    "texts_formatted": lambda: HEAD + "y = " + "f'{" * 120 + "layer" + "}'" * 120 + "\n",
    "one_line": lambda: HEAD + "y = 1; " * 100_000 + "\n",
    "words_in_a_comment": lambda: HEAD + "# LSTM" * 500_000 + "\n",
    "words_in_a_line": lambda: "# " + "LSTM " * 1_000_000 + "\n" + HEAD.replace("\n", "\n", 1),
    "suppressions": lambda: HEAD + "y = 1  # noqa: " + ", ".join(["FL310"] * 100_000) + "\n" + "# noqa\n" * 50_000,
    "imports": lambda: HEAD + "from bombs import (" + "a, " * 100_000 + ")\n" + "import bombs\n" * 20_000,
    "escapes": lambda: HEAD + "y = '\\d\\Q'\nz = b'\\xzz'\n",
    "coded": lambda: "# coding: punycode\n" + HEAD,
    "coded_as_bytes": lambda: "# coding: zlib\n" + HEAD,
    "large": lambda: HEAD + "y = [" + "1, " * 3_300_000 + "]\n",
    "large_lines": lambda: HEAD + "y = layer(torch.zeros(7, 3, 5))[0][-1].view(3, -1)\n" * 200_000,
}
"""Programs by name. Most hold the mistake of HEAD; those that Python itself refuses are FL901 instead."""


def write(folder: Path) -> None:
    """Write the repository: bombs, oddities, and plain files among them."""
    bombs = folder / "bombs"
    bombs.mkdir(parents=True)
    for name, make in BOMBS.items():
        (bombs / f"{name}.py").write_text(make(), encoding="utf-8")
    for number in range(3):
        (folder / f"plain{number}.py").write_text(HEAD, encoding="utf-8")
    odd = folder / "odd"
    odd.mkdir()
    (odd / "plain.py").write_text(HEAD, encoding="utf-8")
    (odd / "nothing.py").symlink_to("nowhere.py")
    (odd / "loop.py").symlink_to("loop.py")
    (odd / "again").symlink_to("..")
    for name, device in (("zero.py", "/dev/zero"), ("full.ipynb", "/dev/full"), ("tty.py", "/dev/tty")):
        (odd / name).symlink_to(device)
    if hasattr(os, "mkfifo"):
        os.mkfifo(odd / "pipe.py")
        os.mkfifo(odd / ".gitignore")
    (odd / "folder.py").mkdir()
    (odd / "deep.ipynb").write_text('{"cells": ' + "[" * 100_000 + "]" * 100_000 + "}")
    (odd / "LSTM.ipynb").write_text('{"cells": "LSTM"}')
    (odd / "bytes.py").write_bytes(b"LSTM = '\xff\xfe'\n")
    (odd / "null.py").write_bytes(HEAD.encode() + b"\0\n")
    with contextlib.suppress(OSError):  # a file system may refuse it
        (odd / "::error file=a,line=1::\x1b[31m.py").write_text(HEAD)
    with contextlib.suppress(OSError):
        Path(os.fsdecode(os.fsencode(odd) + b"/\xff.py")).write_text(HEAD)
    (folder / ".gitignore").write_text("!\n" + "**/" * 2_000 + "x\n" + "*a" * 60 + "b\n[z-a]\n\\\n[\n")


RUN = """
import pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1]) + 1))
from fastlstm_lint.cli.lint import lint
try:
    lint(sys.argv[2:], standalone_mode=False)
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    status = pathlib.Path("/proc/self/status")  # ru_maxrss begins with the size of the process that started this one
    lines = status.read_text().splitlines() if status.exists() else []
    peak = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), used.ru_maxrss)
    print(f"USED {used.ru_utime + used.ru_stime:.1f} {peak // 1024}", file=sys.stderr)
"""


def run(path: Path, seconds: int = 4 * SECONDS) -> tuple[int, list[dict], float, int, str]:  # type: ignore[type-arg]
    """Exit code, findings, seconds of processor time, megabytes, and the end of the error output, of one lint."""
    command = [sys.executable, "-c", RUN, str(seconds), "--no-cache", "-j", "1", "--output-format", "json", path.name]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, errors="replace")
    *_, used = [line.split() for line in done.stderr.splitlines() if line.startswith("USED ")] or [["", "nan", "0"]]
    try:
        findings = json.loads(done.stdout)
    except ValueError:
        findings = []
    return done.returncode, findings, float(used[1]), int(used[2]), done.stderr[-300:]


def main() -> int:
    """Lint each bomb in a process of its own, then the whole; 0 if all is well."""
    bad = 0
    chosen = sys.argv[1:]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "repository"
        write(folder)
        for name in chosen or BOMBS:
            code, findings, seconds, megabytes, error = run(folder / "bombs" / f"{name}.py")
            codes = sorted({each["code"] for each in findings})
            well = code == 1 and seconds < SECONDS and megabytes < MEGABYTES
            bad += not well
            told = next((each["message"][:60] for each in findings if each["code"] in ("FL901", "FL902")), "")
            print(
                f"{'' if well else 'BAD':4}{name:24}{code:5}{seconds:7.1f} s{megabytes:6} MB  {' '.join(codes)} {told}"
            )
            if not well:
                print("      ", error.strip().splitlines()[-2:])
            sys.stdout.flush()
        if chosen:
            return bad
        code, findings, seconds, megabytes, error = run(folder, 600)
        plain = {each["filename"] for each in findings if each["code"] == "FL310"}
        missing = [
            name
            for name in ("plain0.py", "plain1.py", "plain2.py", "odd/plain.py")
            if f"repository/{name}" not in plain
        ]
        print(
            f"the whole: {code}, {seconds:.1f} s, {megabytes} MB; plain files without finding: {missing} {error[-200:]}"
        )
        bad += bool(missing)
    print("all is well" if not bad else f"{bad} bad")
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
