"""Versions, read from the installed metadata: no other library is imported for them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from fastlstm import __version__

NEEDED = ("numpy", "numba", "llvmlite", "click", "safetensors")
OPTIONAL = {
    "torch": "fastlstm.torch, and the peer of fastlstm bench",
    "numba-cuda": "the CUDA kernels",
    "scikit-learn": "the digits of fastlstm demo",
    "onnx": "fastlstm.interop.onnx, and two peers of fastlstm bench",
    "onnxruntime": "a peer of fastlstm bench",
    "openvino": "a peer of fastlstm bench",
    "jax": "a peer of fastlstm bench",
    "matplotlib": "fastlstm bench --plot",
}
"""What is used where it is installed, and for what."""


def versions() -> dict[str, str]:
    """Version by distribution name, of this library and of everything needed or optional that is installed."""
    found = {name: _version(name) for name in (*NEEDED, *OPTIONAL)}
    # A folder of sources on the path is not installed.
    return {"fastlstm": __version__} | {name: value for name, value in found.items() if value is not None}


def missing() -> dict[str, str]:
    """What is not installed, and what it would be used for."""
    return {name: use for name, use in OPTIONAL.items() if _version(name) is None}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
