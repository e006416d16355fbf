"""Old files of the user's store go when something is put there; what is not the store's own, or in use, stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from objects import UNIT, Compiler, answer

from fastlstm.compiled import prune
from fastlstm.compiled.made import Unit
from fastlstm.compiled.places import Place
from fastlstm.compiled.store import Store

OLD = "inference-float32-0123456789abcdef.code"
HALF_WRITTEN = f".{OLD}.4711-0a1b2c3d"
FOREIGN = (
    "notes.txt", ".code", "model.code", f"{OLD}.bak", f".{OLD}", "inference-float32-0123456789ABCDEF.code",
    "inference float32-0123456789abcdef.code", f"{OLD}\n",
)  # fmt: skip


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then), follow_symlinks=False)


def put(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("old")
    age(path, prune.AGE + 60)
    return path


@pytest.mark.parametrize("own", [True, False], ids=["the user's", "another"])
def test_only_old_files_of_the_stores_own_go_and_only_from_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    folder, outside = tmp_path / "code", tmp_path / "outside"
    folder.mkdir(mode=0o700)
    outside.mkdir()
    monkeypatch.setattr("fastlstm.compiled.store.places", lambda: [Place(folder, own=own)])
    gone = [put(folder, OLD), put(folder, HALF_WRITTEN)]
    kept = [put(folder, name) for name in FOREIGN]
    young = put(folder, OLD.replace("0", "1"))
    age(young, prune.AGE - 3600)
    behind_link = put(outside, OLD)
    link, inside = folder / OLD.replace("0", "2"), folder / OLD.replace("0", "3")
    link.symlink_to(behind_link)
    age(link, prune.AGE + 60)
    inside.mkdir()
    within = put(inside, OLD)
    age(inside, prune.AGE + 60)
    answer(Store(Compiler()))
    assert [path.exists() for path in gone] == [not own] * 2
    assert all(path.exists() for path in (*kept, young, behind_link, within))
    assert link.is_symlink()


def test_what_is_loaded_from_time_to_time_is_not_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "code"
    monkeypatch.setattr("fastlstm.compiled.store.places", lambda: [Place(folder, own=True)])
    answer(Store(Compiler(1)))
    [path] = folder.iterdir()
    age(path, prune.AGE - 3600)
    assert answer(Store(Compiler(2)), UNIT) == 1
    assert path.stat().st_mtime > time.time() - 3600
    answer(Store(Compiler(3)), Unit("more"))
    assert path.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_stays(tmp_path: Path) -> None:
    path = put(tmp_path, OLD)
    os.chown(path, 12345, 12345)
    prune.prune(tmp_path)
    assert path.exists()
