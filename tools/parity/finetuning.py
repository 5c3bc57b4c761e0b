"""Fine-tuning on one photo, as docs/methods.md states it: Imagic's stages A, B and C, and SINE's tuning and guidance.

    python tools/parity/finetuning.py fixtures
    python tools/parity/finetuning.py imagic --model FOLDER --image PHOTO --target SENTENCE -o OUT.png [options]
    python tools/parity/finetuning.py sine --model FOLDER --image PHOTO --target SENTENCE --source SENTENCE -o OUT.png [options]

`fixtures` writes test/fixtures/finetuning-*.safetensors from the tiny pipelines: the photo's latent (`photo`), losses of every
training step, the tuned embedding, and the last latents. The other two write the picture of a whole edit, in float32, to
compare with `baret edit` (README.md has the commands). Timesteps and noise are drawn as the engine draws them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from common import FIXTURES, uniform, write_tensors
from ddim import Schedule, guided
from pipeline import Pipeline, read_picture, write_picture

Tensor = torch.Tensor
MASK = 0xFFFFFFFF


class Random:
    """sfc32, seeded as src/core/random.ts seeds it: a stream for each training step."""

    def __init__(self, seed: int, stream: int = 0) -> None:
        self.a, self.b, self.c, self.counter = seed & MASK, seed >> 32 & MASK, stream & MASK, 1
        for _ in range(15):
            self.uint32()

    def uint32(self) -> int:
        out = (self.a + self.b + self.counter) & MASK
        self.counter = (self.counter + 1) & MASK
        self.a = self.b ^ (self.b >> 9)
        self.b = (self.c + (self.c << 3)) & MASK
        self.c = (((self.c << 21) | (self.c >> 11)) + out) & MASK
        return out

    def below(self, n: int) -> int:
        limit = 2**32 - 2**32 % n
        while (x := self.uint32()) >= limit:
            pass
        return x % n

    def normal(self, shape: torch.Size) -> Tensor:
        """float32, by the inverse of the normal distribution's function."""
        uniform_values = [(2 * ((self.uint32() >> 6) * 67108864 + (self.uint32() >> 6)) + 1) / 2**53 for _ in range(shape.numel())]
        return torch.special.ndtri(torch.tensor(uniform_values, dtype=torch.float64)).float().reshape(shape)


@dataclass
class Settings:
    """For training. source: SINE's training prompt."""

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


