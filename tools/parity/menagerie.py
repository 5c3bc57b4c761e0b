"""The trained Menagerie models, part by part: diffusers and transformers against the TypeScript engine.

    python tools/parity/menagerie.py [--model checkpoints/menagerie] [--judge checkpoints/menagerie-judge] [--record]
    python tools/parity/menagerie.py --fixtures

compares tokenizer ids, text encoder, U-Net, VAE, judge, and whole pictures of 20 steps, and exits with 1 if a result is
beyond its tolerance. --record keeps the table in docs/parity-menagerie.md. --fixtures writes
test/fixtures/menagerie.safetensors instead, a small part of the same values.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from transformers import CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

import tokenizer as sentences_of_all_kinds
from common import FIXTURES, ROOT, normal, write_tensors
from compare import WORKPLACE, built, conclude, findings, provenance
from pipeline import Pipeline

sys.path.insert(0, str(ROOT))
from training.data import Shards, to_float  # noqa: E402

Tensor = torch.Tensor
DOCUMENT = ROOT / "docs" / "parity-menagerie.md"
SCENES, ODD = 48, 200
TIMESTEPS = [981, 601, 201, 21]
STEPS, GUIDANCE = 20, 5.0
PAINTED = 3
CROP = [40, 72]


def weights_of(model: Path) -> dict[str, Path]:
    return {part: model / part / "diffusion_pytorch_model.safetensors" for part in ("unet", "vae")}


def world() -> Shards:
    """Scenes with seeds that training never used, with their captions."""
    folder = WORKPLACE / "world"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([*built(), "world", "shards", "--split", "validation", "--count", str(SCENES), "--seed", "9", "--quiet", "-o", str(folder)], stdout=subprocess.DEVNULL, check=True)
    return Shards(folder)


def captions(scenes: Shards) -> list[str]:
    """Two of the first scenes for each timestep."""
    return [line["captions"][0] for line in scenes.lines[: 2 * len(TIMESTEPS)]]


def sentences(scenes: Shards) -> list[str]:
    """Every caption, then other strings that a tokenizer may get."""
    said = dict.fromkeys(text for line in scenes.lines for text in line["captions"])
    rng = random.Random("menagerie")
    odd = [sentences_of_all_kinds.sentence(rng) for _ in range(ODD)]
    return [*said, "", *odd]


def bytes_of(pictures: Tensor) -> Tensor:
    """[n, 3, H, W] in −1..1 → U8 [n, H, W, 3], rounded down (docs/method.md)."""
    return ((pictures.float() / 2 + 0.5).clamp(0, 1) * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@torch.no_grad()
def model_references(folder: Path, scenes: Shards) -> dict[str, Tensor]:
    """Names are explained in README.md."""
    pipe = Pipeline(folder, torch.float64)
    prompts = captions(scenes)
    context = torch.cat([pipe.embed(text) for text in prompts])
    shown = torch.from_numpy(np.stack([scenes.picture(i) for i in range(len(prompts))]))
    latent = torch.cat([pipe.encode(to_float(picture[None].numpy()).double()) for picture in shown])
    out = {"ids": pipe.ids(sentences(scenes)), "hidden": context, "shown": shown, "latent": latent, "decoded": pipe.decode(latent)}
    schedule = pipe.schedule(STEPS)
    noisy, eps = [], []
    for k, t in enumerate(TIMESTEPS):
        rows = slice(2 * k, 2 * k + 2)
        a = schedule.alpha(t)
        noisy.append((a**0.5 * latent[rows] + (1 - a) ** 0.5 * normal(latent[rows].shape, "menagerie", t)).float())
        eps.append(pipe.predict(noisy[-1].double(), t, context[rows]))
    out |= {"timesteps": torch.tensor(TIMESTEPS), "noisy": torch.stack(noisy), "eps": torch.stack(eps)}
    return out | paint(folder, prompts[:PAINTED], latent.shape[1:])


def paint(folder: Path, prompts: list[str], shape: torch.Size) -> dict[str, Tensor]:
    """Samples pictures from noise with diffusers' own pipeline."""
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, dtype=torch.float32).to(torch.float64)
    pipe.set_progress_bar_config(disable=True)
    noise = normal((len(prompts), *shape), "menagerie", "noise")
    latents = pipe(prompts, num_inference_steps=STEPS, guidance_scale=GUIDANCE, latents=noise.clone(), output_type="latent").images
    return {"painted/noise": noise, "painted/latents": latents, "painted/pictures": bytes_of(pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample)}


