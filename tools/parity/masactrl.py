"""MasaCtrl, written from the paper's algorithm as docs/methods.md states it: DDIM inversion, then source and edit in lock-step.

    python tools/parity/masactrl.py fixtures

writes test/fixtures/masactrl-*.safetensors from the tiny pipelines: z* (`inverted`) and the latents of both branches
(`latents`, [N + 1, 2, 4, h, w], the source first), noisiest first.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass

import torch

from attention import Rows, install
from baret import ddim_inversion
from common import FIXTURES, uniform, write_tensors
from ddim import Schedule, guided
from pipeline import Pipeline

Tensor = torch.Tensor


@dataclass
class Settings:
    """step: S; layer: L, counted over the self-attention layers as they run; source: prompt of inversion and source branch."""

    target: str
    source: str
    steps: int = 50
    guidance: float = 7.5
    step: int = 4
    layer: int = 10
    reference_latents: bool = False


@torch.no_grad()
def edit(pipe: Pipeline, schedule: Schedule, inverted: Tensor, source: Tensor, target: Tensor, null: Tensor, s: Settings) -> Tensor:
    """Latents of the source and the edit, [N + 1, 2, 4, h, w]. Batch: both null predictions, then both conditional ones."""
    mutual = Rows(None, torch.tensor([0, 0, 2, 2]), torch.tensor([0, 0, 2, 2]))
    at = {"step": 0, "layer": 0}

    def rows(_path: str, is_cross: bool, _tokens: int) -> Rows:
        if is_cross:
            return Rows()
        layer, at["layer"] = at["layer"], at["layer"] + 1
        return mutual if at["step"] >= s.step and layer >= s.layer else Rows()

    install(pipe.unet, rows)
    z = inverted[:1].repeat(2, 1, 1, 1)
    latents = [z]
    c = torch.cat([null, null, source, target])
    for i, t in enumerate(schedule.timesteps):
        at |= {"step": i, "layer": 0}
        unconditional, conditional = pipe.predict(torch.cat([z, z]), t, c).chunk(2)
        z = schedule.denoise(z, guided(conditional, unconditional, s.guidance), t)
        if s.reference_latents:
            z = torch.cat([inverted[i + 1 : i + 2], z[1:]])
        latents.append(z)
    assert at["layer"] > s.layer, f"the U-Net has {at['layer']} self-attention layers"
    return torch.stack(latents)


def fixtures(_: argparse.Namespace) -> None:
    cases = (
        ("tiny-sd1", Settings("a brown dog sitting", "", steps=4, guidance=3.0, step=1, layer=10)),
        ("tiny-sd2", Settings("a white cat lying down", "a white cat standing", steps=4, guidance=3.0, step=2, layer=3, reference_latents=True)),
    )
    for name, s in cases:
        pipe = Pipeline(FIXTURES / name, torch.float64)
        install(pipe.unet)
        schedule, source, target, null = pipe.schedule(s.steps), pipe.embed(s.source), pipe.embed(s.target), pipe.embed("")
        picture = uniform((1, 3, 64, 64), -1, 1, "masactrl", name)
        inverted = ddim_inversion(pipe, schedule, pipe.encode(picture), source)
        latents = edit(pipe, schedule, inverted, source, target, null, s)
        path = FIXTURES / f"masactrl-{name}.safetensors"
        write_tensors(path, {"inverted": inverted, "latents": latents}, {"command": "python tools/parity/masactrl.py fixtures", "computed": "float64", "settings": json.dumps(asdict(s))})
        print(f"{path.name}: {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("fixtures").set_defaults(work=fixtures)
    options = parser.parse_args()
    options.work(options)