def examples(schedule: Schedule, photo: Tensor, s: Settings, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Timesteps [B], z_t and what the U-Net should predict for it, [B, 4, h, w], of one training step."""
    random = Random(s.training_seed, step + 1)
    drawn = []
    for _ in range(s.batch):
        t, noise = random.below(1000), random.normal(photo.shape).to(photo.dtype)
        a = schedule.alpha(t)
        wanted = noise if schedule.prediction == "epsilon" else a**0.5 * noise - (1 - a) ** 0.5 * photo
        drawn.append((t, a**0.5 * photo + (1 - a) ** 0.5 * noise, wanted))
    return torch.tensor([t for t, _, _ in drawn]), torch.cat([z for _, z, _ in drawn]), torch.cat([w for _, _, w in drawn])


def train(pipe: Pipeline, optimiser: torch.optim.Optimizer, text, schedule: Schedule, photo: Tensor, s: Settings, first: int, steps: int) -> Iterator[float]:
    """The loss before each step. text: returns the embedding [1, L, D] of all examples."""
    for k in range(steps):
        timesteps, noisy, wanted = examples(schedule, photo, s, first + k)
        loss = (pipe.predict(noisy, timesteps, text().expand(s.batch, -1, -1)) - wanted).square().mean()
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
    embedding = target.clone().requires_grad_(True)
    losses = list(train(pipe, torch.optim.Adam([embedding], lr=s.embedding_rate), lambda: embedding, schedule, photo, s, 0, s.embedding_steps))
    embedding = embedding.detach()
    pipe.unet.requires_grad_(True)
    losses += train(pipe, torch.optim.Adam(pipe.unet.parameters(), lr=s.tuning_rate), lambda: embedding, schedule, photo, s, s.embedding_steps, s.tuning_steps)
    start = Random(s.seed).normal(photo.shape).to(photo.dtype)

    def sampled(c: Tensor) -> Tensor:
        return sample(pipe, schedule, start, lambda z, t: guided(pipe.predict(z, t, c), pipe.predict(z, t, null), s.guidance))

    mixed = s.eta * target + (1 - s.eta) * embedding
    return {"loss": torch.tensor(losses), "embedding": embedding, "reconstruction": sampled(embedding), "edit": sampled(mixed)}


def sine(pipe: Pipeline, tuned: Pipeline, photo: Tensor, s: Settings) -> dict[str, Tensor]:
    """Tunes U-Net and text encoder of `tuned` on the photo with the prompt `source`; then model-based guidance."""
    schedule, target, null = pipe.schedule(s.steps), pipe.embed(s.target), pipe.embed("")
    ids = tuned.ids([s.source])
    tuned.unet.requires_grad_(True)
    tuned.text.requires_grad_(True)
    weights = [*tuned.unet.parameters(), *tuned.text.parameters()]
    losses = list(train(tuned, torch.optim.AdamW(weights, lr=s.tuning_rate, weight_decay=0.01), lambda: tuned.text(ids).last_hidden_state, schedule, photo, s, 0, s.tuning_steps))
    caption = tuned.embed(s.source)

    def predict(z: Tensor, t: int) -> Tensor:
        conditional = pipe.predict(z, t, target)
        if t > s.tuned_above:
            conditional = s.pretrained_share * conditional + (1 - s.pretrained_share) * tuned.predict(z, t, caption)
        return guided(conditional, pipe.predict(z, t, null), s.guidance)

    start = Random(s.seed).normal(photo.shape).to(photo.dtype)
    return {"loss": torch.tensor(losses), "embedding": caption, "edit": sample(pipe, schedule, start, predict)}


def run(method: str, folder: Path, dtype: torch.dtype, picture: Tensor, s: Settings) -> tuple[Pipeline, dict[str, Tensor]]:
    pipe = Pipeline(folder, dtype)
    photo = pipe.encode(picture)
    found = imagic(pipe, photo, s) if method == "imagic" else sine(pipe, Pipeline(folder, dtype), photo, s)
    return pipe, {"photo": photo, **found}


def fixtures(_: argparse.Namespace) -> None:
    common = {"target": "a brown dog sitting", "source": "a brown dog standing", "steps": 4, "guidance": 3.0, "embedding_rate": 1e-2, "tuning_rate": 1e-3}
    for name, method, s in (
        ("imagic-tiny-sd1", "imagic", Settings(**common, embedding_steps=4, tuning_steps=6)),
        ("imagic-tiny-sd2", "imagic", Settings(**common, embedding_steps=4, tuning_steps=0, batch=2)),
        ("sine-tiny-sd1", "sine", Settings(**common, tuning_steps=6)),
    ):
        folder = FIXTURES / name.split("-", 1)[1]
        picture = uniform((1, 3, 64, 64), -1, 1, "finetuning", name)
        _, values = run(method, folder, torch.float64, picture, s)
        path = FIXTURES / f"finetuning-{name}.safetensors"
        write_tensors(path, values, {"command": "python tools/parity/finetuning.py fixtures", "computed": "float64", "settings": json.dumps(asdict(s))})
        print(f"{path.name}: {path.stat().st_size // 1024} KB, losses {[round(x, 4) for x in values['loss'].tolist()]}")


def edit(options: argparse.Namespace) -> None:
    given = vars(options)
    s = Settings(**{key: given[key] for key in Settings.__dataclass_fields__ if given[key] is not None})
    config = json.loads((options.model / "editing.json").read_text())
    with torch.enable_grad():
        pipe, values = run(options.method, options.model, torch.float32, read_picture(options.image, config["size"]), s)
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