def odd_picture(scenes: Shards) -> np.ndarray:
    """Four scenes, slightly cropped: twice as large as needed, and not square."""
    rows = [np.concatenate([scenes.picture(i), scenes.picture(i + 1)], axis=1) for i in (0, 2)]
    return np.ascontiguousarray(np.concatenate(rows)[:-30])


@torch.no_grad()
def judge_references(folder: Path, scenes: Shards) -> tuple[dict[str, Tensor], list[dict[str, str]]]:
    """Embeddings of pictures and prompts, and the judge's attributes of each picture with their probabilities."""
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).double().eval()
    tokenizer, processor = CLIPTokenizer.from_pretrained(folder), CLIPImageProcessorPil.from_pretrained(folder)
    prompts: dict[str, dict[str, str]] = json.loads((folder / "attributes.json").read_text())
    rows = lambda texts: tokenizer(texts, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt").input_ids
    odd = odd_picture(scenes)
    shown = [*(scenes.picture(i) for i in range(len(scenes))), odd]
    texts = sentences(scenes)
    said = rows([text for values in prompts.values() for text in values.values()])
    found = model(input_ids=said, pixel_values=processor([Image.fromarray(x) for x in shown], return_tensors="pt").pixel_values.double())
    logits = found.logits_per_image.split([len(values) for values in prompts.values()], dim=1)
    out = {f"judge/probabilities/{attribute}": own.softmax(1) for attribute, own in zip(prompts, logits)}
    names = [{attribute: list(prompts[attribute])[own[i].argmax()] for attribute, own in zip(prompts, logits)} for i in range(len(shown))]
    out |= {"judge/ids": rows(texts), "judge/shown": torch.from_numpy(np.stack(shown[:-1])), "judge/odd": torch.from_numpy(odd)[None]}
    return out | {"judge/pictures": found.image_embeds, "judge/prompts": found.text_embeds, "judge/scale": model.logit_scale.exp()}, names


def png(picture: Tensor) -> Tensor:
    """U8 [H, W, 3] → the bytes of a PNG."""
    file = io.BytesIO()
    Image.fromarray(picture.numpy()).save(file, "PNG", optimize=True)
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)


def write_fixtures(values: dict[str, Tensor], said: dict, count: int = 3) -> None:
    """A small part of the references, for test/diffusion/menagerie.test.ts."""
    last = len(TIMESTEPS) - 1
    texts = said["sentences"]
    kept = [*range(8), *range(len(texts) - 8, len(texts))]
    low, high = CROP
    out = {
        "ids": values["ids"][kept], "hidden": values["hidden"][2 * last : 2 * last + 1], "timestep": values["timesteps"][last:],
        "noisy": values["noisy"][last, :1], "eps": values["eps"][last, :1], "latent": values["latent"][:1],
        "decoded": values["decoded"][:1, :, low:high, low:high],
    }
    out |= {f"png{i}": png(values["judge/shown"][i]) for i in range(count)}
    out |= {key.removeprefix("judge/"): value[:count] for key, value in values.items() if key.startswith("judge/probabilities/")}
    notes = {"sentences": [texts[i] for i in kept], "caption": said["captions"][2 * last], "names": said["names"][:count], "crop": CROP}
    path = FIXTURES / "menagerie.safetensors"
    write_tensors(path, out, {"command": "python tools/parity/menagerie.py --fixtures", "computed": "float64", **{key: json.dumps(note) for key, note in notes.items()}})
    print(f"{path.name}: {path.stat().st_size // 1024} KB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "checkpoints" / "menagerie")
    parser.add_argument("--judge", type=Path, default=ROOT / "checkpoints" / "menagerie-judge")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--fixtures", action="store_true")
    options = parser.parse_args()
    scenes = world()
    of_judge, names = judge_references(options.judge, scenes)
    values = model_references(options.model, scenes) | of_judge
    said = {"sentences": sentences(scenes), "captions": captions(scenes), "names": names, "guidance": GUIDANCE, "steps": STEPS}
    if options.fixtures:
        write_fixtures(values, said)
        return 0
    references = WORKPLACE / "menagerie.safetensors"
    write_tensors(references, values, {key: json.dumps(value) for key, value in said.items()})
    rows = findings("menagerie.ts", options.model, options.judge, references, WORKPLACE / "expanded")
    said = provenance(**weights_of(options.model), judge=options.judge / "model.safetensors")
    return conclude("menagerie.py", rows, said, DOCUMENT if options.record else None)


if __name__ == "__main__":
    sys.exit(main())
