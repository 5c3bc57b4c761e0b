"""BARET, written from the paper's equations as docs/method.md reads them: DDIM inversion, target-text inversion (TTIS), the edit.

    python tools/parity/baret.py dump --model FOLDER --image PHOTO --target SENTENCE -o OUT.safetensors [--pictures DIR]
    python tools/parity/baret.py time --model FOLDER --image PHOTO --target SENTENCE
    python tools/parity/baret.py fixtures

`dump` writes every intermediate value, noisiest first (README.md explains the names); `time` runs the method as
published code does (eager, all rows at every step, float32, the faster memory layout) and prints seconds as JSON;
`fixtures` writes test/fixtures/baret-*.safetensors from the tiny pipelines. `--help` lists the options.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from attention import Rows, install
from common import FIXTURES, uniform, write_tensors
from ddim import Schedule, guided
from pipeline import Pipeline, psnr, read_picture, write_picture

Tensor = torch.Tensor
ROLES = ["reconstruction", "initial", "transition", "edit"]


@dataclass
class Settings:
    """The settings of docs/method.md. Defaults are the paper's for SD1.5, or the readings given there."""

    target: str
    steps: int = 50
    guidance: float = 7.5
    edit_guidance: float | None = None
    inversion_prompt: str | None = None
    iterations: int = 5
    learning_rate: float = 1e-3
    early_stop: bool = True
    warm_start: bool = True
    alpha_start: float = 0.8
    alpha_end: float = 0.1
    self_steps: float = 0.3
    cross_steps: float = 0.6
    self_tokens: int = 1024
    both_halves: bool = False


# --- inversion ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def ddim_inversion(pipe: Pipeline, schedule: Schedule, z: Tensor, c: Tensor) -> Tensor:
    """z*: [N+1, 4, h, w], noisiest first, guidance 1. The model gets the noisier timestep."""
    found = [z]
    for t in reversed(schedule.timesteps):
        found.append(schedule.invert(found[-1], pipe.predict(found[-1], t, c), t))
    return torch.cat(found[::-1])


@dataclass
class Tuned:
    """C: [N, L, D]; trajectory z̄: [N+1, 4, h, w], noisiest first; the rest has one entry for each inner iteration."""

    embeddings: Tensor
    trajectory: Tensor
    unconditional: Tensor
    iterations: list[int]
    losses: list[list[float]]
    before: list[list[Tensor]]
    gradients: list[list[Tensor]]


def threshold(i: int, steps: int) -> float:
    return 1e-5 + 2e-5 * i * 50 / steps


def target_text_inversion(pipe: Pipeline, schedule: Schedule, inverted: Tensor, target: Tensor, null: Tensor, s: Settings, keep: bool = True) -> Tuned:
    c, z = target.clone(), inverted[:1]
    tuned = Tuned([], [z], [], [], [], [], [])  # lists, stacked at the end
    for i, t in enumerate(schedule.timesteps):
        with torch.no_grad():
            unconditional = pipe.predict(z, t, null)
        c = (c if s.warm_start else target).clone().requires_grad_(True)
        adam = torch.optim.Adam([c], lr=s.learning_rate, betas=(0.9, 0.999), eps=1e-8)
        losses, before, gradients = [], [], []
        steps_taken = 0
        for _ in range(s.iterations):
            prediction = guided(pipe.predict(z, t, c), unconditional, s.guidance)
            loss = (schedule.denoise(z, prediction, t) - inverted[i + 1 : i + 2]).square().mean()
            losses.append(loss.item())
            if s.early_stop and loss.item() < threshold(i, schedule.steps):
                break
            adam.zero_grad()
            loss.backward()
            if keep:
                before.append(c.detach().clone())
                gradients.append(c.grad.clone())
            adam.step()
            steps_taken += 1
        c = c.detach()
        with torch.no_grad():
            z = schedule.denoise(z, guided(pipe.predict(z, t, c), unconditional, s.guidance), t)
        for field, value in zip(("embeddings", "trajectory", "unconditional", "iterations", "losses", "before", "gradients"), (c, z, unconditional, steps_taken, losses, before, gradients)):
            getattr(tuned, field).append(value)
    tuned.embeddings, tuned.trajectory, tuned.unconditional = (torch.cat(part) for part in (tuned.embeddings, tuned.trajectory, tuned.unconditional))
    return tuned


