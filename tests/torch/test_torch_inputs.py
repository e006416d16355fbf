"""PyTorch's own inputs for its recurrent modules, right and wrong ones: same numbers, gradients and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.testing._internal.common_modules import ModuleErrorEnum, ModuleInfo, module_db

import fastlstm.torch

KINDS = ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell")
INFOS = [info for info in module_db if info.module_cls in [getattr(torch.nn, kind) for kind in KINDS]]
PACKED = [info for info in INFOS if info.module_cls in (torch.nn.GRU, torch.nn.RNN)]
DTYPES = (torch.float32, torch.float64)


def build(info: ModuleInfo, given: Any, dtype: torch.dtype, training: bool) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Ours and torch's, of the same constructor arguments and weights."""
    options = {"dtype": dtype} | given.constructor_input.kwargs
    theirs = info.module_cls(*given.constructor_input.args, **options).train(training)
    ours = getattr(fastlstm.torch, info.module_cls.__name__)(*given.constructor_input.args, **options).train(training)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def test_torch_has_inputs_for_every_kind() -> None:
    assert sorted(info.module_cls.__name__ for info in INFOS) == sorted(KINDS)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_values_and_gradients(info: ModuleInfo, dtype: torch.dtype, training: bool, agree: Callable[..., None]) -> None:
    torch.manual_seed(0)  # torch's inputs are random
    packed = {"with_packed_sequence": True} if info in PACKED else {}
    inputs = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training, **packed)
    assert inputs
    for given in inputs:
        ours, theirs = build(info, given, dtype, training)
        assert not given.forward_input.kwargs
        agree(ours, theirs, *given.forward_input.args)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_errors(info: ModuleInfo, dtype: torch.dtype) -> None:
    inputs = info.module_error_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=True)
    assert inputs
    for wrong in inputs:
        given = wrong.module_error_input
        ours = getattr(fastlstm.torch, info.module_cls.__name__)

        def call(cls: type[torch.nn.Module], given: Any = given, on: Any = wrong.error_on) -> None:
            options = given.constructor_input.kwargs
            if on is ModuleErrorEnum.FORWARD_ERROR:
                options = {"dtype": dtype} | options
            module = cls(*given.constructor_input.args, **options)
            if on is ModuleErrorEnum.FORWARD_ERROR:
                module(*given.forward_input.args, **given.forward_input.kwargs)

        with pytest.raises(wrong.error_type, match=wrong.error_regex) as theirs:
            call(info.module_cls)
        with pytest.raises(wrong.error_type) as mine:
            call(ours)
        assert str(mine.value) == str(theirs.value)
