"""Prompt-to-Prompt with null-text, negative-prompt and direct inversion, written from the papers and docs/methods.md.

    python tools/parity/p2p.py fixtures
    python tools/parity/p2p.py authors FOLDER
    python tools/parity/p2p.py dump --model FOLDER --image PHOTO --source CAPTION --target PROMPT --method null-text -o OUT.safetensors

`fixtures` writes test/fixtures/p2p.json (hashes of mappers, word windows and masks of local blending of 240 pairs of prompts,
and whole masks of a few heat maps) and p2p-*.safetensors (whole runs, step by step). `authors` compares mappers, windows and
masks with the authors' code in a checkout of github.com/google/prompt-to-prompt, and counts the pairs that differ. `dump` runs
one edit for methods.ts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace

import torch
from torch.nn.functional import interpolate, max_pool2d
from transformers import CLIPTokenizer

from baret import ddim_inversion, threshold
from common import FIXTURES, ROOT, Random, uniform, write_tensors
from ddim import Schedule, guided
from pipeline import Pipeline, dump_command, write_dump

Tensor = torch.Tensor

# --- words and mappers -------------------------------------------------------------------------------------------


def word_tokens(tokenizer: CLIPTokenizer, prompt: str) -> list[list[int]]:
    """For each word between single spaces, the positions of its tokens in the row."""
    words = prompt.split(" ")
    found: list[list[int]] = [[] for _ in words]
    at = length = 0
    for position, token in enumerate(tokenizer.encode(prompt)[1:-1], start=1):
        found[at].append(position)
        length += len(tokenizer.decode([token]))
        if length >= len(words[at]):
            at, length = at + 1, 0
    return found


def tokens_named(tokenizer: CLIPTokenizer, prompt: str, name: str) -> list[int]:
    """Positions of the tokens of a word wherever it stands, without the punctuation around it."""
    ids, found = tokenizer.encode(prompt), []
    for word, tokens in zip(prompt.split(" "), word_tokens(tokenizer, prompt)):
        if word.strip(".,!?;:").lower() == name:
            found += [t for t in tokens if any(c.isalnum() for c in tokenizer.decode([ids[t]]))]
    return found


def replacement(tokenizer: CLIPTokenizer, x: str, y: str, size: int, fix_tail: bool) -> Tensor:
    """[size, size]: column j says from which tokens of x the token j of y takes its map."""
    words = list(zip(x.split(" "), y.split(" "), strict=True))
    spans = list(zip(word_tokens(tokenizer, x), word_tokens(tokenizer, y), strict=True))
    swapped = [span for (a, b), span in zip(words, spans) if a != b]
    m = torch.zeros(size, size, dtype=torch.float64)
    i = j = 0
    while i < size and j < size:
        if swapped and swapped[0][0][0] == i:
            a, b = swapped.pop(0)
            if len(a) == len(b):
                m[a, b] = 1
            else:
                m[torch.tensor(a)[:, None], torch.tensor(b)] = 1 / len(b)
            i, j = i + len(a), j + len(b)
        else:
            m[i if swapped or fix_tail else j, j] = 1
            i, j = i + 1, j + 1
    return m


def refinement(tokenizer: CLIPTokenizer, x: str, y: str, size: int) -> tuple[Tensor, Tensor]:
    """m: [size] source token of each target token, −1 if it is new; a: [size] 1 where it is not new."""
    a, b = tokenizer.encode(x), tokenizer.encode(y)
    score = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    step = [["end"] + ["left"] * len(b)] + [["up"] + [""] * len(b) for _ in a]
    for i, p in enumerate(a, 1):
        for j, q in enumerate(b, 1):
            ways = {"left": score[i][j - 1], "up": score[i - 1][j], "pair": score[i - 1][j - 1] + (1 if p == q else -1)}
            score[i][j] = max(ways.values())
            step[i][j] = next(way for way, value in ways.items() if value == score[i][j])
    m = list(range(size))
    i, j = len(a), len(b)
    while step[i][j] != "end":
        way = step[i][j]
        i -= way != "left"
        j -= way != "up"
        if way != "up":
            m[j] = i if way == "pair" else -1
    mapper = torch.tensor(m)
    return mapper, mapper.ne(-1).double()


def windows(steps: int, size: int, usual: tuple[float, float], words: list[tuple[list[int], tuple[float, float]]]) -> Tensor:
    """α: [steps + 1, size]."""
    table = torch.zeros(steps + 1, size)
    for tokens, (low, high) in [(list(range(size)), usual), *words]:
        table[:, tokens] = 0
        table[int(low * (steps + 1)) : int(high * (steps + 1)), tokens] = 1
    return table


# --- local blending ----------------------------------------------------------------------------------------------


def places(maps: Tensor, words: Tensor, size: tuple[int, int], limit: float, widen: bool) -> Tensor:
    """maps: [2, heads and layers, h, w, L], words: [2, L] → [height, width], true where one of both prompts has its word."""
    heat = (maps * words[:, None, None, None]).sum(-1).mean(1, keepdim=True)
    if widen:
        heat = max_pool2d(heat, 3, 1, 1)
    heat = interpolate(heat, size=size)[:, 0]
    return (heat / heat.amax((1, 2), keepdim=True) > limit).any(0)


def blend(z: Tensor, maps: Tensor, words: Tensor, spared: Tensor | None, limits: tuple[float, float]) -> Tensor:
    """z: [2, 4, height, width], the source first."""
    size = tuple(z.shape[-2:])
    mask = places(maps, words, size, limits[0], True)
    if spared is not None:
        mask = mask & ~places(maps, spared, size, limits[1], False)
    return z[:1] + mask * (z - z[:1])


# --- attention ---------------------------------------------------------------------------------------------------

Edit = Callable[[str, bool, Tensor], Tensor]


class EditedAttention:
    """Drop-in processor for diffusers' Attention: `edit(path, is_cross, probabilities)` may change the maps [B, heads, q, k]."""

    def __init__(self, path: str, edit: Edit) -> None:
        self.path, self.edit = path, edit

    def __call__(self, attn, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, attention_mask: Tensor | None = None, **_: object) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        heads = lambda x: x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        q, k, v = heads(attn.to_q(hidden_states)), heads(attn.to_k(context)), heads(attn.to_v(context))
        maps = self.edit(self.path, encoder_hidden_states is not None, (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1))
        return attn.to_out[1](attn.to_out[0]((maps @ v).transpose(1, 2).flatten(2)))


