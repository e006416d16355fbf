"""The repository that pre-commit makes a small environment of: `python lint/mirror.py FOLDER`, once for each release.

pre-commit installs a hook's repository itself, which for this one is all of fastlstm, 300 MB. The mirror holds nothing
but a project that requires `fastlstm-lint` of one version, and the hooks. Each run is one commit and its tag, to be
pushed: `git -C FOLDER push --tags origin main`. `--source PLACE` requires the linter from elsewhere: to try it before
a release.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path

LINT = Path(__file__).resolve().parent
ROOT = LINT.parent

PROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "fastlstm-lint-pre-commit"
version = "{version}"
requires-python = ">=3.11"
dependencies = ["fastlstm-lint{required}"]

[tool.hatch.metadata]
allow-direct-references = true

[tool.hatch.build.targets.wheel]
bypass-selection = true
"""

README = """\
# fastlstm-lint for pre-commit

```yaml
- repo: https://github.com/fastlstm/fastlstm-lint-pre-commit
  rev: v{version}
  hooks:
    - id: fastlstm-lint     # args: [--fix] to let it write
    - id: fastlstm-shapes   # compares shape comments with what is inferred
```

Written by `lint/mirror.py` of fastlstm for each release.
"""


def version() -> str:
    """The version of this tree's linter, without importing it."""
    text = (LINT / "fastlstm_lint" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    assert found is not None
    return found[1]


def files(source: str | None = None) -> dict[str, str]:
    """What the mirror holds, by file name."""
    number = version()
    place = source and (Path(source).resolve().as_uri() if Path(source).exists() else source)
    return {
        "pyproject.toml": PROJECT.format(version=number, required=f" @ {place}" if place else f"=={number}"),
        ".pre-commit-hooks.yaml": (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"),
        "README.md": README.format(version=number),
        "LICENSE": (LINT / "LICENSE").read_text(encoding="utf-8"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", help="a path or URL of the linter instead of its release")
    given = parser.parse_args()

    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(given.folder), *words], check=True)

    given.folder.mkdir(parents=True, exist_ok=True)
    if not (given.folder / ".git").exists():
        git("init", "-q", "-b", "main")
    for name, text in files(given.source).items():
        (given.folder / name).write_text(text, encoding="utf-8")
    git("add", "-A")
    git("commit", "-q", "-m", f"fastlstm-lint {version()}")
    git("tag", f"v{version()}")


if __name__ == "__main__":
    main()