# --- edit --------------------------------------------------------------------------------------------------------


def alpha(i: int, s: Settings) -> float:
    return s.alpha_start + (s.alpha_end - s.alpha_start) * i / max(s.steps - 1, 1)


def balanced_attention(i: int, s: Settings, roles: list[str]) -> tuple[Rows, Rows]:
    """Eqs. 4 and 5: rows of self- and cross-attention at step i. Batch: every role's null half, then every role's."""
    n = len(roles)
    halves = [0, n] if s.both_halves else [n]

    def rows(source: str) -> Rows:
        picked = torch.arange(2 * n)
        for half in halves:
            picked[half + roles.index("edit")] = half + roles.index(source)
        return Rows(picked, picked, None)

    return (
        rows("reconstruction") if i < math.floor(s.self_steps * s.steps) else Rows(),
        rows("transition") if i < math.floor(s.cross_steps * s.steps) else Rows(),
    )


@torch.no_grad()
def edit(pipe: Pipeline, schedule: Schedule, start: Tensor, embeddings: Tensor, target: Tensor, null: Tensor, s: Settings, roles: list[str] = ROLES, fused: bool = False) -> Tensor:
    """Latents of all roles in lock-step from z*[0]. start: [1, 4, h, w] → [N+1, roles, 4, h, w]."""
    n = len(roles)
    now: dict[bool, Rows] = {}
    install(pipe.unet, lambda _path, is_cross, tokens: Rows() if not is_cross and tokens > s.self_tokens else now[is_cross], fused=fused)
    z = start.repeat(n, 1, 1, 1)
    latents = [z]
    w = s.guidance if s.edit_guidance is None else s.edit_guidance
    for i, t in enumerate(schedule.timesteps):
        now[False], now[True] = balanced_attention(i, s, roles)
        mixed = alpha(i, s) * embeddings[i : i + 1] + (1 - alpha(i, s)) * target  # eq. 3
        texts = {"reconstruction": embeddings[i : i + 1], "initial": target, "transition": mixed, "edit": target}
        c = torch.cat([null] * n + [texts[role] for role in roles])
        unconditional, conditional = pipe.predict(torch.cat([z, z]), t, c).chunk(2)
        z = schedule.denoise(z, guided(conditional, unconditional, w), t)
        latents.append(z)
    return torch.stack(latents)


# --- commands ----------------------------------------------------------------------------------------------------


def run(pipe: Pipeline, picture: Tensor, s: Settings, edits: bool = True) -> tuple[dict[str, Tensor], Tuned]:
    """Every intermediate value, by name; without `edits`, the inversion's."""
    install(pipe.unet)
    schedule = pipe.schedule(s.steps)
    target, null = pipe.embed(s.target), pipe.embed("")
    z = pipe.encode(picture)
    inverted = ddim_inversion(pipe, schedule, z, target if s.inversion_prompt is None else pipe.embed(s.inversion_prompt))
    tuned = target_text_inversion(pipe, schedule, inverted, target, null, s)
    pad = lambda rows, width: torch.tensor([row + [math.nan] * (width - len(row)) for row in rows], dtype=torch.float64)
    out = {
        "picture": picture, "z": z, "timesteps": torch.tensor(schedule.timesteps), "target": target, "null": null, "target_ids": pipe.ids([s.target]),
        "inverted": inverted, "tuned": tuned.embeddings, "trajectory": tuned.trajectory, "unconditional": tuned.unconditional,
        "iterations": torch.tensor(tuned.iterations), "loss": pad(tuned.losses, s.iterations),
        "gradient_rms": pad([[g.square().mean().sqrt().item() for g in step] for step in tuned.gradients], s.iterations),
    }
    for i, (before, gradients) in enumerate(zip(tuned.before, tuned.gradients)):
        if before:
            out |= {f"step{i}/embedding": torch.cat(before), f"step{i}/gradient": torch.cat(gradients)}
    if edits:
        latents = edit(pipe, schedule, inverted[:1], tuned.embeddings, target, null, s)
        out |= {"latents": latents, "vae_round_trip": pipe.decode(z)}
        out |= {f"image/{role}": pipe.decode(latents[-1, index : index + 1]) for index, role in enumerate(ROLES)}
    return out, tuned


