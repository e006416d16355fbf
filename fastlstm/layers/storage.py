"""Parameters on disk: safetensors, or NumPy's npz read without pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy import ndarray
from safetensors.numpy import load_file, save_file

from ..errors import refuse_type


def save(state: Mapping[str, ndarray], path: str | os.PathLike[str]) -> None:
    """Write a state_dict to `path`, in the format its suffix names: .safetensors or .npz.

    Several modules share a file by their prefixes: `save(lstm.state_dict("lstm.") | head.state_dict("head."), path)`.
    """
    if not isinstance(state, Mapping):
        refuse_type("state", state, "state_dict", "save(lstm.state_dict(), path)")
    path = _checked(path)
    if path.suffix == ".npz":
        np.savez(path, allow_pickle=False, **dict(state))
    else:
        save_file({name: np.ascontiguousarray(value) for name, value in state.items()}, path)


def load(path: str | os.PathLike[str]) -> dict[str, ndarray]:
    """The state_dict in `path`, for `load_state_dict`. Nothing in the file is executed."""
    path = _checked(path)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    return load_file(path)


def _checked(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix not in (".safetensors", ".npz"):
        raise ValueError(f"path is {str(path)!r}, expected a name in .safetensors or .npz")
    return path
