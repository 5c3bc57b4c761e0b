"""The tower: a text encoder trained as in CLIP, on captions and renders with a small vision tower of its own, then frozen.
A generator can use it. It shares code with the judge, but neither weights nor a training run."""

import math
from pathlib import Path

import torch
from transformers import CLIPModel, CLIPTextConfig, CLIPTextModel

from . import judge
from . import tokenizer as tokens
from .loop import Loop, autocast, pick_device
from .optimiser import MuonAdamW

VISION = dict(vision_width=128, vision_layers=4)
FIRST_SCALE = 10.0


def build(tokenizer, width: int) -> CLIPModel:
    model = judge.build(tokenizer, text_width=width, **VISION)
    with torch.no_grad():
        model.logit_scale.fill_(math.log(FIRST_SCALE))
    return model


def trimmed(token_ids: torch.Tensor, end: int) -> torch.Tensor:
    """Token ids [n, L] up to the end of the longest prompt. Attention is causal, so later tokens change no pooled output."""
    lengths = (token_ids == end).int().argmax(1)
    return token_ids[:, : int(lengths.max()) + 1]


def tower_loss(model: CLIPModel, batch) -> tuple[torch.Tensor, torch.Tensor]:
    """(CLIP's contrastive loss, share of pictures whose nearest caption of the batch is their own)."""
    pictures, _, caption_ids, rows = batch
    with autocast(pictures.device):
        seen, said = judge.embed(model, pictures, trimmed(caption_ids, model.config.text_config.eos_token_id))
    scale = model.logit_scale.exp().clamp_max(100)
    found = rows[(seen @ said.T).argmax(1)] == rows
    return judge.contrast(scale, seen, said, rows), found.float().mean()


def text_encoder(model: CLIPModel) -> CLIPTextModel:
    """The text tower alone, as in a diffusers folder."""
    config = CLIPTextConfig(**{**model.config.text_config.to_dict(), "projection_dim": model.config.projection_dim})
    own = CLIPTextModel(config)
    weights = model.text_model.state_dict()
    own.load_state_dict({name: weights[name.removeprefix("text_model.")] for name in own.state_dict()})
    return own


def train(data: str, run: str, minutes: float | None, until: str | None, batch: int = 128, rate: float = 1e-3,
          width: int = 128, more: list[str] = (), start: str | None = None) -> None:
    """Writes run/tower: text_encoder and tokenizer, as in a diffusers folder. Its length is the tokenizer's."""
    device = pick_device()
    tokenizer = tokens.load(Path(run) / "tokenizer")
    examples = judge.Examples([data, *more], None, tokenizer, device)
    torch.manual_seed(0)
    model = (CLIPModel.from_pretrained(start, torch_dtype=torch.float32) if start else build(tokenizer, width)).to(device).train()
    model.set_attn_implementation("sdpa" if device.type == "cuda" else "eager")
    loop = Loop(run, "tower", model, MuonAdamW(model, rate), minutes=minutes, until=until, warm=50, average=0.99)
    while loop.goes_on():
        loss, found = tower_loss(model, examples.batch(loop.rng, batch))
        loop.step(loss, batch, found=found)
    with loop.averaged():
        folder = Path(run) / "tower"
        text_encoder(model).save_pretrained(folder / "text_encoder")
        tokenizer.save_pretrained(folder / "tokenizer")