def replay_difference(out: dict[str, Tensor]) -> float:
    """How far the edit's reconstruction is from z̄, relative; only rounding where both guidances are equal."""
    return ((out["latents"][:, 0] - out["trajectory"]).norm() / out["trajectory"].norm()).item()


def dump(arguments: argparse.Namespace) -> None:
    pipe, s, picture = prepare(arguments, torch.float64 if arguments.dtype == "float64" else torch.float32)
    out, tuned = run(pipe, picture, s)
    write_tensors(arguments.output, out, {"command": "python tools/parity/baret.py dump", "computed": arguments.dtype, "settings": json.dumps(asdict(s))})
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        for name in ("vae_round_trip", *(f"image/{role}" for role in ROLES)):
            write_picture(arguments.pictures / f"{name.removeprefix('image/')}.png", out[name])
    print(json.dumps({"replay_difference": replay_difference(out), "iterations": sum(tuned.iterations), "final_loss": tuned.losses[-1][-1], "psnr": {role: round(psnr(out[f"image/{role}"], out["vae_round_trip"]), 2) for role in ROLES}}))


def faster_layout(pipe: Pipeline, z: Tensor, c: Tensor) -> str:
    """Seconds of one forward in either layout, three times each in turn; leaves the U-Net in the faster one."""
    layouts = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    best = dict.fromkeys(layouts, math.inf)
    with torch.no_grad():  # not inference_mode: the layout that wins must still take part in backward
        for _ in range(3):
            for name, layout in layouts.items():
                pipe.unet.to(memory_format=layout)
                pipe.predict(z.contiguous(memory_format=layout), 500, c)
                begun = time.perf_counter()
                pipe.predict(z.contiguous(memory_format=layout), 500, c)
                best[name] = min(best[name], time.perf_counter() - begun)
    winner = min(best, key=best.get)
    pipe.unet.to(memory_format=layouts[winner])
    return winner


def time_it(arguments: argparse.Namespace) -> None:
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(arguments.threads or os.cpu_count() or 1)
    clock = [time.perf_counter()]
    pipe, s, picture = prepare(arguments, torch.float32)
    clock.append(time.perf_counter())
    install(pipe.unet, fused=True)
    schedule, target, null = pipe.schedule(s.steps), pipe.embed(s.target), pipe.embed("")
    z = pipe.encode(picture)
    layout = faster_layout(pipe, z.repeat(6, 1, 1, 1), target.repeat(6, 1, 1))
    seconds = {"load": clock[1] - clock[0]}

    def timed(name: str, work):
        begun = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - begun
        return result

    memory = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    z = timed("encode", lambda: pipe.encode(picture)).contiguous(memory_format=memory)
    inverted = timed("inversion", lambda: ddim_inversion(pipe, schedule, z, target))
    tuned = timed("ttis", lambda: target_text_inversion(pipe, schedule, inverted, target, null, s, keep=False))
    roles = [role for role in ROLES if role != "initial"]
    latents = timed("edit", lambda: edit(pipe, schedule, inverted[:1], tuned.embeddings, target, null, s, roles, fused=True))
    image = timed("decode", lambda: pipe.decode(latents[-1, -1:]))
    assert image.isfinite().all()
    found = psnr(pipe.decode(tuned.trajectory[-1:]), pipe.decode(z))
    total = sum(value for name, value in seconds.items() if name != "load")
    print(json.dumps({"seconds": {name: round(value, 3) for name, value in seconds.items()}, "total_without_load": round(total, 3), "iterations": sum(tuned.iterations), "reconstruction_psnr": round(found, 2), "layout": layout, "threads": torch.get_num_threads(), "torch": torch.__version__, "rows": {"inversion": s.steps, "edit": 2 * len(roles) * s.steps}, "settings": asdict(s)}))


