"""Weight files that are damaged, foreign or made to hurt: one kind of exception, and nothing is read in good faith."""

from __future__ import annotations

import io
import json
import resource
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fastlstm

SUFFIXES = (".npz", ".safetensors")


def stored(path: Path) -> dict[str, np.ndarray]:
    state = fastlstm.LSTM(3, 4, seed=0).state_dict()
    fastlstm.save(state, path)
    return state


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_is_a_mapping_that_reads_an_array_when_it_is_asked_for(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    state, found = stored(path), fastlstm.load(path)
    assert set(found) == set(state)
    assert len(found) == 4
    assert found.shapes == {name: value.shape for name, value in state.items()}
    for name, value in found.items():
        np.testing.assert_array_equal(value, state[name])
        assert value.flags.writeable
    with pytest.raises(KeyError):
        found["weight_ih_l1"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_may_be_written_from_what_is_read_from_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    state = stored(path)
    fastlstm.save(fastlstm.load(path), path)
    for name, value in fastlstm.load(path).items():
        np.testing.assert_array_equal(value, state[name])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_damaged_anywhere_is_one_kind_of_error(tmp_path: Path, suffix: str) -> None:
    """Cut, one byte changed, pieces removed: the weights are right, or a ValueError names the file."""
    whole = tmp_path / f"whole{suffix}"
    state = stored(whole)
    data, path = whole.read_bytes(), tmp_path / f"damaged{suffix}"
    rng, refused = np.random.default_rng(0), 0
    for n in range(600):
        broken = bytearray(data)
        at = int(rng.integers(len(data)))
        if n % 3 == 0:
            del broken[at:]
        elif n % 3 == 1:
            broken[at] ^= 1 << int(rng.integers(8))
        else:
            del broken[at : at + int(rng.integers(1, 40))]
        path.write_bytes(broken)
        layer = fastlstm.LSTM(3, 4, seed=1)
        before = layer.state_dict()
        said = ""
        try:
            layer.load_state_dict(fastlstm.load(path))
        except (ValueError, KeyError) as error:
            said = str(error)
        after = layer.state_dict()
        if said:
            refused += 1
            # a name was damaged, and is another's; or a shape was
            assert "damaged" in said or "missing" in said or "has shape" in said or "expected a float dtype" in said
            assert all(np.array_equal(after[name], before[name]) for name in before), "nothing has changed"
        elif suffix == ".npz":  # safetensors has no checksum: a bit of a number is a number
            assert all(np.array_equal(after[name], state[name]) for name in state)
    assert refused > 100


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        with pytest.raises(FileNotFoundError):
            fastlstm.load(tmp_path / f"none{suffix}")


def test_bfloat16_and_float16_of_torch_load_exactly(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    net = torch.nn.GRU(3, 4)
    for dtype in (torch.bfloat16, torch.float16):
        path = tmp_path / "gru.safetensors"
        save_file({name: value.to(dtype) for name, value in net.state_dict().items()}, path)
        gru = fastlstm.GRU(3, 4)
        gru.load_state_dict(fastlstm.load(path))
        for name, value in net.state_dict().items():
            np.testing.assert_array_equal(gru.state_dict()[name], value.to(dtype).float())


def test_a_dtype_that_has_no_weights_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    header = json.dumps({"weight": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(ValueError, match=r"a\.safetensors.*'weight' cannot be read: its dtype is F8_E4M3"):
        fastlstm.load(path)["weight"]


def bomb(path: Path, shape: tuple[int, ...], names: list[str], size: int | None = None) -> None:
    """An npz of zeros, deflated; `size` numbers are there, where the header says `shape`."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name in names:
            with file.open(f"{name}.npy", "w", force_zip64=True) as stream:
                stream.write(header.getvalue())
                left = 4 * (np.prod(shape, dtype=int) if size is None else size)
                while left > 0:
                    left -= stream.write(bytes(min(left, 1 << 24)))


def peak() -> int:
    """Bytes that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize(("shape", "error"), [((400, 250_000), ValueError), ((16, 3), KeyError)])
def test_an_npz_bomb_is_refused_before_it_is_inflated(tmp_path: Path, shape: Any, error: type[Exception]) -> None:
    """Of 400 MB: by its shape where the names are right, by its names where they are not."""
    path, layer = tmp_path / "bomb.npz", fastlstm.LSTM(3, 4)
    names = list(layer.state_dict()) if error is ValueError else ["something", "else"]
    bomb(path, (400, 250_000), names[:1])
    small = tmp_path / "small.npz"
    np.savez(small, **{name: np.zeros(3) for name in names[1:]})
    with zipfile.ZipFile(path, "a") as file, zipfile.ZipFile(small) as other:
        for entry in other.infolist():
            file.writestr(entry.filename, other.read(entry))
    before = peak()
    with pytest.raises(error, match=r"missing|has shape"):
        layer.load_state_dict(fastlstm.load(path))
    assert peak() - before < 100 << 20


@pytest.mark.parametrize("size", [0, 40, 10_000_000])
def test_an_npz_whose_header_and_directory_disagree_is_refused(tmp_path: Path, size: int) -> None:
    bomb(tmp_path / "a.npz", (5, 7), ["weight"], size)
    with pytest.raises(ValueError, match=r"a\.npz': 'weight' cannot be read: \(5, 7\) numbers of float32 do not take"):
        fastlstm.load(tmp_path / "a.npz")


def test_an_npz_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match=r"'readme\.txt' cannot be read: it is not an array"):
        fastlstm.load(path)


REFUSED = {
    "a list": ([1], TypeError, "state is a list, expected state_dict"),
    "None": (None, TypeError, "state is a NoneType, expected state_dict"),
    "numbers as names": ({1: np.zeros(3)}, TypeError, "the name 1 in state is a int, expected str"),
    "nothing": ({}, KeyError, r"missing weight_ih_l0, .* \(is a prefix missing\?\)$"),
    "a prefix": (fastlstm.LSTM(3, 4).state_dict("encoder."), KeyError, r"\(is a prefix missing\?\)$"),
    "another layer": (fastlstm.GRU(3, 4, 2).state_dict(), KeyError, "unexpected weight_ih_l1, "),
    "a masked array": (
        fastlstm.LSTM(3, 4).state_dict() | {"bias_hh_l0": np.ma.masked_array(np.zeros(16, np.float32), True)},
        TypeError,
        "bias_hh_l0 is a numpy.ma.MaskedArray",
    ),
    "a tensor without values": (
        fastlstm.LSTM(3, 4).state_dict() | {"bias_hh_l0": torch.zeros(16, device="meta")}, ValueError, "bias_hh_l0"
    ),
    "a sparse tensor": (
        fastlstm.LSTM(3, 4).state_dict() | {"bias_hh_l0": torch.zeros(16).to_sparse()}, ValueError, "bias_hh_l0"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_state_dict_is_refused(case: str) -> None:
    state, error, told = REFUSED[case]
    layer = fastlstm.LSTM(3, 4, seed=0)
    before = layer.state_dict()
    with pytest.raises(error, match=told):
        layer.load_state_dict(state)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
