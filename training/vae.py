"""The autoencoder, picture [3, 128, 128] <-> latent [C, 16, 16], and the latents of a data set."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors import safe_open
from safetensors.torch import save_file

from . import tokenizer as tokens
from .data import Shards, complete_shards, no_shards, psnr, read_lines, save_sheet, to_bytes, to_float
from .loop import Loop, autocast, pick_device
from .optimiser import MuonAdamW

CHANNELS = (24, 48, 96, 128)
LATENT_CHANNELS = 8
CROP = 64
WHOLE_PICTURES_FROM = 0.8
REFRESH_STEPS = 100


def build(channels=CHANNELS, latent_channels=LATENT_CHANNELS) -> AutoencoderKL:
    """Few channels at high resolution, many at low resolution: best quality per operation."""
    return AutoencoderKL(
        3, 3, ("DownEncoderBlock2D",) * 4, ("UpDecoderBlock2D",) * 4, channels, layers_per_block=1,
        latent_channels=latent_channels, norm_num_groups=8, sample_size=128,
    ).to(memory_format=torch.channels_last)


def crops(data: Shards, rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Cuts random windows, half of them mirrored: U8 [count, size, size, 3]."""
    out = np.empty((count, size, size, 3), np.uint8)
    for slot in out:
        picture = data.picture(rng.integers(len(data)))
        top, left = (rng.integers(0, side - size + 1) for side in picture.shape[:2])
        window = picture[top : top + size, left : left + size]
        slot[:] = window[:, ::-1] if rng.random() < 0.5 else window
    return out


def edges(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def reconstruction_loss(model: AutoencoderKL, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(L1 + 2 MSE + 0.5 L1 of the gradients + 1e-4 KL, the batch's PSNR)."""
    with autocast(x.device):
        posterior = model.encode(x).latent_dist
        y = model.decode(posterior.sample()).sample
    y = y.float()
    gradients = sum((a - b).abs().mean() for a, b in zip(edges(x), edges(y)))
    kl = posterior.kl().float().mean() / posterior.mean[0].numel()
    squared = (x - y).square().mean()
    loss = (x - y).abs().mean() + 2 * squared + 0.5 * gradients + 1e-4 * kl
    return loss, 10 * torch.log10(4 / squared)


@torch.no_grad()
def reconstruct(model: AutoencoderKL, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([model.decode(model.encode(part).latent_dist.mean).sample.float() for part in x.split(16)])


def held_out_psnr(model: AutoencoderKL, data: Shards, count: int, sheet: Path | None = None) -> float:
    x = data.pictures(range(min(count, len(data)))).to(next(model.parameters()).device)
    y = reconstruct(model, x)
    if sheet:
        save_sheet(sheet, [to_bytes(part[:12]) for part in (x, y)])
    return psnr(x, y).mean().item()


def train(data: str, run: str, validation: str | None, minutes: float | None, until: str | None,
          batch: int = 12, rate: float = 1e-3, start: str | None = None) -> None:
    device = pick_device()
    model = (AutoencoderKL.from_pretrained(start, subfolder="vae", torch_dtype=torch.float32) if start else build()).to(device)
    model.train()
    shards = Shards(data)
    held_out = Shards(validation) if validation else None

    def at_save(loop: Loop) -> None:
        if held_out:
            with loop.averaged():
                quality = held_out_psnr(model, held_out, 48, Path(run) / "sheets" / "vae.png")
            print(f"vae: held-out PSNR {quality:.2f} dB, {len(shards)} pictures", flush=True)

    loop = Loop(run, "vae", model, MuonAdamW(model, rate), minutes=minutes, until=until, warm=50, at_save=at_save)
    while loop.goes_on():
        if loop.steps % REFRESH_STEPS == 0:
            shards.refresh()
        whole = loop.progress > WHOLE_PICTURES_FROM
        size = shards.picture(0).shape[0]
        count = max(2, batch // 4) if whole else batch
        x = to_float(crops(shards, loop.rng, count, size if whole else min(CROP, size)), device)
        loss, quality = reconstruction_loss(model, x)
        loop.step(loss, count, psnr=quality)
    with loop.averaged():
        model.save_pretrained(Path(run) / "vae")
        if held_out:
            print(f"vae: held-out PSNR {held_out_psnr(model, held_out, 200, Path(run) / 'sheets' / 'vae.png'):.2f} dB", flush=True)


def weights_hash(folder: Path) -> str:
    """Tells the weights of one autoencoder from those of another."""
    return hashlib.sha256((folder / "diffusion_pytorch_model.safetensors").read_bytes()).hexdigest()


def belong_to(note: Path, key: str, otherwise: str) -> None:
    """Stops with a message if a note beside files says that they belong to something else; writes the note if there is none."""
    if note.exists() and note.read_text() != key:
        raise SystemExit(otherwise)
    note.write_text(key)


@torch.no_grad()
def write_latents(data: str, run: str, share: tuple[int, int] = (0, 1)) -> None:
    """Encodes each shard once, with its mirror image and its captions. Writes run/latents/NNNNN.safetensors: "latents" F16
    [n, 2, C, h, w], times the scaling factor, and "tokens" I16 [n, 2, captions, L]. The factor (1 / standard deviation of
    the first shard) goes into the VAE's config. Finished shards are kept. Stops if they are those of another VAE. share (k, n): only every nth shard, from the kth."""
    device = pick_device()
    folder = Path(run) / "vae"
    model = AutoencoderKL.from_pretrained(folder).to(device, memory_format=torch.channels_last).eval()
    tokenizer = tokens.load(Path(run) / "tokenizer")
    out = Path(run) / "latents"
    out.mkdir(parents=True, exist_ok=True)
    shards = complete_shards(Path(data))
    if not shards:
        raise no_shards(Path(data))

    def encoded(shard: Path) -> torch.Tensor:
        with safe_open(shard, "np") as file:
            images = file.get_tensor("images")
        parts = []
        for at in range(0, len(images), 32):
            part = to_float(images[at : at + 32], device)
            with autocast(device):
                parts.append(torch.stack([model.encode(p).latent_dist.mean.float().cpu() for p in (part, part.flip(-1))], 1))
        return torch.cat(parts)

    belong_to(out / "vae.txt", weights_hash(folder), f"{out}: latents of another autoencoder than {folder}; remove that folder to encode anew")
    known = out / "scale.txt"
    if not known.exists():
        known.write_text(str(1 / encoded(shards[0]).std().item()))
    scale = float(known.read_text())
    if model.config.scaling_factor != scale:
        model.register_to_config(scaling_factor=scale)
        model.save_pretrained(folder)
    for shard in shards[share[0] :: share[1]]:
        if (out / shard.name).exists():
            continue
        latents = (encoded(shard) * scale).half().contiguous()
        sentences = tokens.of_captions(tokenizer, [line["captions"] for line in read_lines(shard)])
        partial = out / f"{shard.name}.partial"
        save_file({"latents": latents, "tokens": sentences}, partial)
        partial.rename(out / shard.name)
        print(f"latents: {shard.name}, {len(latents)} pictures, scale {scale:.4f}", flush=True)
