"""DDIM as docs/method.md states it: schedule, steps in both directions, guidance. float64 unless the inputs are not.

    python tools/parity/ddim.py

writes test/fixtures/ddim.safetensors and ddim.json ({case: {prediction, steps, offset}}).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler

from common import FIXTURES, normal, write_json, write_tensors

Tensor = torch.Tensor
CONFIG = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "clip_sample": False, "set_alpha_to_one": False, "timestep_spacing": "leading"}


@dataclass(frozen=True)
class Schedule:
    """steps: N; offset: added to every timestep; prediction: "epsilon" or "v_prediction"."""

    steps: int
    offset: int = 1
    prediction: str = "epsilon"
    beta_start: float = CONFIG["beta_start"]
    beta_end: float = CONFIG["beta_end"]

    @property
    def alphas(self) -> Tensor:
        """ā: [1000], float64."""
        return (1 - torch.linspace(self.beta_start**0.5, self.beta_end**0.5, 1000, dtype=torch.float64) ** 2).cumprod(0)

    @property
    def stride(self) -> int:
        return 1000 // self.steps

    @property
    def timesteps(self) -> list[int]:
        """Noisiest first."""
        return [self.stride * (self.steps - 1 - i) + self.offset for i in range(self.steps)]

    def alpha(self, t: int) -> float:
        """ā_t; before the first timestep it stays ā_0 (set_alpha_to_one is false)."""
        return self.alphas[max(t, 0)].item()

    def epsilon(self, z: Tensor, output: Tensor, alpha: float) -> Tensor:
        return output if self.prediction == "epsilon" else alpha**0.5 * output + (1 - alpha) ** 0.5 * z

    def move(self, z: Tensor, output: Tensor, source: int, to: int) -> Tensor:
        """From level `source` to level `to`. z, output: [B, 4, h, w]."""
        a, b = self.alpha(source), self.alpha(to)
        eps = self.epsilon(z, output, a)
        return b**0.5 * (z - (1 - a) ** 0.5 * eps) / a**0.5 + (1 - b) ** 0.5 * eps

    def denoise(self, z: Tensor, output: Tensor, t: int) -> Tensor:
        return self.move(z, output, t, t - self.stride)

    def invert(self, z: Tensor, output: Tensor, t: int) -> Tensor:
        """To level t. The model got the less noisy latent with the noisier t."""
        return self.move(z, output, t - self.stride, t)


def guided(conditional: Tensor, unconditional: Tensor, w: float) -> Tensor:
    return unconditional + w * (conditional - unconditional)


def check_against_diffusers(schedule: Schedule, z: Tensor, outputs: Tensor, down: Tensor, up: Tensor) -> None:
    """The tolerance is needed because diffusers' schedulers keep ā in float32."""
    options = CONFIG | {"steps_offset": schedule.offset, "prediction_type": schedule.prediction}
    forward, inverse = DDIMScheduler(**options), DDIMInverseScheduler(**options)
    forward.set_timesteps(schedule.steps)
    inverse.set_timesteps(schedule.steps)
    assert forward.timesteps.tolist() == schedule.timesteps and inverse.timesteps.tolist() == schedule.timesteps[::-1]
    x = y = z
    for i, t in enumerate(forward.timesteps):
        x = forward.step(outputs[i], t, x).prev_sample
        assert torch.allclose(x, down[i + 1], rtol=1e-4, atol=1e-4)
    for i, t in enumerate(inverse.timesteps):
        y = inverse.step(outputs[i], t, y).prev_sample
        assert torch.allclose(y, up[i + 1], rtol=1e-4, atol=1e-4)


def main() -> None:
    z, outputs = normal((1, 4, 2, 2), "ddim", "z"), normal((50, 1, 4, 2, 2), "ddim", "outputs")
    alphas = Schedule(50).alphas
    for t, known in {0: 0.99915, 1: 0.998296, 21: 0.980381, 501: 0.274999, 981: 0.0057755, 999: 0.0046601}.items():
        assert abs(alphas[t].item() / known - 1) < 2e-6, t
    out = {"alphas_cumprod": alphas, "alphas_cumprod_diffusers": DDIMScheduler(**CONFIG).alphas_cumprod, "z": z, "outputs": outputs}
    cases = {}
    for prediction in ("epsilon", "v_prediction"):
        for steps in (10, 20, 30, 50):
            for offset in (0, 1):
                schedule = Schedule(steps, offset, prediction)
                down, up = [z], [z]
                for i, t in enumerate(schedule.timesteps):
                    down.append(schedule.denoise(down[-1], outputs[i], t))
                for i, t in enumerate(reversed(schedule.timesteps)):
                    up.append(schedule.invert(up[-1], outputs[i], t))
                name = f"{prediction}-{steps}-offset{offset}"
                out |= {f"{name}/timesteps": torch.tensor(schedule.timesteps), f"{name}/denoised": torch.stack(down), f"{name}/inverted": torch.stack(up)}
                cases[name] = {"prediction": prediction, "steps": steps, "offset": offset}
                check_against_diffusers(schedule, z, outputs, out[f"{name}/denoised"], out[f"{name}/inverted"])
    a, b = normal((2, 4, 2, 2), "ddim", "conditional"), normal((2, 4, 2, 2), "ddim", "unconditional")
    out |= {"guidance/conditional": a, "guidance/unconditional": b, "guidance/w": torch.tensor(7.5), "guidance/out": guided(a, b, 7.5)}
    write_tensors(FIXTURES / "ddim.safetensors", out, {"command": "python tools/parity/ddim.py", "computed": "float64"})
    write_json(FIXTURES / "ddim.json", cases)
    print(f"{len(cases)} schedules, {(FIXTURES / 'ddim.safetensors').stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
