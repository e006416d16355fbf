"""The snippets of docs/frameworks.md, run where their framework is installed, beside torch's own layers.

None is among the development dependencies, and each needs others that do not fit together for long: they are skipped.
`pip install sb3-contrib lightning skorch pytorch-forecasting neuralforecast tirex-ts neuralhydrology` brings them all.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import fastlstm.torch
from fastlstm.torch.module import Accelerated

# What the frameworks' own code is warned of is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")
PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"
PLAIN = "fastlstm.torch."


def snippet(title: str) -> str:
    section = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (found,) = [each for each in section if each.startswith(title)]
    (code,) = re.findall(r"```python\n(.*?)```", found, re.DOTALL)
    return str(code)


def both(title: str, **names: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the snippet binds as it is, and without its line of this library; the same random numbers for both."""
    lines = snippet(title).splitlines(keepends=True)
    assert any(line.startswith(PLAIN) for line in lines)
    found = []
    for code in ("".join(lines), "".join(line for line in lines if not line.startswith(PLAIN))):
        torch.manual_seed(0)
        np.random.seed(0)
        bound = {"fastlstm": fastlstm, **copy.deepcopy(names)}
        exec(compile(code, title, "exec"), bound)
        found.append(bound)
    return found[0], found[1]


def layers(model: nn.Module) -> list[Accelerated]:
    found = [module for module in model.modules() if isinstance(module, Accelerated)]
    assert found
    assert all(module.was_called and not module.declined for module in found)
    return found


def same_weights(ours: nn.Module, theirs: nn.Module, tolerance: float = 1e-4) -> None:
    """After a training: what the optimizer made of the gradients of all steps."""
    layers(ours)
    assert not any(isinstance(module, Accelerated) for module in theirs.modules())
    for due, got in zip(theirs.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(got, due, rtol=tolerance, atol=tolerance)


def framework(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.head = nn.Linear(6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.lstm(x)[0][:, -1])
        return result


def test_stable_baselines3() -> None:
    contrib = framework("sb3_contrib")
    from stable_baselines3.common.env_util import make_vec_env

    ours, theirs = both("Stable-Baselines3", RecurrentPPO=contrib.RecurrentPPO, env=make_vec_env("CartPole-v1", 2))
    assert theirs["agent"].rollout_buffer.episode_starts.sum() > 2, "an episode starts within a batch"
    same_weights(ours["agent"].policy, theirs["agent"].policy, 2e-3)


def test_lightning() -> None:
    lightning = framework("lightning")

    class LitModel(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return nn.functional.mse_loss(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), 0.1)

    data = DataLoader(TensorDataset(torch.randn(12, 7, 5), torch.randn(12, 1)), 4)
    ours, theirs = both("Lightning", LitModel=LitModel, Trainer=quiet(lightning.Trainer), data=data)
    same_weights(ours["model"], theirs["model"])


def quiet(trainer: Any) -> Any:
    """A trainer that writes nothing."""

    def make(**options: Any) -> Any:
        return trainer(
            **options, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False
        )

    return make


def test_skorch() -> None:
    skorch = framework("skorch")
    X, y = torch.randn(12, 7, 5), torch.randn(12, 1)
    ours, theirs = both("skorch", NeuralNetRegressor=skorch.NeuralNetRegressor, Net=Net, X=X, y=y)
    same_weights(ours["net"].module_, theirs["net"].module_)


def test_pytorch_forecasting() -> None:
    forecasting = framework("pytorch_forecasting")
    trainer = framework("lightning.pytorch").Trainer
    import pandas

    steps = np.arange(40)
    frame = pandas.DataFrame({"time": steps % 20, "series": steps // 20, "value": np.sin(steps / 3)})
    training = forecasting.TimeSeriesDataSet(
        frame.astype({"value": np.float32}), "time", "value", ["series"], max_encoder_length=8,
        max_prediction_length=3, time_varying_unknown_reals=["value"],
    )  # fmt: skip
    ours, theirs = both(
        "pytorch-forecasting", RecurrentNetwork=forecasting.RecurrentNetwork, Trainer=quiet(trainer), training=training
    )
    same_weights(ours["network"], theirs["network"])


def test_neuralforecast() -> None:
    neural = framework("neuralforecast")
    from functools import partial

    import pandas
    from neuralforecast.models import LSTM

    steps = np.arange(40)
    frame = pandas.DataFrame({"unique_id": "a", "ds": steps, "y": np.sin(steps / 3)})
    model = partial(LSTM, logger=False, enable_progress_bar=False, enable_checkpointing=False)
    ours, theirs = both("neuralforecast", LSTM=model, NeuralForecast=neural.NeuralForecast, frame=frame)
    same_weights(ours["forecasts"].models[0], theirs["forecasts"].models[0])


def test_tirex() -> None:
    framework("tirex")
    from tirex.models.tirex import TiRexZero

    def load_model(name: str, device: str) -> nn.Module:
        """A small model with random weights: the true ones would be downloaded."""
        config = {
            "input_patch_size": 32, "output_patch_size": 32, "quantiles": [0.1 * q for q in range(1, 10)],
            "input_ff_dim": 64, "block_kwargs": {"num_blocks": 2, "embedding_dim": 64, "num_heads": 2},
        }  # fmt: skip
        torch.manual_seed(0)
        model = TiRexZero("torch", config, train_ctx_len=256)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                width = parameter.shape[-1] if parameter.dim() > 1 else 64
                parameter.normal_(0, width**-0.5)
                if "norm" in name:
                    parameter.abs_()
        return model.eval()

    ours, theirs = both("TiRex", load_model=load_model, series=torch.randn(2, 96))
    layers(ours["model"])
    scale = theirs["mean"].abs().max()
    assert (ours["mean"] - theirs["mean"]).abs().max() < 0.03 * scale, "bfloat16 has 8 bits"
    assert ours["quantiles"].shape == theirs["quantiles"].shape


@pytest.mark.parametrize("name", ["ealstm", "customlstm", "cudalstm"])
def test_neuralhydrology(name: str, tmp_path: Path) -> None:
    framework("neuralhydrology.modelzoo")
    from neuralhydrology.modelzoo import get_model
    from neuralhydrology.utils.config import Config

    config = Config(
        {
            "model": name, "hidden_size": 8, "output_dropout": 0.0, "initial_forget_bias": 3.0, "head": "regression",
            "dynamic_inputs": ["rain", "heat"], "static_attributes": ["area"], "target_variables": ["q"],
            "output_activation": "linear", "predict_last_n": 1, "use_basin_id_encoding": False, "seq_length": 30,
            "run_dir": str(tmp_path),
        }
    )  # fmt: skip
    data = {"x_d": {key: torch.randn(3, 30, 1) for key in ("rain", "heat")}, "x_s": torch.randn(3, 1)}
    ours, theirs = both("neuralhydrology", get_model=get_model, config=config, data=data)
    layers(ours["model"])
    torch.testing.assert_close(ours["prediction"], theirs["prediction"], rtol=1e-4, atol=1e-5)
