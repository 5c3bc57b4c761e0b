"""Masks of PIE-Bench's runs, with its border of one pixel.

    python tools/parity/pie.py

writes test/fixtures/pie.json ({case: {runs, set, sha256}}): the number of edited pixels, and the hash of the mask's bytes
(255 if edited), row by row.
"""

from __future__ import annotations

import hashlib

import torch

from common import FIXTURES, write_json

SIDE = 512

CASES = {
    "no runs": [],
    "a rectangle": [value for y in range(100, 140) for value in (y * SIDE + 200, 60)],
    "runs that overlap, touch and wrap around a row": [38000, 300, 38100, 400, 38500, 5, 100 * SIDE + 500, 30],
    "a run beyond the last pixel": [SIDE * 510 + 100, 5000],
    "all of it": [0, SIDE * SIDE],
}


def mask(runs: list[int]) -> torch.Tensor:
    flat = torch.zeros(SIDE * SIDE, dtype=torch.uint8)
    for start, length in zip(runs[::2], runs[1::2]):
        flat[start : start + length] = 255
    square = flat.reshape(SIDE, SIDE)
    square[[0, -1], :] = 255
    square[:, [0, -1]] = 255
    return square


def case(runs: list[int]) -> dict[str, object]:
    pixels = mask(runs)
    return {"runs": runs, "set": int((pixels > 0).sum()), "sha256": hashlib.sha256(pixels.numpy().tobytes()).hexdigest()}


if __name__ == "__main__":
    write_json(FIXTURES / "pie.json", {name: case(runs) for name, runs in CASES.items()})
