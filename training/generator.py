"""The generator: a U-Net that predicts the noise in a latent, and its text encoder, trained together."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from torch.nn.functional import pad
from transformers import CLIPTextConfig, CLIPTextModel

from . import tokenizer as tokens
from .data import Draw, read_lines, save_sheet, to_bytes
from .loop import Loop, autocast, pick_device
from .optimiser import MuonAdamW

CHANNELS = (64, 160, 224)
TEXT_WIDTH = 128
EMPTY_SHARE = 0.1
CANONICAL_SHARE = 0.4
SNR_LIMIT = 5.0
RARE_WEIGHT, PORTRAITS = 2.0, 0.14
REFRESH_STEPS = 200
# Bytes of both exported folders, and of their judge, tokenizers, card and sheet.
LIMIT, BESIDE = 48_000_000, 7_300_000


def build_unet(latent_channels: int, text_width: int = TEXT_WIDTH, channels=CHANNELS) -> UNet2DConditionModel:
    """attention_head_dim is the number of heads, as in SD1's config."""
    return UNet2DConditionModel(
        sample_size=16, in_channels=latent_channels, out_channels=latent_channels,
        down_block_types=("CrossAttnDownBlock2D",) * 3, up_block_types=("CrossAttnUpBlock2D",) * 3,
        block_out_channels=channels, layers_per_block=1, cross_attention_dim=text_width, attention_head_dim=4,
        norm_num_groups=16,
    ).to(memory_format=torch.channels_last)


def build_text_encoder(tokenizer) -> CLIPTextModel:
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=TEXT_WIDTH, intermediate_size=4 * TEXT_WIDTH, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=tokenizer.model_max_length, projection_dim=TEXT_WIDTH,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id))


def load_unet(folder: str | Path) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=torch.float32)


def load_text_encoder(folder: str | Path) -> CLIPTextModel:
    return CLIPTextModel.from_pretrained(folder, subfolder="text_encoder", torch_dtype=torch.float32)


def scheduler() -> DDIMScheduler:
    """SD1.5's noise schedule."""
    return DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000,
                         steps_offset=1, clip_sample=False, set_alpha_to_one=False)


class Generator(torch.nn.Module):
    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel):
        super().__init__()
        self.unet, self.text_encoder = unet, text_encoder

    def forward(self, noisy, times, token_ids):
        context = self.text_encoder(token_ids).last_hidden_state
        return self.unet(noisy, times, context).sample


def check_size(*parts: torch.nn.Module) -> None:
    """Stops if the parts of a model do not fit into an export, before they are trained."""
    size = sum(2 * w.numel() for part in parts for w in part.parameters())
    if size > LIMIT - BESIDE:
        raise SystemExit(f"U-Net, text encoder and autoencoder take {size / 1e6:.1f} MB in fp16, expected at most {(LIMIT - BESIDE) / 1e6:.1f} "
                         f"beside the judge. Make the text encoder narrower: `training tower --width`")


def hears(text_encoder: CLIPTextModel, tokenizer, texts: list[str]) -> torch.Tensor:
    """Last hidden states [n, L, D]."""
    ids = tokens.ids(tokenizer, texts).to(text_encoder.device)
    with torch.no_grad():
        return torch.cat([text_encoder(part).last_hidden_state for part in ids.split(64)])


