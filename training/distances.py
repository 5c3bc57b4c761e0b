"""Distances between a text encoder's embeddings of prompts: the norm of the difference of two last hidden states [L, D],
relative to the norm of one of them. Medians over pairs that differ in one attribute, and over pairs that differ in all four."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPTextModel

from . import tokenizer as tokens
from .data import complete_shards, read_lines
from .generator import hears, load_text_encoder

NAMED = ("animal", "pose", "colour", "place")
EVERYTHING = "everything"
MOST_PAIRS = 2000


def sentences(lines: list[dict]) -> dict[tuple, str]:
    """{(animal, pose, colour, place): caption} of plain scenes: whole animals in photos, with nothing worn or beside them."""
    plain = dict(style="photo", framing="whole body", wearing="nothing", beside="nothing")
    return {tuple(own[name] for name in NAMED): line["captions"][0] for line in lines
            if all((own := line["attributes"])[name] == value for name, value in plain.items())}


def pairs(known: dict[tuple, str], seed: int = 0) -> dict[str, list[tuple[str, str]]]:
    """Pairs of captions by the one attribute in which they differ, or "everything": at most MOST_PAIRS of each, at random."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in (*NAMED, EVERYTHING)}
    for (one, said), (other, also) in combinations(sorted(known.items()), 2):
        differing = [name for name, a, b in zip(NAMED, one, other) if a != b]
        if len(differing) in (1, len(NAMED)):
            found[differing[0] if len(differing) == 1 else EVERYTHING].append((said, also))
    rng = np.random.default_rng(seed)
    return {name: [own[k] for k in rng.permutation(len(own))[:MOST_PAIRS]] for name, own in found.items()}


def measure(text_encoder: CLIPTextModel, tokenizer, lines: list[dict]) -> dict[str, dict[str, float]]:
    """Per attribute: pairs, median distance and its quartiles. Attributes without a pair are left out."""
    by_attribute = pairs(sentences(lines))
    texts = sorted({text for own in by_attribute.values() for pair in own for text in pair})
    states = dict(zip(texts, hears(text_encoder, tokenizer, texts)))
    table = {}
    for name, own in by_attribute.items():
        if own:
            relative = [((states[a] - states[b]).norm() / states[b].norm()).item() for a, b in own]
            low, median, high = np.quantile(relative, [0.25, 0.5, 0.75])
            table[name] = {"pairs": len(own), "median": median, "quartiles": [low, high]}
    return table


def distances(folder: Path, data: Path) -> None:
    text_encoder = load_text_encoder(folder).eval()
    lines = [line for shard in complete_shards(data) for line in read_lines(shard)]
    table = measure(text_encoder, tokens.load(folder / "tokenizer"), lines)
    print(json.dumps(table, indent=1))
