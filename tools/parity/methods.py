"""Compares whole edits by sdedit, negative-prompt, masactrl, direct and null-text with the engine's, on the Menagerie.

    python tools/parity/methods.py [--model checkpoints/menagerie] [--image examples/dog.png] [--only NAME …] [--record]

The references are those of `dump` of sdedit.py, p2p.py and masactrl.py, in float64. methods.ts compares each step from the
reference's own latents, then the whole edit from the photo. Exits with 1 if a result is beyond its tolerance. --record keeps
the table in docs/parity-menagerie.md. An existing reference for the same weights, photo, options and code is used again.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import sys
import time
from datetime import date
from pathlib import Path

import masactrl
import p2p
import sdedit
from common import ROOT
from compare import WORKPLACE, conclude, findings, provenance
from menagerie import DOCUMENT, weights_of

CAPTION = '--source "a brown dog standing on the grass"'
POSE, SNOW = '--target "a brown dog lying down on the grass"', '--target "a white dog standing on the snow"'
COMMON = "--steps 6 --guidance 6"
EDITS = {
    "sdedit": (sdedit, f"{POSE} --strength 0.8 --seed 3"),
    "negative-prompt": (p2p, f"{CAPTION} {POSE} --method negative-prompt --cross-steps 0 --self-steps 0"),
    "negative-prompt, maps": (p2p, f"{CAPTION} {SNOW} --method negative-prompt --mapping replace --cross-steps 0.4 --self-steps 0.6 --blend grass snow dog"),
    "masactrl": (masactrl, f"{POSE} --step 1 --layer 6"),
    "masactrl, caption": (masactrl, f"{CAPTION} {POSE} --step 1 --layer 6 --reference-latents"),
    "masactrl, masks": (masactrl, f"{CAPTION} {POSE} --step 1 --layer 4 --source-word dog --target-word dog --threshold 0.3"),
    "direct": (p2p, f"{CAPTION} {SNOW} --method direct --mapping replace --blend grass snow dog"),
    "null-text": (p2p, f"{CAPTION} {POSE} --method null-text --mapping refine"),
}
CODE = ["attention.py", "baret.py", "common.py", "ddim.py", "pipeline.py"]


def command_of(name: str) -> str:
    module, options = EDITS[name]
    return f"{Path(module.__file__).name} dump {options} {COMMON}"


def reference(name: str, model: Path, image: Path) -> Path:
    """A file that `dump` wrote for these weights, photo and options. Its name is a hash of all that it depends on."""
    module, options = EDITS[name]
    files = [*sorted(file for file in model.rglob("*") if file.is_file()), image, Path(module.__file__), *map(Path(__file__).with_name, CODE)]
    parts = [command_of(name).encode(), *(hashlib.sha256(file.read_bytes()).digest() for file in files)]
    path = WORKPLACE / f"{name.replace(', ', '-')}-{hashlib.sha256(b''.join(parts)).hexdigest()[:12]}.safetensors"
    if not path.exists():
        began = time.time()
        module.main(["dump", "--model", str(model), "--image", str(image), "-o", str(path), *shlex.split(f"{options} {COMMON}")])
        print(f"{path.name}: {time.time() - began:.0f} s", file=sys.stderr, flush=True)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "checkpoints" / "menagerie")
    parser.add_argument("--image", type=Path, default=ROOT / "examples" / "dog.png")
    parser.add_argument("--only", nargs="+", choices=EDITS, default=list(EDITS), metavar="NAME", help="some of: " + "; ".join(EDITS))
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    named = [part for name in options.only for part in (name, reference(name, options.model, options.image))]
    rows = findings("methods.ts", options.model, *named)
    said = "\n".join(f"- {name}: `{command_of(name)}`" for name in options.only)
    return conclude("methods.py", rows, f"{date.today()}. {provenance(**weights_of(options.model))}\n\n{said}", DOCUMENT if options.record else None)


if __name__ == "__main__":
    sys.exit(main())
