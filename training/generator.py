"""The generator: a U-Net that predicts the noise in a latent, and the text encoder it listens to, trained together."""

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
FITTED_CAPTIONS = 2000


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


KEYS_AND_VALUES = ("attn2.to_k.weight", "attn2.to_v.weight")


def hears(text_encoder: CLIPTextModel, tokenizer, texts: list[str]) -> torch.Tensor:
    """Last hidden states [n, L, D]."""
    with torch.no_grad():
        return torch.cat([text_encoder(part).last_hidden_state for part in tokens.ids(tokenizer, texts).split(64)])


def translation(old: torch.Tensor, new: torch.Tensor, is_word: torch.Tensor, ridge: float = 1e-4) -> tuple[torch.Tensor, float]:
    """(M [D_old, D_new] by which M @ new is nearest to old, the share of old's variance that this explains). old: hidden
    states [n, L_old, D_old] and new: [n, L_new, D_new] of the same sentences; positions beyond L_old are to mean what the
    last one does. is_word: [n, L_new]; all the padding of a sentence counts as much as its words."""
    length = new.shape[1]
    old = torch.cat([old, old[:, -1:].expand(-1, max(0, length - old.shape[1]), -1)], 1)[:, :length]
    words = is_word.sum(1, keepdim=True).double()
    weight = torch.where(is_word, 1.0, words / (length - words)).sqrt().flatten()[:, None]
    x, y = (weight * states.double().flatten(0, 1) for states in (new, old))
    gram = x.T @ x
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    solved = torch.linalg.solve(gram, x.T @ y)
    centre = (weight * y).sum(0) / weight.square().sum()
    left = (y - x @ solved).square().sum() / (y - weight * centre).square().sum()
    return solved.T.float(), 1 - left.item()


def listening_to(unet: UNet2DConditionModel, matrix: torch.Tensor) -> UNet2DConditionModel:
    """The U-Net with keys and values of another text encoder, whose hidden states `matrix` translates into those it knew."""
    own = UNet2DConditionModel.from_config({**unet.config, "cross_attention_dim": matrix.shape[1]})
    weights = {name: w @ matrix if name.endswith(KEYS_AND_VALUES) else w for name, w in unet.state_dict().items()}
    own.load_state_dict(weights)
    return own


