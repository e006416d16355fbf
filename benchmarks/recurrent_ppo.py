"""A third-party program, untouched, with and without `accelerate` or `one_call`: sb3-contrib's RecurrentPPO on
CartPole-v1 from which the velocities have been taken, so that only memory can balance it.

    pip install sb3-contrib gymnasium
    python benchmarks/recurrent_ppo.py --steps 30000 --seeds 0 1 --json FILE

With `one_call` the policy's loop over time steps becomes one call too, and batches are padded less.

For each seed all are trained, one after the other; printed are the mean return of the last 20 episodes at every tenth
of the way, and how many frames per second the updates took (frames collected over seconds of `train()`).
Hyperparameters are near rl-baselines3-zoo's for CartPoleNoVel-v1; one LSTM for actor and critic, and a larger learning
rate, so that a minute is enough to see it learn.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv

import fastlstm.torch

ENVIRONMENTS, STEPS_PER_ROLLOUT = 8, 32
PREPARE: dict[str, Callable[[RecurrentPPO], object]] = {
    "plain": lambda agent: None,
    "accelerated": lambda agent: fastlstm.torch.accelerate(agent.policy),
    "one call": fastlstm.torch.one_call,
}
POSITIONS = [0, 2]  # of the cart and of the pole; 1 and 3 are their velocities


class NoVelocity(gymnasium.ObservationWrapper):  # type: ignore[type-arg]
    """CartPole's two positions alone."""

    def __init__(self, env: gymnasium.Env) -> None:  # type: ignore[type-arg]
        super().__init__(env)
        space = env.observation_space
        assert isinstance(space, gymnasium.spaces.Box)
        self.observation_space = gymnasium.spaces.Box(space.low[POSITIONS], space.high[POSITIONS], dtype=np.float32)

    def observation(self, observation: np.ndarray) -> np.ndarray:
        return observation[POSITIONS]


@dataclass
class Run:
    """One training. `curve`: mean return of the last 20 episodes, at every tenth of the way."""

    kind: str
    seed: int
    curve: list[float] = field(default_factory=list)
    update_seconds: float = 0.0
    rollout_seconds: float = 0.0
    frames: int = 0

    def __str__(self) -> str:
        curve = " ".join(f"{value:4.0f}" for value in self.curve)
        return (
            f"seed {self.seed} {self.kind:<11}  return {curve}  update {self.frames / self.update_seconds:5.0f} "
            f"frames/s, rollout {self.frames / self.rollout_seconds:5.0f} frames/s"
        )


class Watch(BaseCallback):
    """Takes the time of the phases from outside: the update lies between one rollout's end and the next one's start."""

    def __init__(self, run: Run, steps: int) -> None:
        super().__init__()
        self.run, self.steps, self.returns = run, steps, [0.0]
        self.since = time.perf_counter()

    def _lap(self) -> float:
        before, self.since = self.since, time.perf_counter()
        return self.since - before

    def _on_training_start(self) -> None:
        self._lap()

    def _on_rollout_start(self) -> None:
        self.run.update_seconds += self._lap()

    def _on_rollout_end(self) -> None:
        self.run.rollout_seconds += self._lap()
        self.run.frames = self.num_timesteps

    def _on_training_end(self) -> None:
        self.run.update_seconds += self._lap()

    def _on_step(self) -> bool:
        self.returns += [info["episode"]["r"] for info in self.locals["infos"] if "episode" in info]
        if self.num_timesteps >= self.steps * (len(self.run.curve) + 1) / 10:
            self.run.curve.append(float(np.mean(self.returns[-20:])))
        return True


def train(kind: str, seed: int, steps: int) -> Run:
    env: VecEnv = make_vec_env("CartPole-v1", ENVIRONMENTS, seed=seed, wrapper_class=NoVelocity)
    options: dict[str, Any] = {
        "ortho_init": False,
        "activation_fn": torch.nn.ReLU,
        "lstm_hidden_size": 64,
        "enable_critic_lstm": False,
        "shared_lstm": True,
        "net_arch": {"pi": [64], "vf": [64]},
    }
    agent = RecurrentPPO(
        "MlpLstmPolicy", env, n_steps=STEPS_PER_ROLLOUT, batch_size=256, n_epochs=10, gamma=0.98, gae_lambda=0.8,
        learning_rate=3e-3, policy_kwargs=options, seed=seed, device="cpu",
    )  # fmt: skip
    PREPARE[kind](agent)
    run = Run(kind, seed)
    agent.learn(steps, callback=Watch(run, steps))
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", choices=PREPARE)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    train("one call", 0, 600)  # compiled, and everything imported
    runs = []
    for seed in given.seeds:
        for kind in PREPARE:
            if given.only in (None, kind):
                runs.append(train(kind, seed, given.steps))
                print(runs[-1], flush=True)
    if given.json:
        given.json.write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