class Latents:
    """The files that `latents` has written for a data set, on the device: F16 [n, 2, C, h, w] and I16 token ids [n, 2, captions, L]."""

    def __init__(self, data: str, run: str, tokenizer, device: torch.device):
        self.data, self.folder, self.device = Path(data), Path(run) / "latents", device
        self.known: set[Path] = set()
        self.lines: list[dict] = []
        self.latents = self.tokens = None
        self.empty = tokens.ids(tokenizer, [""])[0].to(device)
        self.padding = tokenizer.pad_token_id
        self.refresh()
        if self.latents is None:
            raise SystemExit(f"{self.folder}: no latents of {data}; make them with `python -m training latents`")

    def refresh(self) -> None:
        """Adds the shards that were written since the last call."""
        new = [shard for shard in sorted(self.folder.glob("*.safetensors")) if shard not in self.known]
        if not new:
            return
        kept = [] if self.latents is None else [{"latents": self.latents, "tokens": self.tokens}]
        files = kept + [load_file(shard, device=str(self.device)) for shard in new]
        self.latents, self.tokens = (torch.cat([file[name] for file in files]) for name in ("latents", "tokens"))
        for shard in new:
            self.lines += read_lines(self.data / shard.name)
        self.known.update(new)
        self.draw = Draw(self.lines, RARE_WEIGHT, PORTRAITS)

    def batch(self, rng: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(latents [count, C, h, w], token ids [count, L]): often the first caption, otherwise another one, sometimes ""."""
        others = np.where(rng.random(count) < CANONICAL_SHARE, 0, rng.integers(self.tokens.shape[2], size=count))
        drawn = np.stack([self.draw(rng, count), rng.integers(2, size=count), others, rng.random(count) < EMPTY_SHARE])
        pick, side, caption, silent = torch.from_numpy(drawn).to(self.device)
        said = self.tokens[pick, side, caption].long()
        said = pad(said, (0, len(self.empty) - said.shape[1]), value=self.padding)
        said = torch.where(silent[:, None] == 1, self.empty, said)
        return self.latents[pick, side].float(), said


def with_noise(latents, alpha_bar) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(noisy latents, their timesteps, the noise, each one's min-SNR weight, Hang et al. 2023). Timesteps are spread evenly over a batch."""
    count, device = len(latents), latents.device
    spread = (torch.arange(count, device=device) + torch.rand(count, device=device)) / count
    times = (spread * len(alpha_bar)).long().clamp_max(len(alpha_bar) - 1)
    kept = alpha_bar[times].view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy = (kept.sqrt() * latents + (1 - kept).sqrt() * noise).contiguous(memory_format=torch.channels_last)
    snr = alpha_bar[times] / (1 - alpha_bar[times])
    return noisy, times, noise, snr.clamp_max(SNR_LIMIT) / snr


def noise_loss(model: Generator, latents, token_ids, alpha_bar) -> tuple[torch.Tensor, torch.Tensor]:
    """(min-SNR-weighted squared error of the noise; the unweighted one)."""
    noisy, times, noise, weights = with_noise(latents, alpha_bar)
    with autocast(latents.device):
        predicted = model(noisy, times, token_ids)
    errors = (predicted.float() - noise).square().flatten(1).mean(1)
    return (errors * weights).mean(), errors.mean()


@torch.no_grad()
def sample(model: Generator, tokenizer, prompts: list[str], steps: int, guidance: float, generator: torch.Generator) -> torch.Tensor:
    """Samples scaled latents of the prompts by DDIM with classifier-free guidance."""
    device = next(model.parameters()).device
    shape = (len(prompts), model.unet.config.in_channels, model.unet.config.sample_size, model.unet.config.sample_size)
    x = torch.randn(shape, generator=generator).to(device)
    context = model.text_encoder(tokens.ids(tokenizer, [""] * len(prompts) + prompts).to(device)).last_hidden_state
    schedule = scheduler()
    schedule.set_timesteps(steps)
    for time in schedule.timesteps:
        pair = torch.cat([x, x]).contiguous(memory_format=torch.channels_last)
        empty, said = model.unet(pair, time, context).sample.float().chunk(2)
        x = schedule.step(empty + guidance * (said - empty), time, x).prev_sample
    return x


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: torch.Tensor) -> torch.Tensor:
    return torch.cat([vae.decode(part / vae.config.scaling_factor).sample.float() for part in latents.split(16)])


SHEET_PROMPTS = 16


def show(loop: Loop, model: Generator, tokenizer, vae: AutoencoderKL, prompts: list[str], folder: Path) -> None:
    """Writes the averaged weights to folder/generator, and pictures sampled with them to folder/sheets."""
    with loop.averaged():
        pictures = to_bytes(decode(vae, sample(model, tokenizer, prompts, 20, 5.0, torch.Generator().manual_seed(1))))
        export(model, tokenizer, folder / "generator")
    save_sheet(folder / "sheets" / f"{loop.name}-{loop.steps:06d}.png", list(pictures.reshape(-1, 8, *pictures.shape[1:])))


def train(data: str, run: str, minutes: float | None, until: str | None, batch: int = 32, rate: float = 8e-4,
          start: str | None = None, tower: str | None = None, sheet_every: int = 4) -> None:
    """tower: folder with a text encoder, which stays frozen. Without it, a text encoder is trained together with the U-Net."""
    device = pick_device()
    folder = Path(run)
    tokenizer = tokens.load(Path(tower or start) / "tokenizer" if tower or start else folder / "tokenizer")
    latents = Latents(data, run, tokenizer, device)
    vae = AutoencoderKL.from_pretrained(folder / "vae").to(device).eval()
    torch.manual_seed(0)
    text_encoder = load_text_encoder(tower or start) if tower or start else build_text_encoder(tokenizer)
    unet = load_unet(start) if start else build_unet(latents.latents.shape[2], text_encoder.config.hidden_size)
    check_size(unet, text_encoder, vae)
    text_encoder.requires_grad_(not tower)
    model = Generator(unet.to(memory_format=torch.channels_last), text_encoder).to(device).train()
    # On a CPU, compiled code is no faster than the libraries that PyTorch calls.
    predict = torch.compile(model) if device.type == "cuda" else model
    alpha_bar = scheduler().alphas_cumprod.to(device)
    prompts = [line["captions"][0] for line in latents.lines[:SHEET_PROMPTS]]
    saves = 0

    def at_save(loop: Loop) -> None:
        nonlocal saves
        saves += 1
        if saves % sheet_every == 0:
            show(loop, model, tokenizer, vae, prompts, folder)

    loop = Loop(run, "generator", model, MuonAdamW(model, rate), minutes=minutes, until=until, fall=0.35, at_save=at_save)
    while loop.goes_on():
        if loop.steps % REFRESH_STEPS == 0:
            latents.refresh()
        loss, error = noise_loss(predict, *latents.batch(loop.rng, batch), alpha_bar)
        loop.step(loss, batch, error=error)
    show(loop, model, tokenizer, vae, prompts, folder)


def export(model: Generator, tokenizer, folder: Path) -> None:
    model.unet.save_pretrained(folder / "unet")
    model.text_encoder.save_pretrained(folder / "text_encoder")
    tokenizer.save_pretrained(folder / "tokenizer")
