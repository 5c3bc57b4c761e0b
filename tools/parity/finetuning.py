"""Fine-tuning on one photo, as docs/methods.md states it: Imagic's stages A, B and C, and SINE's tuning, with and without
patches, and guidance.

    python tools/parity/finetuning.py fixtures
    python tools/parity/finetuning.py imagic --model FOLDER --image PHOTO --target SENTENCE -o OUT.png [options]
    python tools/parity/finetuning.py sine --model FOLDER --image PHOTO --target SENTENCE --source SENTENCE -o OUT.png [options]

`fixtures` writes test/fixtures/finetuning-*.safetensors from the tiny pipelines: the photo's latent (`photo`), losses of every
training step, the tuned embedding, and the last latents; with patches also the larger photo that they are cut from (`larger`)
and the position grids of some boxes (`boxes`, `positions`). The other two write the picture of a whole edit, in float32, to
compare with `baret edit` (README.md has the commands). Timesteps, noise and boxes are drawn as the engine draws them.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image

from common import FIXTURES, MASK, Random, uniform, write_tensors
from ddim import Schedule, guided
from pipeline import Pipeline, read_picture, write_picture

Tensor = torch.Tensor


@dataclass
class Settings:
    """For training. source: SINE's training prompt. patches: 0 is off. clean_loss: below 0 it is 1 with patches, else 0."""

    target: str
    source: str = ""
    steps: int = 50
    guidance: float = 7.5
    embedding_steps: int = 1000
    embedding_rate: float = 2e-3
    tuning_steps: int = 1500
    tuning_rate: float = 5e-7
    batch: int = 1
    training_seed: int = 0
    seed: int = 0
    eta: float = 0.7
    pretrained_share: float = 0.7
    tuned_above: int = 400
    patches: int = 0
    clean_loss: float = -1.0

    @property
    def clean_weight(self) -> float:
        return self.clean_loss if self.clean_loss >= 0 else float(self.patches > 0)


Box = tuple[int, int, int, int]  # left, top, width, height, in cells of the grid
Views = Callable[[int], tuple[list[Tensor], Tensor | None]]  # by step: a latent for each example, and grids of positions


def draw_boxes(s: Settings, step: int, height: int, width: int) -> list[Box]:
    """Sides from 0.1 to 1 of the grid's, as SinImageHighResDataset of github.com/zhang-zx/SINE draws them."""
    random = Random(s.training_seed, MASK - step)
    boxes = []
    for _ in range(s.batch):
        h, w = (max(1, int(side * (random.uniform() * (1.0 - 0.1) + 0.1))) for side in (height, width))
        top = random.below(height - h + 1)
        boxes.append((random.below(width - w + 1), top, w, h))
    return boxes


def position_grid(channels: int, box: Box, size: tuple[int, int]) -> Tensor:
    """[1, C, h, w] in float32, as UNetModelPatch of github.com/zhang-zx/SINE: sinusoids of x, then of y, counted from 1."""
    left, top, width, height = box
    half = channels // 4
    frequencies = torch.exp(torch.arange(half, dtype=torch.float32) * -(math.log(10000) / (half - 1)))

    def axis(start: int, length: int) -> Tensor:
        angles = torch.arange(start + 1, start + length + 1, dtype=torch.float32)[:, None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], 1).T[None]

    x, y = axis(left, width)[:, :, None, :], axis(top, height)[:, :, :, None]
    grid = torch.cat([x.expand(-1, -1, height, -1), y.expand(-1, -1, -1, width)], 1)
    return F.interpolate(grid, size, mode="bilinear", align_corners=True)


class Positions:
    """Adds `grid` to the output of a U-Net's conv_in."""

    def __init__(self, unet: torch.nn.Module) -> None:
        self.grid: Tensor | None = None
        unet.conv_in.register_forward_hook(lambda _, inputs, output: output if self.grid is None else output + self.grid.to(output.dtype))


