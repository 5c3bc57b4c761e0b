"""A training run that may be stopped at any step and resumes there: budget, learning rate, averaging, logs, checkpoints."""

import contextlib
import datetime
import functools
import json
import math
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch

SAVE_EVERY_SECONDS = 120
LOG_EVERY_SECONDS = 20


def pick_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@functools.cache
def has_bfloat16(device: torch.device) -> bool:
    """True if the hardware computes in bfloat16, False if it is emulated."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu.get_capabilities().get("avx512_bf16", False) is True


def autocast(device: torch.device):
    return torch.autocast(device.type, torch.bfloat16) if has_bfloat16(device) else contextlib.nullcontext()


def minutes_until(clock: str) -> float:
    """Minutes from now to the nearest HH:MM or HH:MM:SS of yesterday, today or tomorrow; negative if it is past."""
    now, time_of_day = datetime.datetime.now(), datetime.time.fromisoformat(clock)
    seconds = (datetime.datetime.combine(now, time_of_day) - now).total_seconds()
    return ((seconds + 43200) % 86400 - 43200) / 60


class Loop:
    """
    while loop.goes_on(): loop.step(loss_of_one_batch, psnr=...)

    minutes: the whole budget of the stage, including the time of earlier runs. The learning rate warms up for `warm`
    steps, stays constant, and falls as a half cosine over the last share `fall` of the budget. The running average of the
    weights (EMA) is exported. State is written every two minutes and when the process is told to stop.
    """

    def __init__(self, run: str | Path, name: str, model: torch.nn.Module, optimiser: torch.optim.Optimizer, *,
                 minutes: float | None, until: str | None = None, warm: int = 200, fall: float = 1.0,
                 average: float = 0.999, seed: int = 0, at_save=None):
        self.folder = Path(run)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name, self.model, self.optimiser = name, model, optimiser
        self.rates = [group["lr"] for group in optimiser.param_groups]
        self.warm, self.fall, self.average, self.at_save = warm, fall, average, at_save
        self.weights = [w for w in model.parameters() if w.requires_grad]
        self.shadow = [w.detach().clone() for w in self.weights]
        self.steps, self.spent, self.rng, self.seen = 0, 0.0, np.random.default_rng(seed), 0
        torch.manual_seed(seed)
        self.path = self.folder / f"{name}.pt"
        if self.path.exists():
            self._load()
        left = [minutes * 60 - self.spent] if minutes is not None else []
        left += [minutes_until(until) * 60] if until is not None else []
        self.budget = self.spent + max(0.0, min(left))
        self.stop = False
        for kind in (signal.SIGTERM, signal.SIGINT):
            signal.signal(kind, self._asked_to_stop)
        self.clock = self.saved = self.logged = time.monotonic()
        self.recent: dict[str, list[torch.Tensor]] = {}
        self.told = self.seen
        print(f"{name}: {'resumed at' if self.steps else 'from'} step {self.steps}, {self.spent / 60:.1f} of {self.budget / 60:.1f} minutes", flush=True)

    def _asked_to_stop(self, *_):
        self.stop = True

    def goes_on(self) -> bool:
        if not self.stop and self.spent < self.budget:
            return True
        self._log(time.monotonic())
        self.save()
        return False

    @property
    def progress(self) -> float:
        """Spent share of the budget, 0..1."""
        return min(1.0, self.spent / self.budget) if self.budget > 0 else 1.0

    def _rate(self) -> float:
        into_fall = max(0.0, self.progress - (1 - self.fall)) / self.fall
        return min(1.0, (self.steps + 1) / self.warm) * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * into_fall)))

    def step(self, loss: torch.Tensor, count: int, **figures: torch.Tensor) -> None:
        """Takes one optimiser step on a loss. count: pictures in the batch. figures: scalars to log beside the loss. They are
        read only for the next line of the log, so that no step waits for the accelerator."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        for group, rate in zip(self.optimiser.param_groups, self.rates):
            group["lr"] = rate * self._rate()
        self.optimiser.step()
        self.steps += 1
        self.seen += count
        keep = min(self.average, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.shadow, [w.detach() for w in self.weights], 1 - keep)
        for key, number in {"loss": loss, **figures}.items():
            self.recent.setdefault(key, []).append(number.detach())
        self._tick(count)

    def _tick(self, count: int) -> None:
        now = time.monotonic()
        self.spent += now - self.clock
        self.clock = now
        if now - self.logged >= LOG_EVERY_SECONDS:
            self._log(now)
        if now - self.saved >= SAVE_EVERY_SECONDS:
            self._log(now)
            self.save()
            if self.at_save:
                self.at_save(self)
            self.saved = self.clock = time.monotonic()

    def _log(self, now: float) -> None:
        """Writes the means since the last line. Runs before every save, so that weights are never written after a loss that is not finite."""
        if not self.recent:
            return
        figures = {key: torch.stack(values).float().mean().item() for key, values in self.recent.items()}
        if not math.isfinite(figures["loss"]):
            raise FloatingPointError(f"{self.name}: loss {figures['loss']} by step {self.steps}; resume from {self.path} with a smaller rate")
        entry = {"step": self.steps, "minutes": round(self.spent / 60, 2), "pictures": self.seen,
                 "rate": self.optimiser.param_groups[0]["lr"],
                 "pictures_a_second": (self.seen - self.told) / (now - self.logged), **figures}
        with open(self.folder / f"{self.name}.jsonl", "a") as log:
            log.write(json.dumps(entry) + "\n")
        print(f"{self.name} " + " ".join(f"{k} {v:.5g}" for k, v in entry.items()), flush=True)
        self.recent, self.logged, self.told = {}, now, self.seen

    @contextlib.contextmanager
    def averaged(self):
        """Gives the model its averaged weights inside the block."""
        kept = [w.detach().clone() for w in self.weights]
        self.model.eval()
        with torch.no_grad():
            torch._foreach_copy_(self.weights, self.shadow)
            yield self.model
            torch._foreach_copy_(self.weights, kept)
        self.model.train()

    def save(self) -> None:
        state = {"model": self.model.state_dict(), "shadow": self.shadow, "optimiser": self.optimiser.state_dict(),
                 "steps": self.steps, "spent": self.spent, "seen": self.seen, "rng": self.rng.bit_generator.state,
                 "torch_rng": torch.get_rng_state()}
        partial = self.path.with_suffix(".pt.partial")
        torch.save(state, partial)
        os.replace(partial, self.path)

    def _load(self) -> None:
        state = torch.load(self.path, map_location="cpu", weights_only=False)
        self.model.load_state_dict(state["model"])
        for mine, saved in zip(self.shadow, state["shadow"], strict=True):
            mine.copy_(saved)
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps, self.spent, self.seen = state["steps"], state["spent"], state["seen"]
        self.rng.bit_generator.state = state["rng"]
        torch.set_rng_state(state["torch_rng"])