def start_over_tower(start: str, tower: str, captions: list[str]) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """The U-Net of a checkpoint, its keys and values translated to a tower's hidden states by least squares; the tower."""
    known, known_tokens = CLIPTextModel.from_pretrained(start, subfolder="text_encoder", torch_dtype=torch.float32), tokens.load(Path(start) / "tokenizer")
    own, own_tokens = CLIPTextModel.from_pretrained(tower, subfolder="text_encoder", torch_dtype=torch.float32), tokens.load(Path(tower) / "tokenizer")
    texts = [*dict.fromkeys(captions), *[""] * (1 + len(captions) // 20)]
    is_word = tokens.ids(own_tokens, texts) != own_tokens.pad_token_id
    matrix, explained = translation(hears(known, known_tokens, texts), hears(own, own_tokens, texts), is_word)
    print(f"generator: keys and values start from the tower's translation, which explains {explained:.1%} of the known hidden states", flush=True)
    return listening_to(UNet2DConditionModel.from_pretrained(start, subfolder="unet", torch_dtype=torch.float32), matrix), own


class Latents:
    """What `latents` has written of a data set, on the device: F16 [n, 2, C, h, w] and I16 token ids [n, 2, captions, L]."""

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
        """Adds the shards that were written since the last time."""
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
        """(latents [count, C, h, w], token ids [count, L]): the first caption often, the others else, "" now and then."""
        others = np.where(rng.random(count) < CANONICAL_SHARE, 0, rng.integers(self.tokens.shape[2], size=count))
        drawn = np.stack([self.draw(rng, count), rng.integers(2, size=count), others, rng.random(count) < EMPTY_SHARE])
        pick, side, caption, silent = torch.from_numpy(drawn).to(self.device)
        said = self.tokens[pick, side, caption].long()
        said = pad(said, (0, len(self.empty) - said.shape[1]), value=self.padding)
        said = torch.where(silent[:, None] == 1, self.empty, said)
        return self.latents[pick, side].float(), said


def noise_loss(model: Generator, latents, token_ids, alpha_bar) -> tuple[torch.Tensor, torch.Tensor]:
    """(min-SNR-weighted squared error of the noise, Hang et al. 2023; the unweighted one). Times are spread evenly over a batch."""
    count, device = len(latents), latents.device
    spread = (torch.arange(count, device=device) + torch.rand(count, device=device)) / count
    times = (spread * len(alpha_bar)).long().clamp_max(len(alpha_bar) - 1)
    kept = alpha_bar[times].view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy = (kept.sqrt() * latents + (1 - kept).sqrt() * noise).contiguous(memory_format=torch.channels_last)
    with autocast(device):
        predicted = model(noisy, times, token_ids)
    errors = (predicted.float() - noise).square().flatten(1).mean(1)
    snr = alpha_bar[times] / (1 - alpha_bar[times])
    return (errors * snr.clamp_max(SNR_LIMIT) / snr).mean(), errors.mean()


@torch.no_grad()
def sample(model: Generator, tokenizer, prompts: list[str], steps: int, guidance: float, generator: torch.Generator) -> torch.Tensor:
    """Scaled latents of the prompts by DDIM with classifier-free guidance."""
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


def train(data: str, run: str, minutes: float | None, until: str | None, batch: int = 32, rate: float = 8e-4,
          start: str | None = None, tower: str | None = None, only_keys_and_values: bool = False, sheet_every: int = 4) -> None:
    """tower: its text encoder stays as it is; without one, a text encoder is trained together with the U-Net."""
    device = pick_device()
    folder = Path(run)
    if tower:
        tokenizer = tokens.load(Path(tower) / "tokenizer")
    elif start:
        tokenizer = tokens.load(Path(start) / "tokenizer")
        unet = UNet2DConditionModel.from_pretrained(start, subfolder="unet", torch_dtype=torch.float32)
        text_encoder = CLIPTextModel.from_pretrained(start, subfolder="text_encoder", torch_dtype=torch.float32)
    else:
        tokenizer = tokens.load(folder / "tokenizer")
    latents = Latents(data, run, tokenizer, device)
    vae = AutoencoderKL.from_pretrained(folder / "vae").to(device).eval()
    if tower and start:
        unet, text_encoder = start_over_tower(start, tower, [line["captions"][0] for line in latents.lines[:FITTED_CAPTIONS]])
    elif tower:
        text_encoder = CLIPTextModel.from_pretrained(tower, subfolder="text_encoder", torch_dtype=torch.float32)
        unet = build_unet(latents.latents.shape[2], text_encoder.config.hidden_size)
    elif not start:
        torch.manual_seed(0)
        unet, text_encoder = build_unet(latents.latents.shape[2]), build_text_encoder(tokenizer)
    model = Generator(unet.to(memory_format=torch.channels_last), text_encoder).to(device).train()
    if tower:
        text_encoder.requires_grad_(False)
    if only_keys_and_values:
        for name, weight in model.named_parameters():
            weight.requires_grad_(name.endswith(KEYS_AND_VALUES))
    # On a CPU compiled code is no faster than the libraries that PyTorch calls.
    predict = torch.compile(model) if device.type == "cuda" else model
    alpha_bar = scheduler().alphas_cumprod.to(device)
    prompts = [line["captions"][0] for line in latents.lines[:SHEET_PROMPTS]]
    saves = 0

    def show(loop: Loop) -> None:
        with loop.averaged():
            pictures = to_bytes(decode(vae, sample(model, tokenizer, prompts, 20, 5.0, torch.Generator().manual_seed(1))))
            export(model, tokenizer, folder / "generator")
        save_sheet(folder / "sheets" / f"generator-{loop.steps:06d}.png", list(pictures.reshape(-1, 8, *pictures.shape[1:])))

    def at_save(loop: Loop) -> None:
        nonlocal saves
        saves += 1
        if saves % sheet_every == 0:
            show(loop)

    loop = Loop(run, "generator", model, MuonAdamW(model, rate), minutes=minutes, until=until, fall=0.35, at_save=at_save)
    while loop.goes_on():
        if loop.steps % REFRESH_STEPS == 0:
            latents.refresh()
        loss, error = noise_loss(predict, *latents.batch(loop.rng, batch), alpha_bar)
        loop.step(loss, batch, error=error)
    show(loop)


def export(model: Generator, tokenizer, folder: Path) -> None:
    model.unet.save_pretrained(folder / "unet")
    model.text_encoder.save_pretrained(folder / "text_encoder")
    tokenizer.save_pretrained(folder / "tokenizer")