def patch_views(pipe: Pipeline, larger: Image.Image, s: Settings) -> Views:
    """Boxes of the photo at the model's own size, each through the VAE."""
    factor = 2 ** (len(pipe.vae.config.block_out_channels) - 1)
    side = pipe.editing.get("size", pipe.unet.config.sample_size * factor)
    channels = pipe.unet.config.block_out_channels[0]

    def views(step: int) -> tuple[list[Tensor], Tensor]:
        latents, grids = [], []
        for box in draw_boxes(s, step, larger.height // factor, larger.width // factor):
            left, top, width, height = (factor * n for n in box)
            patch = larger.crop((left, top, left + width, top + height)).resize((side, side), Image.Resampling.BICUBIC)
            latents.append(pipe.encode(tensor_of(patch)))
            grids.append(position_grid(channels, box, (side // factor, side // factor)))
        return latents, torch.cat(grids)

    return views


def examples(schedule: Schedule, latents: list[Tensor], s: Settings, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Timesteps [B], z_t and what the U-Net should predict for it, [B, 4, h, w], of one training step."""
    random = Random(s.training_seed, step + 1)
    drawn = []
    for photo in latents:
        t, noise = random.below(1000), random.normal(photo.shape).to(photo.dtype)
        a = schedule.alpha(t)
        wanted = noise if schedule.prediction == "epsilon" else a**0.5 * noise - (1 - a) ** 0.5 * photo
        drawn.append((t, a**0.5 * photo + (1 - a) ** 0.5 * noise, wanted))
    return torch.tensor([t for t, _, _ in drawn]), torch.cat([z for _, z, _ in drawn]), torch.cat([w for _, _, w in drawn])


def clean_loss(schedule: Schedule, latents: list[Tensor], noisy: Tensor, timesteps: Tensor, noise: Tensor) -> Tensor:
    """(t/T)²·L1 of the clean latent, for ε; ddpm.py of github.com/zhang-zx/SINE, loss_recon."""
    alpha = torch.tensor([schedule.alpha(int(t)) for t in timesteps], dtype=noisy.dtype).reshape(-1, 1, 1, 1)
    clean = (noisy - (1 - alpha).sqrt() * noise) / alpha.sqrt()
    return ((timesteps / 1000) ** 2 * F.l1_loss(clean, torch.cat(latents), reduction="none").mean((1, 2, 3))).mean()


def train(pipe: Pipeline, optimiser: torch.optim.Optimizer, text, schedule: Schedule, views: Views, s: Settings, first: int, steps: int, positions: Positions | None = None) -> Iterator[float]:
    """The loss before each step. text: returns the embedding [1, L, D] of all examples."""
    for k in range(steps):
        latents, grids = views(first + k)
        if positions:
            positions.grid = grids
        timesteps, noisy, wanted = examples(schedule, latents, s, first + k)
        prediction = pipe.predict(noisy, timesteps, text().expand(s.batch, -1, -1))
        loss = (prediction - wanted).square().mean()
        if s.clean_weight > 0:
            loss = loss + s.clean_weight * clean_loss(schedule, latents, noisy, timesteps, prediction)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield loss.item()


@torch.no_grad()
def sample(pipe: Pipeline, schedule: Schedule, start: Tensor, predict) -> Tensor:
    """predict(z, t): the guided prediction."""
    z = start
    for t in schedule.timesteps:
        z = schedule.denoise(z, predict(z, t), t)
    return z


def imagic(pipe: Pipeline, photo: Tensor, s: Settings) -> dict[str, Tensor]:
    """Stages A (embedding), B (U-Net) and C. `reconstruction`: last latent with e_opt; `edit`: with the mix."""
    schedule, target, null = pipe.schedule(s.steps), pipe.embed(s.target), pipe.embed("")
    views = lambda _: ([photo] * s.batch, None)
    embedding = target.clone().requires_grad_(True)
    losses = list(train(pipe, torch.optim.Adam([embedding], lr=s.embedding_rate), lambda: embedding, schedule, views, s, 0, s.embedding_steps))
    embedding = embedding.detach()
    pipe.unet.requires_grad_(True)
    losses += train(pipe, torch.optim.Adam(pipe.unet.parameters(), lr=s.tuning_rate), lambda: embedding, schedule, views, s, s.embedding_steps, s.tuning_steps)
    start = Random(s.seed).normal(photo.shape).to(photo.dtype)

    def sampled(c: Tensor) -> Tensor:
        return sample(pipe, schedule, start, lambda z, t: guided(pipe.predict(z, t, c), pipe.predict(z, t, null), s.guidance))

    mixed = s.eta * target + (1 - s.eta) * embedding
    return {"loss": torch.tensor(losses), "embedding": embedding, "reconstruction": sampled(embedding), "edit": sampled(mixed)}


def sine(pipe: Pipeline, tuned: Pipeline, photo: Tensor, s: Settings, larger: Image.Image | None = None) -> dict[str, Tensor]:
    """Tunes U-Net and text encoder of `tuned` on the photo, or on patches of the larger one, with the prompt `source`; then model-based guidance."""
    positions = Positions(tuned.unet)
    views = patch_views(tuned, larger, s) if larger else lambda _: ([photo] * s.batch, None)
    schedule, target, null = pipe.schedule(s.steps), pipe.embed(s.target), pipe.embed("")
    ids = tuned.ids([s.source])
    tuned.unet.requires_grad_(True)
    tuned.text.requires_grad_(True)
    weights = [*tuned.unet.parameters(), *tuned.text.parameters()]
    losses = list(train(tuned, torch.optim.AdamW(weights, lr=s.tuning_rate, weight_decay=0.01), lambda: tuned.text(ids).last_hidden_state, schedule, views, s, 0, s.tuning_steps, positions))
    caption = tuned.embed(s.source)
    if larger:
        height, width = (s.patches * n for n in photo.shape[2:])
        positions.grid = position_grid(tuned.unet.config.block_out_channels[0], (0, 0, width, height), tuple(photo.shape[2:]))

    def predict(z: Tensor, t: int) -> Tensor:
        conditional = pipe.predict(z, t, target)
        if t > s.tuned_above:
            conditional = s.pretrained_share * conditional + (1 - s.pretrained_share) * tuned.predict(z, t, caption)
        return guided(conditional, pipe.predict(z, t, null), s.guidance)

    start = Random(s.seed).normal(photo.shape).to(photo.dtype)
    return {"loss": torch.tensor(losses), "embedding": caption, "edit": sample(pipe, schedule, start, predict)}


def tensor_of(picture: Image.Image) -> Tensor:
    """[1, 3, H, W] in −1..1, float32."""
    raw = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).reshape(picture.height, picture.width, 3)
    return (raw.float() / 127.5 - 1).permute(2, 0, 1)[None].contiguous()


def picture_of(tensor: Tensor) -> Image.Image:
    """The picture whose `tensor_of` this is."""
    pixels = ((tensor[0] + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    return Image.frombytes("RGB", (pixels.shape[1], pixels.shape[0]), pixels.numpy().tobytes())


def run(method: str, folder: Path, dtype: torch.dtype, picture: Tensor, s: Settings, larger: Image.Image | None = None) -> tuple[Pipeline, dict[str, Tensor]]:
    pipe = Pipeline(folder, dtype)
    photo = pipe.encode(picture)
    found = imagic(pipe, photo, s) if method == "imagic" else sine(pipe, Pipeline(folder, dtype), photo, s, larger)
    return pipe, {"photo": photo, **found}


def fixtures(_: argparse.Namespace) -> None:
    common = {"target": "a brown dog sitting", "source": "a brown dog standing", "steps": 4, "guidance": 3.0, "embedding_rate": 1e-2, "tuning_rate": 1e-3}
    for name, method, s in (
        ("imagic-tiny-sd1", "imagic", Settings(**common, embedding_steps=4, tuning_steps=6)),
        ("imagic-tiny-sd2", "imagic", Settings(**common, embedding_steps=4, tuning_steps=0, batch=2)),
        ("sine-tiny-sd1", "sine", Settings(**common, tuning_steps=6)),
        ("sine-patches-tiny-sd1", "sine", Settings(**common, tuning_steps=6, batch=2, patches=2)),
    ):
        folder = FIXTURES / name[name.index("tiny") :]
        picture = uniform((1, 3, 64, 64), -1, 1, "finetuning", name)
        extra, larger = {}, None
        if s.patches:
            pixels = (uniform((128, 128, 3), 0, 256, "finetuning", name, "larger")).to(torch.uint8)
            larger = Image.frombytes("RGB", (128, 128), pixels.numpy().tobytes())
            # The first box of the first step, all of Stable Diffusion's grid, and an enlarged corner of it.
            boxes = [draw_boxes(s, 0, 16, 16)[0], (0, 0, 128, 128), (120, 3, 2, 77)]
            extra = {"larger": pixels, "boxes": torch.tensor(boxes)}
            extra |= {f"positions/{k}": position_grid(c, box, size) for k, (c, box, size) in enumerate(zip((8, 320, 64), boxes, ((16, 16), (5, 7), (9, 8))))}
        _, values = run(method, folder, torch.float64, picture, s, larger)
        values |= extra
        path = FIXTURES / f"finetuning-{name}.safetensors"
        write_tensors(path, values, {"command": "python tools/parity/finetuning.py fixtures", "computed": "float64", "settings": json.dumps(asdict(s))})
        print(f"{path.name}: {path.stat().st_size // 1024} KB, losses {[round(x, 4) for x in values['loss'].tolist()]}")


def edit(options: argparse.Namespace) -> None:
    given = vars(options)
    s = Settings(**{key: given[key] for key in Settings.__dataclass_fields__ if given[key] is not None})
    config = json.loads((options.model / "editing.json").read_text())
    with torch.enable_grad():
        larger = picture_of(read_picture(options.image, s.patches * config["size"])) if s.patches else None
        pipe, values = run(options.method, options.model, torch.float32, read_picture(options.image, config["size"]), s, larger)
    for name in ("edit", "reconstruction"):
        if name in values:
            path = options.output if name == "edit" else options.output.with_stem(f"{options.output.stem}-{name}")
            write_picture(path, pipe.decode(values[name]))
    print(json.dumps({"losses": values["loss"].tolist()}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("fixtures").set_defaults(work=fixtures)
    for method in ("imagic", "sine"):
        command = commands.add_parser(method)
        command.set_defaults(work=edit, method=method)
        for name in ("model", "image"):
            command.add_argument(f"--{name}", type=Path, required=True)
        command.add_argument("-o", "--output", type=Path, required=True)
        for name, field in Settings.__dataclass_fields__.items():
            command.add_argument(f"--{name.replace('_', '-')}", type={"str": str, "int": int, "float": float}[field.type], required=name == "target")
    options = parser.parse_args()
    options.work(options)
