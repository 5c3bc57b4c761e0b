"""Adapts a generator to another text encoder: only the keys and values of its cross-attention are trained. This is cheap,
and a start for further training (`generator --start RUN/generator --tower RUN/tower`)."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from . import tokenizer as tokens
from .generator import SHEET_PROMPTS, Generator, Latents, check_size, hears, load_text_encoder, load_unet, scheduler, show, with_noise
from .loop import Loop, autocast, pick_device
from .optimiser import MuonAdamW

KEYS_AND_VALUES = ("attn2.to_k.weight", "attn2.to_v.weight")
FITTED_CAPTIONS = 2000


def translation(old: torch.Tensor, new: torch.Tensor, is_word: torch.Tensor, ridge: float = 1e-2) -> torch.Tensor:
    """The matrix M [D_old, D_new] for which M @ new is nearest to old. old: hidden states [n, L_old, D_old], new: hidden states
    [n, L_new, D_new] of the same captions. Positions beyond L_old should equal the last one. is_word: [n, L_new]; all the
    padding of a caption counts as much as its words. The ridge keeps M small: a large M makes the generator too sensitive."""
    length = new.shape[1]
    old = torch.cat([old, old[:, -1:].expand(-1, max(0, length - old.shape[1]), -1)], 1)[:, :length]
    words = is_word.sum(1, keepdim=True).double()
    weight = torch.where(is_word, 1.0, words / (length - words)).sqrt().flatten()[:, None]
    x, y = (weight * states.double().flatten(0, 1) for states in (new, old))
    gram = x.T @ x
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram, x.T @ y).T.float()


def listening_to(unet: UNet2DConditionModel, matrix: torch.Tensor) -> UNet2DConditionModel:
    """The U-Net with keys and values for another text encoder. `matrix` maps the new hidden states to the old ones."""
    own = UNet2DConditionModel.from_config({**unet.config, "cross_attention_dim": matrix.shape[1]})
    weights = {name: w @ matrix if name.endswith(KEYS_AND_VALUES) else w for name, w in unet.state_dict().items()}
    own.load_state_dict(weights)
    return own


def imitation_loss(model: Generator, teacher: Generator, latents, token_ids, alpha_bar) -> tuple[torch.Tensor, torch.Tensor]:
    """(min-SNR-weighted squared distance of two generators' predictions; the unweighted one). Every other picture
    gets another picture's caption. This teaches captions faster than the noise does: the target has no noise, and captions
    that contradict the picture count too."""
    noisy, times, _, weights = with_noise(latents, alpha_bar)
    exchanged = torch.arange(len(token_ids), device=token_ids.device) % 2 == 0
    token_ids = torch.where(exchanged[:, None], token_ids.roll(1, 0), token_ids)
    with autocast(latents.device):
        with torch.no_grad():
            wanted = teacher(noisy, times, token_ids[:, : teacher.text_encoder.config.max_position_embeddings])
        predicted = model(noisy, times, token_ids)
    errors = (predicted.float() - wanted.float()).square().flatten(1).mean(1)
    return (errors * weights).mean(), errors.mean()


def train(data: str, run: str, start: str, tower: str, minutes: float | None, until: str | None, batch: int = 16, rate: float = 4e-4) -> None:
    """Writes run/generator. start: checkpoint to imitate. tower: folder with the other text encoder and its tokenizer, which
    has the same vocabulary."""
    device = pick_device()
    folder, tokenizer, known_tokenizer = Path(run), tokens.load(Path(tower) / "tokenizer"), tokens.load(Path(start) / "tokenizer")
    if tokenizer.get_vocab() != known_tokenizer.get_vocab():
        raise SystemExit(f"{tower}: another vocabulary than {start}'s; both must number words alike")
    latents = Latents(data, run, tokenizer, device)
    vae = AutoencoderKL.from_pretrained(folder / "vae").to(device).eval()
    teacher, own = Generator(load_unet(start), load_text_encoder(start)), load_text_encoder(tower)
    captions = [line["captions"][0] for line in latents.lines[:FITTED_CAPTIONS]]
    texts = [*dict.fromkeys(captions), *[""] * (1 + len(captions) // 20)]
    is_word = tokens.ids(tokenizer, texts) != tokenizer.pad_token_id
    matrix = translation(hears(teacher.text_encoder, known_tokenizer, texts), hears(own, tokenizer, texts), is_word)
    model = Generator(listening_to(teacher.unet, matrix), own)
    check_size(model, vae)
    for one in (model, teacher):
        one.to(device).unet.to(memory_format=torch.channels_last)
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.endswith(KEYS_AND_VALUES))
    alpha_bar = scheduler().alphas_cumprod.to(device)
    loop = Loop(run, "translation", model.train(), MuonAdamW(model, rate), minutes=minutes, until=until, warm=30, fall=0.35)
    while loop.goes_on():
        loss, error = imitation_loss(model, teacher.eval(), *latents.batch(loop.rng, batch), alpha_bar)
        loop.step(loss, batch, error=error)
    show(loop, model, tokenizer, vae, captions[:SHEET_PROMPTS], folder)
