"""Rendered shards: `NNNNN.safetensors` ("images", U8 [n, H, W, 3]) beside `NNNNN.jsonl` (scene, attributes, captions)."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

SWAPPED = {"left": "right", "right": "left"}


def mirror_words(text: str) -> str:
    """The caption of the mirrored picture: swaps left and right."""
    return " ".join(SWAPPED.get(word, word) for word in text.split(" "))


def complete_shards(folder: Path) -> list[Path]:
    """The .safetensors files of a folder that have their .jsonl, in order."""
    return sorted(p for p in Path(folder).glob("*.safetensors") if p.with_suffix(".jsonl").exists())


def read_lines(shard: Path) -> list[dict]:
    return [json.loads(line) for line in shard.with_suffix(".jsonl").read_text().splitlines() if line]


def edition_of(folder: Path) -> int:
    """The edition of the world whose scenes the shards of a folder show."""
    shards = complete_shards(folder)
    if not shards:
        raise no_shards(folder)
    return read_lines(shards[0])[0]["scene"].get("edition", 1)


def no_shards(folder: Path) -> SystemExit:
    return SystemExit(f"{folder}: no shards (NNNNN.safetensors with NNNNN.jsonl); make them with `baret world shards`")


class Shards:
    """Every picture of the folders in memory, with its attributes and captions."""

    def __init__(self, *folders: str | Path):
        self.folders = [Path(folder) for folder in folders]
        self.blocks: list[np.ndarray] = []
        self.lines: list[dict] = []
        self.where: list[tuple[int, int]] = []
        self.known: set[Path] = set()
        self.refresh()
        for folder in self.folders:
            if not any(shard.parent == folder for shard in self.known):
                raise no_shards(folder)

    def refresh(self) -> None:
        """Adds the shards that were written since the last call."""
        for shard in (s for folder in self.folders for s in complete_shards(folder)):
            if shard in self.known:
                continue
            images, lines = load_file(shard)["images"], read_lines(shard)
            if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or len(images) != len(lines):
                raise SystemExit(f"{shard}: images {images.dtype} {list(images.shape)} with {len(lines)} lines, expected uint8 [n, H, W, 3]")
            self.where += [(len(self.blocks), row) for row in range(len(images))]
            self.blocks.append(images)
            self.lines += lines
            self.known.add(shard)

    def __len__(self) -> int:
        return len(self.lines)

    def picture(self, index: int) -> np.ndarray:
        """U8 [H, W, 3]."""
        block, row = self.where[index]
        return self.blocks[block][row]

    def pictures(self, indices) -> torch.Tensor:
        """Float [n, 3, H, W] in -1..1."""
        return to_float(np.stack([self.picture(i) for i in indices]))


class Draw:
    """Picks examples at random. Portraits, drawings, and animals that wear something or have something beside them are a
    quarter of a data set and are learnt last. So a drawing or an animal with things is picked `rare` times as often as a
    plain scene, and `portraits` is the share of portraits among all picks, whatever their number in the data."""

    def __init__(self, lines: list[dict], rare: float, portraits: float):
        plain = {"style": ("photo",), "wearing": ("nothing", None), "beside": ("nothing", None)}
        seen = [line["attributes"] for line in lines]
        portrait = np.array([own["framing"] != "whole body" for own in seen])
        weights = np.array([rare if any(own[name] not in usual for name, usual in plain.items()) else 1.0 for own in seen])
        if portrait.any() and not portrait.all():
            weights[portrait] = portraits / (1 - portraits) * weights[~portrait].sum() / portrait.sum()
        shares = np.cumsum(weights)
        self.edges = shares / shares[-1]

    def __call__(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Draws the indices of `count` examples."""
        return np.searchsorted(self.edges, rng.random(count), side="right")


def to_float(images: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """U8 [n, H, W, 3] in 0..255 to float [n, 3, H, W] in -1..1 on the device, channels last in memory."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def to_bytes(pictures: torch.Tensor) -> np.ndarray:
    """Float [n, 3, H, W] in -1..1 to U8 [n, H, W, 3]."""
    scaled = (pictures.detach().float().cpu().clamp(-1, 1) + 1) * 127.5
    return scaled.round().byte().permute(0, 2, 3, 1).numpy()


def psnr(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """PSNR in decibels, one for each picture. a and b are in -1..1 (a range of 2); values outside are clamped."""
    error = (a.clamp(-1, 1) - b.clamp(-1, 1)).square().flatten(1).mean(1)
    return 10 * torch.log10(4 / error.clamp_min(1e-10))


def save_sheet(path: Path, rows: list[np.ndarray]) -> None:
    """Writes a PNG of rows of pictures, each U8 [n, H, W, 3]."""
    from PIL import Image

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    width = max(len(row) for row in rows)
    padded = [np.concatenate([row, np.full((width - len(row), *row.shape[1:]), 255, np.uint8)]) for row in rows]
    Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in padded], axis=0)).save(path)
