"""What hatchling is told at build time: whether the linter is brought or required, and compiled code in the wheel.

A checkout has the linter's own project in lint/. Installed from it (`pip install .`, `-e .`, a git URL) fastlstm brings
the linter, so that nothing has to be found on an index. An sdist has no lint/ and requires `fastlstm-lint` of its own
version, and so does a wheel made from it, which is how releases are made: `make wheel`.

FASTLSTM_PREBUILT=v3,v4 names the kinds of x86-64 that a wheel brings compiled code for; FASTLSTM_PREBUILT=neon makes a
wheel for aarch64, on any Linux. Without it the wheel is pure, and each machine compiles for itself. Wants Numba in the
environment of the build: `pip wheel --no-build-isolation`, as in `make wheel`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

V3 = "sse3 ssse3 sse4.1 sse4.2 popcnt cx16 sahf avx avx2 bmi bmi2 f16c fma lzcnt movbe xsave"
FEATURES = {"v3": V3, "v4": f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl"}
"""In LLVM's words, the levels x86-64-v3 and v4 of the psABI. A machine that lacks one compiles for itself."""


def made_for(level: str) -> tuple[str, dict[str, str]]:
    """The machine of a level, and the variables that say it to the compiler."""
    if level == "neon":  # every aarch64 has it
        return "aarch64", {"FASTLSTM_SYSTEM": "aarch64-linux-glibc", "NUMBA_CPU_NAME": "generic"}
    features = ",".join(f"+{name}" for name in FEATURES[level].split())
    return "x86_64", {"NUMBA_CPU_NAME": f"x86-64-{level}", "NUMBA_CPU_FEATURES": features}


def absolute(text: str, urls: dict[str, str]) -> str:
    """A README whose links hold on an index: to the site for pages of docs/, else to the repository."""

    def at(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        if page := re.fullmatch(r"docs/(.+?)(?:/?README)?\.md", path):
            return f"]({urls['Documentation']}{page[1]}/{anchor})"
        if path.endswith(".svg"):  # a picture, not the page about it
            return f"]({urls['Repository']}/raw/main/{path})"
        return f"]({urls['Repository']}/blob/main/{path}{anchor})"

    return re.sub(r"\]\((?!\w+:|#)([^()#\s]+)(#[^()\s]*)?\)", at, text)


class CustomMetadataHook(MetadataHookInterface):
    """Dependencies, commands and entry points: those of `[tool.hatch.metadata.hooks.custom]`, and of a lint/ beside."""

    def update(self, metadata: dict[str, Any]) -> None:
        linter = self._linter()
        if "dependencies" not in metadata:  # an sdist's are in its PKG-INFO
            metadata["dependencies"] = [*self.config["dependencies"], *linter.get("dependencies", [])]
        if "readme" not in metadata:
            text = Path(self.root, "README.md").read_text(encoding="utf-8")
            metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, metadata["urls"])}
        metadata["scripts"] = self.config["scripts"] | linter.get("scripts", {})
        metadata["entry-points"] = self.config["entry-points"] | linter.get("entry-points", {})

    def _linter(self) -> dict[str, Any]:
        file = Path(self.root, "lint", "pyproject.toml")
        return tomllib.loads(file.read_text(encoding="utf-8"))["project"] if file.is_file() else {}


class CustomBuildHook(BuildHookInterface):
    """Fills fastlstm/prebuilt for the wheel, and empties it after. An sdist requires the linter that it leaves out."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "sdist":
            build_data["dependencies"].append(f"fastlstm-lint=={self.metadata.version}")
            return
        levels = [name for name in os.environ.get("FASTLSTM_PREBUILT", "").split(",") if name]
        self._clean()
        if not levels or version == "editable":
            return
        if unknown := set(levels) - {*FEATURES, "neon"}:
            known = ", ".join((*FEATURES, "neon"))
            raise SystemExit(f"FASTLSTM_PREBUILT names {', '.join(sorted(unknown))}; there are {known}")
        machines = {made_for(level)[0] for level in levels}
        if len(machines) > 1:
            raise SystemExit("FASTLSTM_PREBUILT names levels of two kinds of machines, and a wheel is for one")
        for level in levels:
            environment = os.environ | made_for(level)[1]
            command = [sys.executable, "-m", "fastlstm.engine.prebuilt", str(self._folder / level)]
            subprocess.run(command, check=True, cwd=self.root, env=environment | {"PYTHONPATH": self.root})
        build_data["artifacts"].append("fastlstm/prebuilt/*/*")
        build_data["pure_python"] = False
        # Objects of any Python, loaded into any process that has the C library's names.
        build_data["tag"] = f"py3-none-manylinux_2_17_{machines.pop()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._clean()

    @property
    def _folder(self) -> Path:
        return Path(self.root, "fastlstm", "prebuilt")

    def _clean(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
