"""SD1.5 and SD2.1 at their full configuration, with random weights: PyTorch against the TypeScript engine.

    npm run build && python tools/parity/full.py [sd15] [sd21] [--folder .cache/full] [--keep]

writes each model as a diffusers folder and as a single file in the original layout (float16, seeded), computes U-Net,
gradient to the text embedding, VAE and text encoder in PyTorch float32, has tools/parity/full.ts compute the same from
both layouts, prints a table, and exits with 1 if a result is beyond its tolerance. The models (4.2 and 5 GB, and as
much again while the engine has them expanded to float32) are deleted unless --keep. Needs about 10 GB of memory.

    python tools/parity/full.py sd15 --write-only --folder DIR

writes the model and the references, and stops there.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from common import FIXTURES, ROOT, generator, leaf, normal, seeded_values, uniform, write_json, write_tensors
from unets import guided_loss

Tensor = torch.Tensor
KEYS = ROOT / "test" / "weights" / "fixtures" / "keys.json.gz"
FAMILIES = {"sd15": "SD1.x", "sd21": "SD2.x"}
PREDICTION = {"sd15": "epsilon", "sd21": "v_prediction"}
FILES = {"unet": ("unet", "diffusion_pytorch_model"), "vae": ("vae", "diffusion_pytorch_model"), "text": ("text_encoder", "model")}
CLASSES = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text": CLIPTextModel}
PREFIX = {"unet": "", "vae": "", "text": "text_model."}
SIDE = 64
TOKENS = 77


def config_of(family: dict, part: str) -> dict:
    config = family["config"][part]
    if part == "text":
        return {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model", "eos_token_id": 2, **config}
    own = {"sample_size": SIDE} if part == "unet" else {"sample_size": 8 * SIDE}
    return {"_class_name": CLASSES[part].__name__, **config, **own}


def skeleton(family: dict, part: str) -> torch.nn.Module:
    """The network without its weights."""
    config = {key: value for key, value in config_of(family, part).items() if not key.startswith("_")}
    with torch.device("meta"):
        return CLIPTextModel(CLIPTextConfig(**config)) if part == "text" else CLASSES[part](**config)


def key_of(part: str, name: str) -> str:
    """The key of a parameter in a Stable Diffusion checkpoint, for every release of transformers."""
    return name if name.startswith(PREFIX[part]) else PREFIX[part] + name


def write_model(name: str, family: dict, folder: Path) -> tuple[Path, Path]:
    """Writes both layouts. Returns the diffusers folder and the single file."""
    diffusers, single = folder / name, folder / f"{name}.safetensors"
    original: dict[str, Tensor] = {}
    fused: dict[str, list[Tensor]] = {}
    for part, (subfolder, stem) in FILES.items():
        weights = {key_of(part, key): value for key, value in seeded_values(skeleton(family, part), f"full/{name}/{part}", torch.float16)}
        (diffusers / subfolder).mkdir(parents=True, exist_ok=True)
        save_file(weights, diffusers / subfolder / f"{stem}.safetensors", {"format": "pt"})
        write_json(diffusers / subfolder / "config.json", config_of(family, part))
        for key, (_, old, third) in family["parts"][part].items():
            if "in_proj" in old:
                fused.setdefault(old, [None] * 3)[third] = weights[key]
            else:
                original[old] = weights[key].reshape(family["original"][old])
    original |= {key: torch.cat(parts) for key, parts in fused.items()}
    for key, shape in family["original"].items():
        if key not in original:  # what Stable Diffusion does not use
            original[key] = torch.randn(shape, generator=generator("full", name, key)).half()
    save_file(original, single)
    write_json(diffusers / "model_index.json", json.loads((FIXTURES / "tiny-sd2" / "model_index.json").read_text()))
    scheduler = json.loads((FIXTURES / "tiny-sd2" / "scheduler" / "scheduler_config.json").read_text())
    write_json(diffusers / "scheduler" / "scheduler_config.json", scheduler | {"prediction_type": PREDICTION[name]})
    shutil.copytree(FIXTURES / "tiny-sd1" / "tokenizer", diffusers / "tokenizer", dirs_exist_ok=True)
    return diffusers, single


def load(name: str, family: dict, folder: Path, part: str) -> torch.nn.Module:
    """The network in float32."""
    subfolder, stem = FILES[part]
    stored = load_file(folder / name / subfolder / f"{stem}.safetensors")
    network = skeleton(family, part)
    weights = {key: stored.pop(key_of(part, key)).float() for key, _ in network.named_parameters()}
    network.load_state_dict(weights, strict=False, assign=True)
    for path, module in network.named_modules():  # tables that are no weights, and were left on "meta"
        for key, buffer in module.named_buffers(recurse=False):
            assert key == "position_ids", path
            module.register_buffer(key, torch.arange(buffer.shape[-1])[None], persistent=False)
    return network.eval().requires_grad_(False)


def reference(name: str, family: dict, folder: Path) -> dict[str, Tensor]:
    """Inputs, and PyTorch's results for them in float32."""
    width = family["config"]["unet"]["cross_attention_dim"]
    given = lambda shape, what, scale=1.0: normal(shape, "full", name, what, scale=scale).float()
    latent = (1, 4, SIDE, SIDE)
    out = {"sample": given(latent, "sample"), "timestep": torch.tensor([481.0]), "context": given((1, TOKENS, width), "context")}
    loss = {"a": torch.tensor(1.03), "b": torch.tensor(-0.0625), "w": torch.tensor(7.5), "eps_uncond": given(latent, "eps_uncond"), "target": given(latent, "target")}
    unet = load(name, family, folder, "unet")
    with torch.no_grad():
        out["eps"] = unet(out["sample"], out["timestep"], out["context"]).sample
    unet.enable_gradient_checkpointing()  # acts in training mode only, where these networks compute the same
    out["loss"], out["gradient"] = guided_loss(unet.train(), out["sample"], out["timestep"], out["context"], loss)
    out |= {f"given.{key}": value for key, value in loss.items()}
    del unet
    vae = load(name, family, folder, "vae")
    out["picture"] = uniform((1, 3, 8 * SIDE, 8 * SIDE), -1, 1, "full", name, "picture").float()
    out["latent"] = given(latent, "latent")
    with torch.no_grad():
        posterior = vae.encode(out["picture"]).latent_dist
        out |= {"mean": posterior.mean, "logvar": posterior.parameters.chunk(2, dim=1)[1], "decoded": vae.decode(out["latent"]).sample}
    del vae
    text = load(name, family, folder, "text")
    vocabulary = family["config"]["text"]["vocab_size"]
    out["ids"] = torch.randint(0, vocabulary, (2, TOKENS), generator=generator("full", name, "ids"))
    with torch.no_grad():
        out["hidden"] = text(out["ids"]).last_hidden_state
    return out


