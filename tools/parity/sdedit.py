"""SDEdit, written from the paper as docs/methods.md states it: noise on the photo's latent, then sampling with the prompt.

    python tools/parity/sdedit.py fixtures
    python tools/parity/sdedit.py dump --model FOLDER --image PHOTO --target PROMPT --strength 0.8 -o OUT.safetensors

`fixtures` writes test/fixtures/sdedit-*.safetensors from the tiny pipelines: the photo's latent (`photo`) and the latents
of the edit from its first step on (`latents`, [n + 1, 1, 4, h, w] for n sampled steps). `dump` runs one edit for methods.ts.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass

import torch

from common import FIXTURES, Random, uniform, write_tensors
from ddim import guided
from pipeline import Pipeline, dump_command, write_dump

Tensor = torch.Tensor


@dataclass
class Settings:
    target: str
    strength: float = 0.8
    steps: int = 50
    guidance: float = 7.5
    seed: int = 0


@torch.no_grad()
def run(pipe: Pipeline, picture: Tensor, s: Settings) -> dict[str, Tensor]:
    schedule, photo = pipe.schedule(s.steps), pipe.encode(picture)
    target, null = pipe.embed(s.target), pipe.embed("")
    sampled = schedule.timesteps[s.steps - int(s.strength * s.steps) :]
    noise = Random(s.seed).normal(photo.shape).to(photo.dtype)
    if len(sampled) == s.steps:
        z = noise
    elif sampled:
        alpha = schedule.alpha(sampled[0])
        z = alpha**0.5 * photo + (1 - alpha) ** 0.5 * noise
    else:
        z = photo
    latents = [z]
    for t in sampled:
        z = schedule.denoise(z, guided(pipe.predict(z, t, target), pipe.predict(z, t, null), s.guidance), t)
        latents.append(z)
    return {"photo": photo, "latents": torch.stack(latents)}


def fixtures(_: argparse.Namespace) -> None:
    # 0.7 of 5 steps are 3, from step 2 on.
    cases = (
        ("tiny-sd1", Settings("a brown dog sitting", strength=0.7, steps=5, guidance=3.0, seed=7)),
        ("tiny-sd2", Settings("a white cat lying down", strength=1.0, steps=3, guidance=3.0, seed=2**40 + 1)),
    )
    for name, s in cases:
        values = run(Pipeline(FIXTURES / name, torch.float64), uniform((1, 3, 64, 64), -1, 1, "sdedit", name), s)
        path = FIXTURES / f"sdedit-{name}.safetensors"
        write_tensors(path, values, {"command": "python tools/parity/sdedit.py fixtures", "computed": "float64", "settings": json.dumps(asdict(s))})
        print(f"{path.name}: {path.stat().st_size // 1024} KB")


def dump(options: argparse.Namespace) -> None:
    write_dump(options, run, "sdedit", Settings(options.target, options.strength, options.steps, options.guidance, options.seed))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("fixtures").set_defaults(work=fixtures)
    dumping = dump_command(commands, dump)
    dumping.add_argument("--strength", type=float, default=0.8)
    dumping.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.work(options)


if __name__ == "__main__":
    main()
