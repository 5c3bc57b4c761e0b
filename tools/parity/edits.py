"""Whole BARET edits with the trained Menagerie weights: baret.py's reference against the TypeScript engine.

    python tools/parity/edits.py [--model checkpoints/menagerie] [--steps N] [--record]

A change of pose, a thing added, and several changes at once, each with early stop off (every step, and the pictures)
and on (iteration counts). Exits with 1 if a result is beyond its tolerance. --record keeps the table in
docs/parity-menagerie.md. An existing reference for the same weights and settings is used again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import safe_open

import baret
from common import ROOT, write_tensors
from compare import WORKPLACE, built, conclude, findings, provenance
from menagerie import DOCUMENT, weights_of

KINDS = ["pose", "add", "several"]


def photos() -> list[tuple[dict, Path]]:
    """Tuning pairs, which are not in the benchmark: one of each kind, of combinations that training has."""
    folder = WORKPLACE / "pairs"
    subprocess.run([*built(), "world", "pairs", "--set", "tuning", "--quiet", "-o", str(folder)], stdout=subprocess.DEVNULL, check=True)
    pairs = json.loads((folder / "pairs.json").read_text())
    chosen = [next(pair for pair in pairs if pair["kind"] == kind and not pair["heldOut"]) for kind in KINDS]
    return [(pair, folder / f"{pair['name']}-before.png") for pair in chosen]


def identity(model: Path, photo: Path) -> str:
    """Hash of everything that a reference is computed from, except its settings."""
    code = [Path(__file__).with_name(name) for name in ("baret.py", "attention.py", "ddim.py", "pipeline.py")]
    files = [*sorted(file for file in model.rglob("*") if file.is_file()), photo, *code]
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


def reference(model: Path, pair: dict, photo: Path, early_stop: bool, steps: int | None) -> Path:
    """Writes a reference file, in float64. With early stop it has the inversion alone."""
    given = argparse.Namespace(model=model, image=photo, size=None, target=pair["target"], early_stop=early_stop, steps=steps)
    pipe, settings, picture = baret.prepare(given, torch.float64)
    note = {"title": pair["kind"], "settings": json.dumps(asdict(settings)), "identity": identity(model, photo)}
    path = WORKPLACE / f"{pair['name']}-{'early-stop' if early_stop else 'full'}.safetensors"
    if path.exists():
        with safe_open(path, "pt") as known:
            if known.metadata().items() >= note.items():
                return path
    began = time.time()
    values, _ = baret.run(pipe, picture, settings, edits=not early_stop)
    write_tensors(path, values, note)
    print(f"{path.name}: {time.time() - began:.0f} s", file=sys.stderr, flush=True)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "checkpoints" / "menagerie")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    chosen = photos()
    files = [reference(options.model, *photo, early_stop, options.steps) for photo in chosen for early_stop in (False, True)]
    rows = findings("baret.ts", options.model, WORKPLACE / "expanded", *files)
    said = "\n".join(f"- {pair['kind']}: a photo of *{pair['source']}*, edited towards *{pair['target']}*" for pair, _ in chosen)
    return conclude("edits.py", rows, f"{provenance(**weights_of(options.model))}\n\n{said}", DOCUMENT if options.record else None)


if __name__ == "__main__":
    sys.exit(main())
