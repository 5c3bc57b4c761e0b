"""MasaCtrl, written from the paper's algorithm as docs/methods.md states it: DDIM inversion, then source and edit in lock-step.

    python tools/parity/masactrl.py fixtures
    python tools/parity/masactrl.py dump --model FOLDER --image PHOTO --target PROMPT --step 4 --layer 10 -o OUT.safetensors

`fixtures` writes test/fixtures/masactrl-*.safetensors from the tiny pipelines: z* (`inverted`) and the latents of both branches
(`latents`, [N + 1, 2, 4, h, w], the source first), noisiest first. masactrl-masks-* also holds the two masks, [h, w] of 0 and 1.
`dump` runs one edit for methods.ts.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace

import torch

from attention import Rows, install
from baret import ddim_inversion
from common import FIXTURES, uniform, write_tensors
from ddim import Schedule, guided
from pipeline import Pipeline, dump_command, write_dump

Tensor = torch.Tensor


@dataclass
class Settings:
    """step: S; layer: L, counted over the self-attention layers as they run; source: prompt of inversion and source branch.

    source_word, target_word: a word of each prompt. The masks of step i mark the places whose attention to it, averaged over the
    steps before, the heads and the layers, is at least `threshold` of the range from its lowest to its highest value.
    """

    target: str
    source: str
    steps: int = 50
    guidance: float = 7.5
    step: int = 4
    layer: int = 10
    reference_latents: bool = False
    source_word: str = ""
    target_word: str = ""
    threshold: float = 0.1


Masks = tuple[Tensor, Tensor]


def tokens_of(pipe: Pipeline, prompt: str, word: str) -> list[int]:
    """Positions of a word of one or more tokens that stands in the prompt once."""
    [row], own = pipe.ids([prompt]).tolist(), pipe.tokenizer(word, add_special_tokens=False).input_ids
    [start] = [k for k in range(len(row)) if row[k : k + len(own)] == own]
    return list(range(start, start + len(own)))


def marked(maps: list[Tensor], tokens: list[int], threshold: float) -> Tensor:
    """maps: [heads, places, L] of square layers of one size → [h, w] of 0 and 1."""
    heat = torch.stack([one.mean(0) for one in maps]).mean(0)[:, tokens].sum(-1)
    heat = (heat - heat.min()) / (heat.max() - heat.min())
    side = int(len(heat) ** 0.5)
    return (heat >= threshold).to(heat.dtype).reshape(side, side)


@torch.no_grad()
def edit(pipe: Pipeline, schedule: Schedule, inverted: Tensor, source: Tensor, target: Tensor, null: Tensor, s: Settings, masks: Masks | None = None) -> Tensor:
    """Latents of the source and the edit, [N + 1, 2, 4, h, w]. Batch: both null predictions, then both conditional ones.

    masks: of the source's keys and the edit's queries.
    """
    rows_of_source = torch.tensor([0, 0, 2, 2])
    at = {"step": 0, "layer": 0, "masks": masks}
    maps: dict[str, Tensor] = {}
    seen: tuple[list[Tensor], list[Tensor]] = ([], [])

    def rows(_path: str, is_cross: bool, _tokens: int) -> Rows:
        if is_cross:
            return Rows()
        layer, at["layer"] = at["layer"], at["layer"] + 1
        if at["step"] < s.step or layer < s.layer:
            return Rows()
        return Rows(None, rows_of_source, rows_of_source, at["masks"], (1, 3) if at["masks"] else ())

    paths = install(pipe.unet, rows, maps)
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
        if s.source_word:
            # The authors' 16² is the Menagerie's finest size. The tiny pipelines have none as fine.
            finest = max(maps[path].shape[1] for path in paths if "attn2" in path)
            for k, row in enumerate((2, 3)):
                seen[k].extend(m.unflatten(0, (4, -1))[row] for path in paths if "attn2" in path for m in [maps[path]] if m.shape[1] == finest)
            words = (tokens_of(pipe, s.source, s.source_word), tokens_of(pipe, s.target, s.target_word))
            at["masks"] = tuple(marked(seen[k], words[k], s.threshold) for k in (0, 1))
    assert at["layer"] > s.layer, f"the U-Net has {at['layer']} self-attention layers"
    return torch.stack(latents)


def run(pipe: Pipeline, picture: Tensor, s: Settings, masks: Masks | None = None) -> dict[str, Tensor]:
    """Inversion and edit, noisiest first."""
    install(pipe.unet)
    schedule, source, target, null = pipe.schedule(s.steps), pipe.embed(s.source), pipe.embed(s.target), pipe.embed("")
    inverted = ddim_inversion(pipe, schedule, pipe.encode(picture), source)
    return {"inverted": inverted, "latents": edit(pipe, schedule, inverted, source, target, null, s, masks)}


def fixtures(_: argparse.Namespace) -> None:
    sitting, lying = Settings("a brown dog sitting", "", steps=4, guidance=3.0), Settings("a white cat lying down", "a white cat standing", steps=4, guidance=3.0)
    cases = (
        ("tiny-sd1", "", replace(sitting, step=1, layer=10)),
        ("tiny-sd2", "", replace(lying, step=2, layer=3, reference_latents=True)),
        ("tiny-sd1", "masks-", replace(sitting, step=1, layer=0)),
        ("tiny-sd2", "words-", replace(lying, step=1, layer=0, source_word="cat", target_word="lying down", threshold=0.4)),
    )
    for name, kind, s in cases:
        # 12 x 12: neither a multiple of the latent's 8 x 8 nor a part of it.
        masks = tuple((uniform((12, 12), 0, 1, "masactrl", of) > 0.5).double() for of in ("keys", "queries")) if kind == "masks-" else None
        values = run(Pipeline(FIXTURES / name, torch.float64), uniform((1, 3, 64, 64), -1, 1, "masactrl", name), s, masks)
        path = FIXTURES / f"masactrl-{kind}{name}.safetensors"
        named = dict(zip(("keys", "queries"), masks)) if masks else {}
        write_tensors(path, values | named, {"command": "python tools/parity/masactrl.py fixtures", "computed": "float64", "settings": json.dumps(asdict(s))})
        print(f"{path.name}: {path.stat().st_size // 1024} KB")


def dump(options: argparse.Namespace) -> None:
    names = ("target", "source", "steps", "guidance", "step", "layer", "reference_latents", "source_word", "target_word", "threshold")
    write_dump(options, run, "masactrl", Settings(**{name: getattr(options, name) for name in names}))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("fixtures").set_defaults(work=fixtures)
    dumping = dump_command(commands, dump)
    dumping.add_argument("--source", default="")
    dumping.add_argument("--step", type=int, default=4)
    dumping.add_argument("--layer", type=int, default=10)
    dumping.add_argument("--reference-latents", action="store_true")
    for name in ("source-word", "target-word"):
        dumping.add_argument(f"--{name}", default="")
    dumping.add_argument("--threshold", type=float, default=0.1)
    options = parser.parse_args(arguments)
    options.work(options)


if __name__ == "__main__":
    main()