def install(unet, edit: Edit = lambda _path, _is_cross, maps: maps) -> None:
    paths = [name.removesuffix(".processor") for name in unet.attn_processors]
    unet.set_attn_processor({f"{path}.processor": EditedAttention(path, edit) for path in paths})


# --- inversions and edits ----------------------------------------------------------------------------------------


@dataclass
class Settings:
    source: str
    target: str
    method: str = "null-text"
    steps: int = 50
    guidance: float = 7.5
    iterations: int = 10
    learning_rate: float = 1e-2
    learning_rate_end: float = 0.51
    early_stop: bool = True
    last_iteration: bool = False
    mapping: str = "replace"
    fix_tail: bool = True
    cross_steps: tuple[float, float] = (0.0, 0.8)
    self_steps: tuple[float, float] = (0.0, 0.5)
    self_tokens: int = 1024
    word_steps: dict[str, tuple[float, float]] = field(default_factory=dict)
    emphasis: dict[str, float] = field(default_factory=dict)
    blend: list[str] = field(default_factory=list)
    blend_except: list[str] = field(default_factory=list)
    blend_threshold: tuple[float, float] = (0.3, 0.3)
    blend_start: float = 0.2
    blend_tokens: int = 256


def null_text(pipe: Pipeline, schedule: Schedule, inverted: Tensor, source: Tensor, null: Tensor, s: Settings) -> dict[str, Tensor]:
    """∅_i: `nulls` [N, L, D]; z̄: `trajectory` [N + 1, 4, h, w]; `loss` [N, K], NaN where there was no iteration."""
    z, nulls, trajectory, losses = inverted[:1], [], [inverted[:1]], []
    for i, t in enumerate(schedule.timesteps):
        with torch.no_grad():
            conditional = pipe.predict(z, t, source)
        null = null.detach().clone().requires_grad_(True)
        rate = s.learning_rate * (1 - (1 - s.learning_rate_end) * i / max(1, s.steps - 1))
        adam = torch.optim.Adam([null], lr=rate)
        losses.append([float("nan")] * s.iterations)
        for j in range(s.iterations):
            after = schedule.denoise(z, guided(conditional, pipe.predict(z, t, null), s.guidance), t)
            loss = (after - inverted[i + 1 : i + 2]).square().mean()
            losses[-1][j] = loss.item()
            is_done = s.early_stop and loss.item() < threshold(i, s.steps)
            if is_done and not s.last_iteration:
                break
            adam.zero_grad()
            loss.backward()
            adam.step()
            if is_done:
                break
        with torch.no_grad():
            z = schedule.denoise(z, guided(conditional, pipe.predict(z, t, null), s.guidance), t)
        nulls.append(null.detach())
        trajectory.append(z)
    return {"nulls": torch.cat(nulls), "trajectory": torch.cat(trajectory), "loss": torch.tensor(losses, dtype=torch.float64)}