def engine(place: Path, name: str, references: Path, cache: Path) -> list[dict]:
    """Compares the TypeScript engine's results from `place`: [{what, error, tolerance, seconds}]."""
    command = ["node", str(ROOT / "tools" / "run.mjs"), "tools/parity/full.ts", str(place), str(references), "--cache", str(cache), "--prediction", PREDICTION[name]]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    # No `choices`: before Python 3.12, they refuse the empty list.
    parser.add_argument("models", nargs="*", metavar="sd15|sd21", help="default: both")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "full")
    parser.add_argument("--keep", action="store_true", help="leave the models where they are")
    parser.add_argument("--write-only", action="store_true")
    options = parser.parse_args()
    unknown = [name for name in options.models if name not in FAMILIES]
    if unknown:
        parser.error(f"no such model: {', '.join(unknown)}; choose from {', '.join(FAMILIES)}")
    torch.set_num_threads(len(__import__("os").sched_getaffinity(0)))
    keys = json.loads(gzip.decompress(KEYS.read_bytes()))
    passed = True
    for name in options.models or FAMILIES:
        family, folder = keys[FAMILIES[name]], options.folder
        references, cache = folder / f"{name}-reference.safetensors", folder / "expanded"
        began = time.time()
        places = write_model(name, family, folder)
        write_tensors(references, reference(name, family, folder))
        print(f"{name}: weights and references in {time.time() - began:.0f} s", flush=True)
        if options.write_only:
            continue
        for place in places:
            kind = "single file" if place.is_file() else "diffusers folder"
            for row in engine(place, name, references, cache):
                good = row["error"] <= row["tolerance"]
                passed &= good
                print(f"{name} | {kind} | {row['what']} | {row['error']:.1e} | {row['tolerance']:.0e} | {'ok' if good else 'BEYOND'}", flush=True)
            shutil.rmtree(cache, ignore_errors=True)
        if not options.keep:
            shutil.rmtree(places[0])
            places[1].unlink()
            references.unlink()
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
