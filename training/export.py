"""Writes a run's averaged weights as fp16 folders that diffusers and transformers load as they are, and restores a run from them."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPModel, CLIPTextModel

from . import tokenizer as tokens
from .data import edition_of
from .generator import LIMIT, scheduler

MODEL_INDEX = {
    "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.1",
    "vae": ["diffusers", "AutoencoderKL"], "unet": ["diffusers", "UNet2DConditionModel"],
    "scheduler": ["diffusers", "DDIMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"], "safety_checker": [None, None], "feature_extractor": [None, None],
    "image_encoder": [None, None], "requires_safety_checker": False,
}
COMMITTED = Path("checkpoints/menagerie/editing.json")
PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 128}, "resample": 3,
    "do_center_crop": True, "crop_size": {"height": 128, "width": 128}, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_convert_rgb": True,
}


def write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def copy_tokenizer(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copyfile(source / name, folder / name)


def editing(known: Path, edition: int) -> dict:
    """editing.json of a model that replaces `known`, or else the committed model: its settings, with this edition of the world.
    They were found for other weights; training/README.md says how to find them anew."""
    return {**json.loads((known if known.exists() else COMMITTED).read_text()), "edition": edition}


def export(run: Path, data: Path, out: Path) -> None:
    """run: folder with the stages' results. data: folder of the shards that it was trained on. out: folder that gets menagerie/
    and menagerie-judge/, as far as the run has trained them. The settings in editing.json stay as they are."""
    edition, model = edition_of(data), out / "menagerie"
    for part, kind in (("unet", UNet2DConditionModel), ("text_encoder", CLIPTextModel)):
        if not (run / "generator").exists():
            continue
        kind.from_pretrained(run / "generator" / part, torch_dtype=torch.float16).save_pretrained(model / part)
    AutoencoderKL.from_pretrained(run / "vae", torch_dtype=torch.float16).save_pretrained(model / "vae")
    scheduler().save_pretrained(model / "scheduler")
    copy_tokenizer(run / "tokenizer", model / "tokenizer")
    write_json(model / "model_index.json", MODEL_INDEX)
    write_json(model / "editing.json", editing(model / "editing.json", edition))
    write_json(model / "words.json", tokens.learnt_words(run / "tokenizer", tokens.world_words()))
    if (run / "judge").exists():
        judge = out / "menagerie-judge"
        CLIPModel.from_pretrained(run / "judge", torch_dtype=torch.float16).save_pretrained(judge)
        copy_tokenizer(run / "tokenizer", judge)
        write_json(judge / "preprocessor_config.json", PREPROCESSOR)
        shutil.copyfile(run / "judge" / "attributes.json", judge / "attributes.json")
        # These weights of layers belong to the judge before this one: `npm run bench -- perceptual --write`.
        (judge / "perceptual.json").unlink(missing_ok=True)
    size = sum(f.stat().st_size for folder in ("menagerie", "menagerie-judge") for f in (out / folder).rglob("*") if f.is_file())
    tokens.load(model / "tokenizer")
    print(f"export: {out}, edition {edition}, {size / 1e6:.1f} MB", flush=True)
    if size > LIMIT:
        raise SystemExit(f"export: {size / 1e6:.1f} MB, allowed are {LIMIT / 1e6:.0f}")


def restore(checkpoints: Path, run: Path) -> None:
    """Restores a run's autoencoder, scaling factor and tokenizer from the checkpoints, on a machine that does not have the run.
    Then `latents` encodes as before, and generator and judge can start from the committed weights with `--start`."""
    model = checkpoints / "menagerie"
    vae = AutoencoderKL.from_pretrained(model, subfolder="vae", torch_dtype=torch.float32)
    vae.save_pretrained(run / "vae")
    (run / "latents").mkdir(parents=True, exist_ok=True)
    (run / "latents" / "scale.txt").write_text(str(vae.config.scaling_factor))
    copy_tokenizer(model / "tokenizer", run / "tokenizer")
    print(f"restore: {run}", flush=True)
