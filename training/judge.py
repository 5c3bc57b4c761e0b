"""The judge: a small CLIP that classifies a picture's attributes, with one prompt for each value, and gives this world's CLIPScore."""

import copy
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from transformers import CLIPConfig, CLIPModel

from . import tokenizer as tokens
from .data import SWAPPED, Draw, Shards, mirror_words, to_bytes, to_float
from .loop import Loop, autocast, pick_device
from .optimiser import MuonAdamW
from .vae import reconstruct, weights_hash

PROMPTS = {"animal": "a {}", "pose": "{}", "colour": "a {} animal", "place": "the {}", "style": "a {}", "framing": "{}",
           "expression": "{}", "wearing": "wearing {}", "beside": "beside {}", "facing": "facing {}"}
ROUND_TRIPS = 3000
RARE_WEIGHT, PORTRAITS = 3.0, 0.38


def build(tokenizer, size: int = 128, patch: int = 16, text_width: int = 128, vision_width: int = 192, vision_layers: int = 6) -> CLIPModel:
    text = dict(vocab_size=len(tokenizer), hidden_size=text_width, intermediate_size=4 * text_width, num_hidden_layers=2, num_attention_heads=4,
                max_position_embeddings=tokenizer.model_max_length, bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    vision = dict(image_size=size, patch_size=patch, hidden_size=vision_width, intermediate_size=4 * vision_width,
                  num_hidden_layers=vision_layers, num_attention_heads=vision_width // 32)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=192))
    with torch.no_grad():
        add_places(model)
    return model


def add_places(model: CLIPModel, amplitude: float = 0.3) -> None:
    """Adds a sinusoidal grid to the patches' position embeddings. CLIP's own initial positions are small
    relative to the patches; from them, 110,000 pictures taught every attribute except which way an animal faces."""
    weight = model.vision_model.embeddings.position_embedding.weight
    side, width = int((len(weight) - 1) ** 0.5), weight.shape[1]
    rates = 2.0 ** torch.linspace(0, np.log2(side / 2), width // 4) * torch.pi
    angles = torch.arange(side)[:, None] / side * rates
    waves = torch.cat([angles.sin(), angles.cos()], 1)
    rows, columns = waves[:, None].expand(side, side, -1), waves[None, :].expand(side, side, -1)
    weight[1:] += amplitude * torch.cat([rows, columns], -1).reshape(side * side, width)


@torch.no_grad()
def with_patch(model: CLIPModel, patch: int) -> CLIPModel:
    """The judge with smaller patches, for further training. Its new kernel gives for a patch what the old one gave for the
    enlarged patch, and its position embeddings are interpolated from the old ones."""
    config = copy.deepcopy(model.config)
    config.vision_config.patch_size = patch
    finer, weights = CLIPModel(config), model.state_dict()
    kernel, places = "vision_model.embeddings.patch_embedding.weight", "vision_model.embeddings.position_embedding.weight"
    old, side = weights[kernel].shape[-1], config.vision_config.image_size // patch
    enlarge = F.interpolate(torch.eye(patch)[None], size=old, mode="linear")[0]  # [patch, old]
    weights[kernel] = enlarge @ weights[kernel] @ enlarge.mT
    own, grid = weights[places].split([1, len(weights[places]) - 1])
    grid = grid.mT.unflatten(1, (side * patch // old, -1))[None]
    weights[places] = torch.cat([own, F.interpolate(grid, size=side, mode="bicubic")[0].flatten(1).mT])
    finer.load_state_dict(weights)
    return finer


def prompt_lists(lines: list[dict]) -> dict[str, dict[str, str]]:
    """{attribute: {value: prompt}} for the values that occur."""
    table = {}
    for attribute, template in PROMPTS.items():
        values = sorted({line["attributes"][attribute] for line in lines} - {None}, key=str)
        if len(values) > 1:
            table[attribute] = {value: template.format(value) for value in values}
    return table


def labels(table: dict, attributes: dict) -> list[int]:
    """The index of each attribute's value; -1 if the picture cannot show it (null)."""
    return [-1 if attributes[a] is None else list(prompts).index(attributes[a]) for a, prompts in table.items()]


def mirrored(attributes: dict) -> dict:
    return {**attributes, "facing": SWAPPED.get(attributes["facing"], attributes["facing"])}


class Examples:
    """Augmented batches of pictures with their attributes' values and captions. If run is given, some pictures are round
    trips through its VAE."""

    def __init__(self, folders: list[str], run: str | None, tokenizer, device: torch.device):
        self.device = device
        self.shards = Shards(*folders)
        self.draw = Draw(self.shards.lines, RARE_WEIGHT, PORTRAITS)
        self.table = prompt_lists(self.shards.lines)
        captions = sorted({t for line in self.shards.lines for c in line["captions"] for t in (c, mirror_words(c))})
        self.row = {text: number for number, text in enumerate(captions)}
        self.ids = tokens.ids(tokenizer, captions).to(device)
        self.labels = torch.tensor([[labels(self.table, a) for a in (line["attributes"], mirrored(line["attributes"]))] for line in self.shards.lines]).to(device)
        self.round_trips = self._round_trips(run) if run else None

    def _round_trips(self, run: str) -> np.ndarray:
        """VAE round trips of the first pictures, U8 [n, H, W, 3]; made once for each VAE and data set."""
        vae = weights_hash(Path(run) / "vae")
        key = hashlib.sha256(f"{vae} {self.shards.folders[0].resolve()}".encode()).hexdigest()[:8]
        kept = Path(run) / f"round_trips-{key}.npy"
        if not kept.exists():
            vae = AutoencoderKL.from_pretrained(Path(run) / "vae").to(self.device).eval()
            first = self.shards.pictures(range(min(ROUND_TRIPS, len(self.shards)))).to(self.device)
            np.save(kept, to_bytes(reconstruct(vae, first)))
        return np.load(kept)

    def batch(self, rng: np.random.Generator, count: int):
        """(pictures [n, 3, H, W], labels [n, attributes], caption ids [n, L], caption indices [n])."""
        picks, sides = self.draw(rng, count), rng.integers(2, size=count)
        through = rng.random(count) < (0.0 if self.round_trips is None else 0.2)
        if through.any():
            picks[through] %= len(self.round_trips)
        images = [self.round_trips[p] if t else self.shards.picture(p) for p, t in zip(picks, through)]
        x = to_float(np.stack(images), self.device)
        x = torch.where(torch.from_numpy(sides == 1).to(self.device)[:, None, None, None], x.flip(-1), x)
        own = [self.shards.lines[p]["captions"] for p in picks]
        texts = [c[rng.integers(len(c))] for c in own]
        rows = [self.row[mirror_words(t) if side else t] for t, side in zip(texts, sides)]
        rows = torch.tensor(rows).to(self.device)
        return augment(x, rng), self.labels[picks, sides], self.ids[rows], rows


def augment(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Turns, zooms and shifts three pictures in four a little. Then blurs one group of pictures, adds noise to another, and
    changes the light of a third. Some pictures stay as they are."""
    size, out = x.shape[-1], []
    moved = rng.random(len(x)) < 0.75
    x = torch.where(torch.from_numpy(moved).to(x.device)[:, None, None, None], move(x, rng), x)
    for group in x.split(8):
        if rng.random() < 0.3:
            small = F.interpolate(group, size=int(size * rng.uniform(0.4, 0.9)), mode="bilinear", antialias=True)
            group = F.interpolate(small, size=size, mode="bilinear")
        if rng.random() < 0.3:
            group = group + rng.uniform(0, 0.12) * torch.randn_like(group)
        if rng.random() < 0.3:
            group = group * rng.uniform(0.9, 1.1) + rng.uniform(-0.06, 0.06)
        out.append(group.clamp(-1, 1))
    return torch.cat(out)


def move(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Turns each picture by up to 5 degrees, zooms it by up to an eighth, and shifts it by up to a twentieth of its size."""
    count = len(x)
    turn, zoom = np.radians(rng.uniform(-5, 5, count)), np.exp(rng.uniform(-0.12, 0.1, count))
    wide, (dx, dy) = np.exp(rng.uniform(-0.05, 0.05, count)), rng.uniform(-0.1, 0.1, (2, count))
    matrix = np.stack([[zoom * wide * np.cos(turn), -zoom * np.sin(turn), dx], [zoom * np.sin(turn), zoom * np.cos(turn), dy]])
    grid = F.affine_grid(torch.from_numpy(matrix.transpose(2, 0, 1)).float().to(x.device), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def embed(model: CLIPModel, pictures: torch.Tensor, token_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit embeddings of pictures and of prompts."""
    seen = model.visual_projection(model.vision_model(pixel_values=pictures).pooler_output)
    said = model.text_projection(model.text_model(input_ids=token_ids).pooler_output)
    return F.normalize(seen.float(), dim=-1), F.normalize(said.float(), dim=-1)


def attribute_logits(scale: torch.Tensor, seen: torch.Tensor, prompts: torch.Tensor, table: dict) -> list[torch.Tensor]:
    """For each attribute [n, values]: scaled cosines with the attribute's prompts. The prompts of one attribute follow those of another."""
    return list((scale * seen @ prompts.T).split([len(prompts) for prompts in table.values()], dim=1))


def contrast(scale: torch.Tensor, seen: torch.Tensor, said: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """CLIP's contrastive loss of n pictures and their captions. Pictures with equal captions count as matches of each other."""
    same = (rows[:, None] == rows[None, :]).float()
    pairs, target = scale * seen @ said.T, same / same.sum(1, keepdim=True)
    return (F.cross_entropy(pairs, target) + F.cross_entropy(pairs.T, target)) / 2


def judge_loss(model: CLIPModel, batch, prompt_ids: torch.Tensor, table: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """(sum of the attributes' cross-entropies and CLIP's contrastive loss, share of attributes classified correctly)."""
    pictures, wanted, caption_ids, rows = batch
    with autocast(pictures.device):
        seen, said = embed(model, pictures, torch.cat([prompt_ids, caption_ids]))
    prompts, captions = said[: len(prompt_ids)], said[len(prompt_ids) :]
    scale = model.logit_scale.exp().clamp_max(100)
    logits = attribute_logits(scale, seen, prompts, table)
    known = wanted >= 0
    shown = known.sum(0).clamp_min(1)
    named = sum(F.cross_entropy(own, wanted[:, i], ignore_index=-1, reduction="sum") / shown[i] for i, own in enumerate(logits))
    right = torch.stack([own.argmax(1) for own in logits], 1) == wanted
    return named + 0.2 * contrast(scale, seen, captions, rows), right.sum() / known.sum()


def prompt_ids(tokenizer, table: dict) -> torch.Tensor:
    return tokens.ids(tokenizer, [text for prompts in table.values() for text in prompts.values()])


@torch.no_grad()
def name(model: CLIPModel, tokenizer, table: dict, pictures: torch.Tensor) -> list[dict[str, str]]:
    """Classifies pictures: {attribute: value} for each, with every attribute."""
    device = next(model.parameters()).device
    answers = []
    for part in pictures.split(64):
        seen, said = embed(model, part.to(device), prompt_ids(tokenizer, table).to(device))
        best = [own.argmax(1).tolist() for own in attribute_logits(model.logit_scale.exp(), seen, said, table)]
        answers += [{a: list(prompts)[choice[i]] for (a, prompts), choice in zip(table.items(), best)} for i in range(len(part))]
    return answers


def accuracy(answers: list[dict], truths: list[dict], table: dict) -> dict[str, float]:
    """Share correct for each attribute, over the pictures that can show it. Attributes that no picture can show are omitted."""
    shares = {}
    for attribute in table:
        right = [answer[attribute] == truth[attribute] for answer, truth in zip(answers, truths) if truth[attribute] is not None]
        if right:
            shares[attribute] = float(np.mean(right))
    return shares


def held_out_accuracy(model, tokenizer, table, data: Shards, count: int) -> dict[str, float]:
    count = min(count, len(data))
    answers = name(model, tokenizer, table, data.pictures(range(count)))
    return accuracy(answers, [line["attributes"] for line in data.lines[:count]], table)


def train(data: str, run: str, validation: str | None, minutes: float | None, until: str | None, batch: int = 64,
          rate: float = 1e-3, start: str | None = None, more: list[str] = (), patch: int | None = None) -> None:
    device = pick_device()
    tokenizer = tokens.load(Path(run) / "tokenizer")
    examples = Examples([data, *more], run, tokenizer, device)
    held_out = Shards(validation) if validation else None
    torch.manual_seed(0)
    model = CLIPModel.from_pretrained(start, torch_dtype=torch.float32) if start else build(tokenizer, patch=patch or 16)
    if patch and model.config.vision_config.patch_size != patch:
        model = with_patch(model, patch)
    model = model.to(device).train()
    # On a CPU, the plain formula is faster than PyTorch's fused attention at 65 tokens, above all in the backward pass. At
    # 257 tokens they are about equal.
    model.set_attn_implementation("sdpa" if device.type == "cuda" else "eager")
    ids = prompt_ids(tokenizer, examples.table).to(device)

    def report(loop: Loop, count: int = 400) -> None:
        if held_out:
            with loop.averaged():
                shares = held_out_accuracy(model, tokenizer, examples.table, held_out, count)
            print("judge: held-out " + " ".join(f"{a} {share:.3f}" for a, share in shares.items()), flush=True)

    loop = Loop(run, "judge", model, MuonAdamW(model, rate), minutes=minutes, until=until, at_save=report)
    while loop.goes_on():
        loss, right = judge_loss(model, examples.batch(loop.rng, batch), ids, examples.table)
        loop.step(loss, batch, right=right)
    report(loop, 2000)
    with loop.averaged():
        folder = Path(run) / "judge"
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "attributes.json").write_text(json.dumps(examples.table, indent=2) + "\n")