class Control:
    """The maps of the conditional half, [source, edit]: the edit's are mixed in place, and those for blending are summed."""

    def __init__(self, pipe: Pipeline, s: Settings, blend_size: tuple[int, int]) -> None:
        tokenizer, size = pipe.tokenizer, pipe.tokenizer.model_max_length
        named = lambda prompt, names: [t for name in names for t in tokens_named(tokenizer, prompt, name)]
        self.s, self.step, self.blend_size = s, 0, blend_size
        self.stored: dict[str, Tensor] = {}
        self.alpha = windows(s.steps, size, s.cross_steps, [(named(s.target, [w]), bounds) for w, bounds in s.word_steps.items()]).double()
        self.factors = torch.ones(size, dtype=torch.float64)
        for word, factor in s.emphasis.items():
            self.factors[named(s.target, [word])] = factor
        if s.mapping == "replace":
            m = replacement(tokenizer, s.source, s.target, size, s.fix_tail)
            self.take = lambda base, own: base @ m.to(base.dtype)
        else:
            m, a = refinement(tokenizer, s.source, s.target, size)
            self.take = lambda base, own: base[..., m] * a.to(base.dtype) + own * (1 - a.to(base.dtype))

        def marks(names: list[str]) -> Tensor:
            table = torch.zeros(2, size, dtype=torch.float64)
            for row, prompt in enumerate((s.source, s.target)):
                table[row, named(prompt, names)] = 1
            return table

        self.words, self.spared = marks(s.blend), marks(s.blend_except) if s.blend_except else None

    def __call__(self, path: str, is_cross: bool, maps: Tensor) -> Tensor:
        base, own = maps[2], maps[3]
        if is_cross:
            alpha = self.alpha[self.step].to(maps.dtype)
            new = self.take(base, own) * self.factors.to(maps.dtype) * alpha + own * (1 - alpha)
        else:
            low, high = (int(self.s.steps * x) for x in self.s.self_steps)
            new = base if low <= self.step < high and maps.shape[2] <= self.s.self_tokens else own
        maps = torch.stack([maps[0], maps[1], base, new])
        if is_cross and maps.shape[2] == self.s.blend_tokens:
            self.stored[path] = self.stored.get(path, 0) + maps[2:]
        return maps

    def after(self, z: Tensor) -> Tensor:
        s = self.s
        if s.blend and self.step >= int(s.blend_start * s.steps):
            maps = torch.cat([one.unflatten(2, self.blend_size) for one in self.stored.values()], 1)
            z = blend(z, maps, self.words.to(z.dtype), self.spared, s.blend_threshold)
        self.step += 1
        return z


