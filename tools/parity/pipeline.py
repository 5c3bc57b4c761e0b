"""A checkpoint folder for references: text embeddings, latents, noise predictions; and whole edits as files."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
import diffusers
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer

from common import write_tensors
from ddim import Schedule

Tensor = torch.Tensor
diffusers.logging.set_verbosity_error()
transformers.logging.set_verbosity_error()
diffusers.logging.disable_progress_bar()
transformers.logging.disable_progress_bar()


class Pipeline:
    """A diffusers folder at one dtype. Latents are scaled (z = factor · mean of the VAE's posterior)."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        self.dtype = dtype
        load = {"torch_dtype": torch.float32}
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet", **load).to(dtype).eval().requires_grad_(False)
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", **load).to(dtype).eval().requires_grad_(False)
        self.text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32).to(dtype).eval().requires_grad_(False)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
        file = folder / "editing.json"
        self.editing = json.loads(file.read_text()) if file.exists() else {}

    def schedule(self, steps: int) -> Schedule:
        known = {"beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "set_alpha_to_one": False}
        for key, value in known.items():
            if self.scheduler.get(key, value) != value:
                raise ValueError(f"scheduler_config.json, {key}: {self.scheduler[key]}; this reference knows {value} only")
        return Schedule(steps, self.scheduler.get("steps_offset", 1), self.scheduler.get("prediction_type", "epsilon"), self.scheduler["beta_start"], self.scheduler["beta_end"])

    def ids(self, texts: list[str]) -> Tensor:
        return self.tokenizer(texts, padding="max_length", max_length=self.tokenizer.model_max_length, truncation=True, return_tensors="pt").input_ids

    @torch.no_grad()
    def embed(self, text: str) -> Tensor:
        """[1, L, D]"""
        return self.text(self.ids([text])).last_hidden_state

    @torch.no_grad()
    def encode(self, picture: Tensor) -> Tensor:
        """picture: [1, 3, H, W] in −1..1 → z: [1, 4, H/8, W/8]."""
        return self.vae.encode(picture.to(self.dtype)).latent_dist.mean * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Not clamped."""
        return self.vae.decode(z / self.vae.config.scaling_factor).sample

    def predict(self, z: Tensor, t: int, c: Tensor) -> Tensor:
        """The U-Net's output (ε or v). z: [B, 4, h, w], c: [B, L, D]."""
        return self.unet(z, t, c).sample


def read_picture(path: Path, size: int) -> Tensor:
    """Reads a picture, crops its centre square, and resizes it with Pillow's bicubic filter. [1, 3, size, size] in −1..1, float32."""
    picture = Image.open(path).convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    picture = picture.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BICUBIC)
    raw = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).reshape(size, size, 3)
    return (raw.float() / 127.5 - 1).permute(2, 0, 1)[None].contiguous()


def write_picture(path: Path, picture: Tensor) -> None:
    """docs/method.md: x/2 + 0.5, clamped, ×255, truncated."""
    pixels = ((picture[0] / 2 + 0.5).clamp(0, 1) * 255).to(torch.uint8).permute(1, 2, 0).contiguous()
    Image.frombytes("RGB", (pixels.shape[1], pixels.shape[0]), pixels.numpy().tobytes()).save(path)


def psnr(a: Tensor, b: Tensor) -> float:
    """PSNR of pictures in −1..1, clamped, for a range of 2."""
    error = (a.clamp(-1, 1) - b.clamp(-1, 1)).double().square().mean().item()
    return float("inf") if error == 0 else 10 * torch.log10(torch.tensor(4 / error)).item()


def dump_command(commands, work: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
    """The command `dump` of a method's program, with the options that all methods have."""
    command = commands.add_parser("dump")
    command.set_defaults(work=work)
    for name in ("model", "image"):
        command.add_argument(f"--{name}", type=Path, required=True)
    command.add_argument("--target", required=True)
    command.add_argument("--steps", type=int, default=50)
    command.add_argument("--guidance", type=float, default=7.5)
    command.add_argument("-o", "--out", type=Path, required=True)
    return command


def write_dump(options: argparse.Namespace, run: Callable[..., dict[str, Tensor]], method: str, settings) -> None:
    """One edit in float64, for methods.ts. run: gives `latents` [steps, branches, 4, h, w], the edit last, and other values."""
    pipe = Pipeline(options.model, torch.float64)
    picture = read_picture(options.image, pipe.editing["size"])
    values = run(pipe, picture.double(), settings)
    values |= {"picture": picture, "image/edit": pipe.decode(values["latents"][-1, -1:])}
    write_tensors(options.out, values, {"method": method, "settings": json.dumps(asdict(settings))})
