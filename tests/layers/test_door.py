"""`import fastlstm` opens onto everything public, and onto nothing before it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

import fastlstm


@pytest.mark.parametrize("name", fastlstm.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert name in dir(fastlstm)
    assert getattr(fastlstm, name).__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'fastlstm' has no attribute 'Transformer'"):
        _ = fastlstm.Transformer


def test_the_layers_are_not_loaded_before_they_are_asked_for(python) -> None:  # type: ignore[no-untyped-def]
    code = "import sys, fastlstm; assert 'fastlstm.layers' not in sys.modules; fastlstm.LSTM(1, 1)"
    assert python("-c", code).returncode == 0


def test_the_number_of_threads_changes_no_value() -> None:
    x = np.random.default_rng(0).normal(size=(9, 8, 40)).astype(np.float32)
    lstm, before = fastlstm.LSTM(40, 70, 2, seed=0), fastlstm.get_num_threads()
    try:
        outputs = []
        for threads in (1, 2):
            fastlstm.set_num_threads(threads)
            assert fastlstm.get_num_threads() == threads
            outputs.append(lstm(x)[0])
        np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-5, atol=1e-6)
    finally:
        fastlstm.set_num_threads(before)