@torch.no_grad()
def edit(pipe: Pipeline, schedule: Schedule, inverted: Tensor, source: Tensor, target: Tensor, nulls: Tensor, s: Settings) -> Tensor:
    """Latents of source and edit, [N + 1, 2, 4, h, w]. nulls: [N, L, D], or [1, L, D] for all steps."""
    height, width = inverted.shape[-2:]
    shrink = max(1, round((height * width / s.blend_tokens) ** 0.5))
    control = Control(pipe, s, (height // shrink, width // shrink))
    install(pipe.unet, control)
    z = inverted[:1].repeat(2, 1, 1, 1)
    latents = [z]
    for i, t in enumerate(schedule.timesteps):
        null = nulls[min(i, len(nulls) - 1)][None]
        unconditional, conditional = pipe.predict(torch.cat([z, z]), t, torch.cat([null, null, source, target])).chunk(2)
        z = schedule.denoise(z, guided(conditional, unconditional, s.guidance), t)
        if s.method == "direct":
            # The difference of the source to DDIM inversion, recorded and added back.
            z = torch.cat([z[:1] + (inverted[i + 1 : i + 2] - z[:1]), z[1:]])
        z = control.after(z)
        latents.append(z)
    install(pipe.unet)
    return torch.stack(latents)


def run(pipe: Pipeline, picture: Tensor, s: Settings) -> dict[str, Tensor]:
    """Every value of one edit, noisiest first."""
    install(pipe.unet)
    schedule = pipe.schedule(s.steps)
    source, target, null = pipe.embed(s.source), pipe.embed(s.target), pipe.embed("")
    inverted = ddim_inversion(pipe, schedule, pipe.encode(picture), source)
    out = {"inverted": inverted}
    if s.method == "null-text":
        out |= null_text(pipe, schedule, inverted, source, null, s)
    # Negative-prompt inversion: the caption is what both branches are guided away from.
    nulls = source if s.method == "negative-prompt" else out.get("nulls", null)
    return out | {"latents": edit(pipe, schedule, inverted, source, target, nulls, s)}


# --- prompts -----------------------------------------------------------------------------------------------------

ANIMALS = "cat dog horse weimaraner hippopotamus dachshund velociraptor bird axolotl squirrel".split()
COLOURS = "brown white turquoise black chartreuse grey photorealistic".split()
ACTIONS = "sitting standing jumping sleeping somersaulting running skateboarding".split()
THINGS = ["on the grass", "on a skateboard", "in the snow", "beside a pomegranate", "under a tree"]
ENDS = ["", "", "", ".", ", watercolor painting", " at night", "!"]


def sentence(rng: random.Random) -> list[str]:
    words = ["a", rng.choice(COLOURS), rng.choice(ANIMALS), rng.choice(ACTIONS), *rng.choice(THINGS).split()]
    return (" ".join(words) + rng.choice(ENDS)).split(" ")


def pairs() -> list[tuple[str, str, str]]:
    """Source, target, and a word of the target."""
    rng = random.Random(7)
    found = []
    while len(found) < 240:
        x = sentence(rng)
        y = list(x)
        kind = len(found) % 6
        if kind in (0, 1, 2):  # words swapped
            for _ in range(kind + 1):
                y[rng.choice([1, 2, 3])] = rng.choice(rng.choice([COLOURS, ANIMALS, ACTIONS]))
        elif kind == 3:  # words added
            for _ in range(rng.randint(1, 3)):
                y.insert(rng.randint(0, len(y)), rng.choice(COLOURS + ACTIONS))
        elif kind == 4:  # words left out
            for _ in range(rng.randint(1, 2)):
                y.pop(rng.randrange(len(y)))
        else:  # another sentence
            y = sentence(rng)
        word = rng.choice([w.strip(".,!").lower() for w in y])
        found.append((" ".join(x), " ".join(y), word))
    return found


def digest(*tensors: Tensor) -> str:
    data = b"".join(t.detach().float().contiguous().numpy().tobytes() for t in tensors)
    return hashlib.sha256(data).hexdigest()[:12]


def one_hot(m: Tensor, a: Tensor) -> Tensor:
    """Refinement as a matrix like that of replacement. Columns of new tokens are 0."""
    matrix = torch.zeros(len(m), len(m))
    matrix[m.clamp(min=0), torch.arange(len(m))] = a.float()
    return matrix


def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's own, from the merges that ship with the package."""
    merges = (ROOT / "assets" / "clip" / "merges.txt").read_text().splitlines()
    rules = [line for line in merges if line and not line.startswith("#version")]
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(c + "</w>" for c in letters), *("".join(rule.split()) for rule in rules), "<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.json").write_text(json.dumps({token: k for k, token in enumerate(tokens)}))
        (Path(folder) / "merges.txt").write_text("\n".join(["#version: 0.2", *rules]) + "\n")
        return CLIPTokenizer.from_pretrained(folder, model_max_length=77, pad_token="<|endoftext|>")


def blended_words() -> list[tuple[list[str], list[str], tuple[float, float]]]:
    """For each pair, words whose places may change, words whose places must not, and both thresholds. No place is at a threshold."""
    rng, found = random.Random(11), []
    plain = lambda prompt: sorted({w.strip(".,!").lower() for w in prompt.split(" ")})
    for k, (x, y, word) in enumerate(pairs()):
        words = [word] if k % 2 else [word, rng.choice([w for w in plain(x) if w != word])]
        spared = rng.sample([w for w in plain(y) if w not in words], 1) if k % 3 == 0 else []
        found.append((words, spared, ((0.299, 0.299), (0.151, 0.601), (0.601, 0.299))[k % 3]))
    return found


BLENDED, BLENDED_SIZE, BLENDED_MAPS = 16, 64, 6  # places a side of a map and of a latent, maps of a prompt over all steps


def drawn_maps(pair: int, branch: int, token: int) -> Tensor:
    """Maps of one token, [maps, h, w] of whole numbers: a hill at a place of its own, and noise. branch: 0 source, 1 edit."""
    rng = Random(pair, 77 * branch + token)
    y, x, reach = rng.below(BLENDED), rng.below(BLENDED), 20 + rng.below(60)
    hill = [4 * max(0, reach - (v - y) ** 2 - (u - x) ** 2) for v in range(BLENDED) for u in range(BLENDED)]
    drawn = [[height + rng.below(40) for height in hill] for _ in range(BLENDED_MAPS)]
    return torch.tensor(drawn, dtype=torch.float64).reshape(-1, BLENDED, BLENDED)


def drawn_blending(tokenizer: CLIPTokenizer, pair: int, prompts: tuple[str, str], names: list[str]) -> tuple[Tensor, Tensor]:
    """Maps [2, maps, h, w, L], drawn for the tokens of the named words alone, and a table [2, L] with 1 for these tokens."""
    maps, table = torch.zeros(2, BLENDED_MAPS, BLENDED, BLENDED, 77, dtype=torch.float64), torch.zeros(2, 77, dtype=torch.float64)
    for branch, prompt in enumerate(prompts):
        for token in {t for name in names for t in tokens_named(tokenizer, prompt, name)}:
            table[branch, token] = 1
            maps[branch, ..., token] = drawn_maps(pair, branch, token)
    return maps, table


def unblended() -> Tensor:
    """Latents of a photo of zeros and an edit of ones, so that a blended edit is the mask."""
    return torch.stack([torch.zeros(1, BLENDED_SIZE, BLENDED_SIZE), torch.ones(1, BLENDED_SIZE, BLENDED_SIZE)])


def blended_mask(tokenizer: CLIPTokenizer, pair: int, prompts: tuple[str, str], words: list[str], spared: list[str], limits: tuple[float, float]) -> Tensor:
    """[height, width] of 0 and 1."""
    maps, marked = drawn_blending(tokenizer, pair, prompts, words)
    others, excluded = drawn_blending(tokenizer, pair, prompts, spared)
    made = [blend(unblended(), maps + others, marked, excluded if spared else None, (limits[0] + d, limits[1] + d))[1, 0] for d in (0, -1e-9, 1e-9)]
    assert torch.equal(made[0], made[1]) and torch.equal(made[0], made[2]), "a place is at a threshold, where rounding decides"
    return made[0]


def mapper_cases(tokenizer: CLIPTokenizer) -> list[dict]:
    cases = []
    for k, ((x, y, word), (words, spared, limits)) in enumerate(zip(pairs(), blended_words())):
        bounds = ((0.0, 0.8), (0.1, 0.6), (0.2, 1.0))[k % 3]
        own = ((0.0, 0.3), (0.5, 0.9), (0.0, 0.0))[k % 3]
        case = {"source": x, "target": y, "word": word, "steps": [bounds, own]}
        case["windows"] = digest(windows(50, 77, bounds, [(tokens_named(tokenizer, y, word), own)]))
        m, a = refinement(tokenizer, x, y, 77)
        case["refine"] = digest(one_hot(m, a), a)
        if len(x.split(" ")) == len(y.split(" ")):
            case["replace"] = digest(replacement(tokenizer, x, y, 77, True))
            case["replaceAuthors"] = digest(replacement(tokenizer, x, y, 77, False))
        case["blend"] = {"words": words, "except": spared, "thresholds": limits, "mask": digest(blended_mask(tokenizer, k, (x, y), words, spared, limits))}
        cases.append(case)
    return cases


def mask_cases() -> list[dict]:
    """Heat of two prompts, and the places of a latent that are theirs."""
    cases = []
    for k, (h, w, height, width) in enumerate([(4, 4, 8, 8), (4, 6, 16, 24), (8, 8, 8, 8), (5, 3, 10, 6)]):
        heat = uniform((2, h, w), 0, 1000, "p2p", "heat", k).round()
        masks = {}
        for limit in (0.1, 0.3, 0.6):
            for widen in (True, False):
                mask = places(heat[:, None, :, :, None], torch.ones(2, 1), (height, width), limit, widen)
                masks[f"{limit} {'widened' if widen else 'as it is'}"] = "".join("01"[int(x)] for x in mask.flatten())
        cases.append({"heat": heat.int().tolist(), "size": [height, width], "masks": masks})
    return cases


# --- commands ----------------------------------------------------------------------------------------------------


def fixtures(_: argparse.Namespace) -> None:
    lines = {"pairs": mapper_cases(clip_tokenizer()), "masks": mask_cases()}
    rows = lambda cases: ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    text = ",\n".join(f'"{name}": [\n{rows(cases)}\n]' for name, cases in lines.items())
    (FIXTURES / "p2p.json").write_text(f"{{\n{text}\n}}\n")
    everything = {"word_steps": {"grass": (0.0, 0.2)}, "emphasis": {"on": -4.0}, "blend": ["cat", "dog"], "blend_except": ["grass"], "blend_threshold": (0.3, 0.8), "blend_tokens": 64}
    cases = (
        ("null-text-tiny-sd1", Settings("a cat standing on the grass", "a brown dog sitting on the grass", steps=4, guidance=3.0, iterations=3, early_stop=False, mapping="refine", cross_steps=(0.0, 0.8), self_steps=(0.0, 0.5), **everything)),
        ("negative-prompt-tiny-sd1", Settings("a cat standing", "a brown dog lying down", method="negative-prompt", steps=4, guidance=3.0, mapping="refine", cross_steps=(0.0, 0.0), self_steps=(0.0, 0.0))),
        ("negative-prompt-tiny-sd2", Settings("a cat standing on snow", "a dog sitting on snow", method="negative-prompt", steps=4, guidance=3.0, cross_steps=(0.0, 0.5), self_steps=(0.25, 0.75), self_tokens=16, emphasis={"dog": 2.0}, blend=["cat", "dog"], blend_tokens=64)),
        ("direct-tiny-sd2", Settings("a cat standing on snow", "a dog sitting on snow", method="direct", steps=4, guidance=3.0, cross_steps=(0.2, 1.0), self_steps=(0.25, 0.75), self_tokens=16, fix_tail=False, emphasis={"snow": -1.0})),
    )
    for name, s in cases:
        pipe = Pipeline(FIXTURES / name[-8:], torch.float64)
        values = run(pipe, uniform((1, 3, 64, 64), -1, 1, "p2p", name), s)
        if "nulls" in values:
            values["null"] = pipe.embed("")
        path = FIXTURES / f"p2p-{name}.safetensors"
        write_tensors(path, values, {"command": "python tools/parity/p2p.py fixtures", "computed": "float64", "settings": json.dumps(asdict(s))})
        print(f"{path.name}: {path.stat().st_size // 1024} KB")


def authors_blending(folder: Path, tokenizer: CLIPTokenizer, word_inds: Callable) -> Callable[..., Tensor]:
    """A function like `blended_mask` that runs the authors' LocalBlend."""
    cells = json.loads((folder / "null_text_w_ptp.ipynb").read_text())["cells"]
    code = next(code for code in ("".join(cell["source"]) for cell in cells) if "class LocalBlend" in code)
    space = {"torch": torch, "nnf": torch.nn.functional, "List": list, "MAX_NUM_WORDS": 77, "NUM_DDIM_STEPS": 50, "device": "cpu", "tokenizer": tokenizer, "ptp_utils": SimpleNamespace(get_word_inds=word_inds)}
    exec(code[code.index("class LocalBlend") : code.index("class EmptyControl")], space)

    def masked(pair: int, prompts: tuple[str, str], words: list[str], spared: list[str], limits: tuple[float, float]) -> Tensor:
        # Theirs are words between spaces that the prompt must have, without them an index is empty and not an integer.
        written = lambda names: [[name for name in names if name in prompt.split(" ")] for prompt in prompts]
        maps = sum(drawn_blending(tokenizer, pair, prompts, names)[0] for names in (words, spared))
        parts = [maps[:, k] for k in range(BLENDED_MAPS)]
        # They take the third and fourth map of `down_cross` and the first three of `up_cross`.
        store = {"down_cross": [None, None, torch.cat(parts[:2], 1).flatten(1, 2), parts[2].flatten(1, 2)], "up_cross": [part.flatten(1, 2) for part in parts[3:]]}
        local = space["LocalBlend"](list(prompts), written(words), written(spared) if spared else None, start_blend=0, th=limits)
        space["x_t"] = unblended()  # their mask reads the latents from the notebook's variables
        return local(unblended(), store)[1, 0]

    return masked


def authors(options: argparse.Namespace) -> None:
    """Counts the pairs for which the authors' code gives other mappers, windows or masks."""
    sys.path.insert(0, str(options.folder))
    import seq_aligner
    import numpy as np

    source = (options.folder / "ptp_utils.py").read_text()
    space = {"torch": torch, "np": np, **{name: getattr(__import__("typing"), name) for name in ("Union", "Tuple", "Dict", "Optional")}}
    exec(source[source.index("def get_word_inds") :], space)  # its imports need packages of 2022
    tokenizer = clip_tokenizer()
    blending = authors_blending(options.folder, tokenizer, space["get_word_inds"])
    different: dict[str, list[str]] = {"replace, their tail": [], "replace": [], "refine": [], "windows": [], "masks": [], "masks of words between spaces": []}
    for k, ((x, y, word), (words, spared, limits)) in enumerate(zip(pairs(), blended_words())):
        m, a = seq_aligner.get_mapper(x, y, tokenizer)
        own, matched = refinement(tokenizer, x, y, 77)
        if not (torch.equal(m, own) and torch.equal(a.double(), matched)):
            different["refine"].append(f"{x} → {y}")
        if len(x.split(" ")) == len(y.split(" ")):
            theirs = seq_aligner.get_replacement_mapper_(x, y, tokenizer)
            for what, fixed in (("replace, their tail", False), ("replace", True)):
                if not torch.equal(theirs, replacement(tokenizer, x, y, 77, fixed).float()):
                    different[what].append(f"{x} → {y}")
        table = space["get_time_words_attention_alpha"]([x, y], 50, {"default_": (0.1, 0.6), word: (0.5, 0.9)}, tokenizer)[:, 0, 0, 0]
        if not torch.equal(table, windows(50, 77, (0.1, 0.6), [(tokens_named(tokenizer, y, word), (0.5, 0.9))])):
            different["windows"].append(f"{word} in: {y}")
        if not torch.equal(blending(k, (x, y), words, spared, limits), blended_mask(tokenizer, k, (x, y), words, spared, limits)):
            different["masks"].append(f"{words} without {spared} in: {x} → {y}")
            if all(tokens_named(tokenizer, prompt, name) == [] or name in prompt.split(" ") for prompt in (x, y) for name in words + spared):
                different["masks of words between spaces"].append(different["masks"][-1])
    for what, found in different.items():
        print(f"{what}: {len(found)} of {len(pairs())} differ" + "".join(f"\n  {one}" for one in found[:3]))


def dump(options: argparse.Namespace) -> None:
    names = ("source", "target", "method", "steps", "guidance", "mapping", "blend", "blend_tokens")
    given = {name: getattr(options, name) for name in names}
    write_dump(options, run, options.method, Settings(**given, early_stop=False, cross_steps=(0.0, options.cross_steps), self_steps=(0.0, options.self_steps)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("fixtures").set_defaults(work=fixtures)
    comparing = commands.add_parser("authors")
    comparing.add_argument("folder", type=Path)
    comparing.set_defaults(work=authors)
    dumping = dump_command(commands, dump)
    dumping.add_argument("--source", required=True)
    dumping.add_argument("--method", choices=["null-text", "negative-prompt", "direct"], default="null-text")
    dumping.add_argument("--mapping", choices=["replace", "refine"], default="refine")
    dumping.add_argument("--cross-steps", type=float, default=0.8)
    dumping.add_argument("--self-steps", type=float, default=0.5)
    dumping.add_argument("--blend", nargs="*", default=[])
    dumping.add_argument("--blend-tokens", type=int, default=256)
    options = parser.parse_args(arguments)
    options.work(options)


if __name__ == "__main__":
    main()