def prepare(arguments: argparse.Namespace, dtype: torch.dtype) -> tuple[Pipeline, Settings, Tensor]:
    """Options win over the model's editing.json, which wins over the paper's settings."""
    pipe = Pipeline(arguments.model, dtype)
    given = {key: value for key, value in vars(arguments).items() if key in Settings.__dataclass_fields__ and value is not None}
    defaults = pipe.editing.get("methods", {}).get("baret", {})
    inversion, edits = defaults.get("prepare", {}), defaults.get("edit", {})
    alpha_start, alpha_end = edits.get("alpha", (None, None))
    own = {"steps": pipe.editing.get("steps"), "guidance": pipe.editing.get("guidance"), "learning_rate": inversion.get("learningRate")}
    own |= {"alpha_start": alpha_start, "alpha_end": alpha_end, "self_steps": edits.get("selfSteps"), "cross_steps": edits.get("crossSteps")}
    s = Settings(**({key: value for key, value in own.items() if value is not None} | given))
    factor = 2 ** (len(pipe.vae.config.block_out_channels) - 1)
    size = arguments.size or pipe.editing.get("size") or pipe.unet.config.sample_size * factor
    return pipe, s, read_picture(arguments.image, size)


def fixtures(_: argparse.Namespace) -> None:
    """Small whole runs with the tiny pipelines, early stop off: every value of every step."""
    for name, target, inner in (("tiny-sd1", "a brown dog standing", 2), ("tiny-sd2", "a white cat on the snow", 2)):
        pipe = Pipeline(FIXTURES / name, torch.float64)
        s = Settings(target=target, steps=4, iterations=inner, guidance=3.0, learning_rate=2e-3, early_stop=False, self_steps=0.5, cross_steps=0.75, both_halves=name == "tiny-sd2")
        out, _ = run(pipe, uniform((1, 3, 64, 64), -1, 1, "baret", name), s)
        assert replay_difference(out) < 1e-9
        large = {"vae_round_trip", *(f"image/{role}" for role in ROLES)} - ({"image/edit"} if name == "tiny-sd1" else set())
        out = {key: value for key, value in out.items() if key not in large and (key != "picture" or name == "tiny-sd1")}
        path = FIXTURES / f"baret-{name}.safetensors"
        write_tensors(path, out, {"command": "python tools/parity/baret.py fixtures", "computed": "float64", "model": name, "settings": json.dumps(asdict(s))})
        print(f"{path.name}: {path.stat().st_size // 1024} KB, losses {[round(loss, 5) for loss in out['loss'].flatten().tolist()]}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, work in (("dump", dump), ("time", time_it)):
        command = commands.add_parser(name)
        command.set_defaults(work=work)
        command.add_argument("--model", type=Path, required=True)
        command.add_argument("--image", type=Path, required=True)
        command.add_argument("--target", required=True)
        command.add_argument("--size", type=int)
        for option, kind in (("steps", int), ("guidance", float), ("edit-guidance", float), ("inversion-prompt", str), ("iterations", int), ("learning-rate", float), ("alpha-start", float), ("alpha-end", float), ("self-steps", float), ("cross-steps", float), ("self-tokens", int)):
            command.add_argument(f"--{option}", type=kind)
        for option in ("early-stop", "warm-start", "both-halves"):
            command.add_argument(f"--{option}", action=argparse.BooleanOptionalAction)
        if name == "dump":
            command.add_argument("-o", "--output", type=Path, required=True)
            command.add_argument("--pictures", type=Path, help="also write PNGs here")
            command.add_argument("--dtype", choices=["float32", "float64"], default="float64")
        else:
            command.add_argument("--threads", type=int)
    commands.add_parser("fixtures").set_defaults(work=fixtures)
    return parser.parse_args()


if __name__ == "__main__":
    options = parse()
    options.work(options)
