"""Perceptual metrics with random weights, by programs that share no code with ours: LPIPS by the lpips package and by
torchmetrics, PIE-Bench's metrics by torchmetrics, structure distance on timm's vision transformer, layers of a CLIP tower by
transformers.

    python tools/parity/perceptual.py [--full [--record]]

writes test/fixtures/perceptual (names explained in tools/parity/README.md). LPIPS has its real size. Weights are not stored:
`drawn` gives the same numbers here and in test/metrics/drawn.ts. --full compares with the engine instead, with the linear
weights of the lpips package and with DINO at its real size; --record keeps the table in docs/metrics.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections import OrderedDict
from functools import partial
from pathlib import Path

import lpips
import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from torchmetrics.functional.image.lpips import _LPIPS
from torchmetrics.functional.multimodal import clip_score
from torchvision.transforms.v2.functional import InterpolationMode, resize
from transformers import CLIPModel, CLIPProcessor, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from common import FIXTURES, ROOT, write_json, write_tensors
from compare import WORKPLACE, conclude, findings, provenance
from metrics import picture

Tensor = torch.Tensor
FOLDER = FIXTURES / "perceptual"
NETS = {"alex": "alex", "vgg16": "vgg", "squeeze": "squeeze"}
PAIRS = [((64, 64), 25), ((53, 70), 90), ((97, 65), 255)]
"""Width, height and spread of the noise between a and b."""
DINO = dict(img_size=32, patch_size=8, embed_dim=24, depth=3, num_heads=3)
DINO_B8 = dict(img_size=224, patch_size=8, embed_dim=768, depth=12, num_heads=12)
PROMPTS = ["a dog lying down", "a cat facing left", "sitting"]


# --- weights -----------------------------------------------------------------------------------------------------


def uniform(name: str, count: int) -> np.ndarray:
    """float64 numbers in [-1, 1): a hash of the number's index and of the tensor's name."""
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(zlib.crc32(name.encode()))
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x21F0AAAD)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x735A2D97)
    x ^= x >> np.uint32(15)
    return x.astype(np.float64) / 2**31 - 1


def drawn(name: str, shape: tuple[int, ...]) -> Tensor:
    """A weight whose numbers follow from its name. No norm scale is 1, and no bias is 0."""
    u = uniform(name, int(np.prod(shape)))
    if name.startswith("lin"):
        values = 0.05 * (u + 1)
    elif "norm" in name and name.endswith("weight"):
        values = 1 + 0.3 * u
    elif len(shape) == 1 or name in ("cls_token", "pos_embed"):
        values = 0.2 * u
    else:
        values = u * np.sqrt(6 / np.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32)).double().reshape(shape)


def fill(model: torch.nn.Module, name_of=lambda key: key) -> torch.nn.Module:
    with torch.no_grad():
        for key, value in model.named_parameters():
            value.copy_(drawn(name_of(key), tuple(value.shape)))
    return model.double().eval()


def in_torchvision(key: str) -> str:
    """The name in torchvision of a weight of LPIPS: "net.slice2.3.weight" (or "net.slices.1.3.weight") is "features.3.weight"."""
    parts = key.split(".")
    if parts[0] != "net":
        return key
    rest = parts[3:] if parts[1] == "slices" else parts[2:]
    return ".".join(["features", *rest])


# --- metrics -----------------------------------------------------------------------------------------------------


def unit(picture: Tensor) -> Tensor:
    """U8 [H, W, 3] -> float64 [1, 3, H, W] in 0..1."""
    return picture.double().permute(2, 0, 1)[None] / 255


def lpips_of(net: str, pairs: list[tuple[Tensor, Tensor]]) -> list[float]:
    model = fill(lpips.LPIPS(net=NETS[net], pretrained=False, pnet_rand=True, verbose=False), in_torchvision)
    for k, lin in enumerate(model.lins):
        assert torch.equal(lin.model[1].weight, drawn(f"lin{k}.model.1.weight", tuple(lin.model[1].weight.shape)))
    other = fill(_LPIPS(pretrained=False, net=NETS[net], pnet_rand=True), in_torchvision)
    values = []
    with torch.no_grad():
        for a, b in pairs:
            x, y = unit(a) * 2 - 1, unit(b) * 2 - 1
            values.append(float(model(x, y)))
            print(f"{net}: lpips {values[-1]:.7f}, torchmetrics {float(other(x, y)):.7f}")
    return values


def write_linear(net: str) -> None:
    """Linear weights as the lpips package's files have them: torch.save's layout before PyTorch 1.6.

    Its keys are memory addresses, so a file that holds the same weights is kept.
    """
    channels = {"alex": [64, 192, 384, 256, 256], "vgg16": [64, 128, 256, 512, 512], "squeeze": [64, 128, 256, 384, 384, 512, 512]}[net]
    names = [f"lin{k}.model.1.weight" for k in range(len(channels))]
    weights = OrderedDict((name, drawn(name, (1, c, 1, 1)).float()) for name, c in zip(names, channels))
    path = FOLDER / f"{NETS[net]}.pth"
    known = torch.load(path, weights_only=True) if path.exists() else {}
    if known.keys() != weights.keys() or any(not torch.equal(known[name], weights[name]) for name in names):
        torch.save(weights, path, _use_new_zipfile_serialization=False)


def dino(sizes: dict[str, int]) -> VisionTransformer:
    return fill(VisionTransformer(num_classes=0, qkv_bias=True, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), **sizes))


def structure(a: Tensor, b: Tensor, model: VisionTransformer, pie: bool) -> float:
    keys: list[Tensor] = []
    width, side = model.embed_dim, model.patch_embed.img_size
    hook = model.blocks[-1].attn.qkv.register_forward_hook(lambda _m, _i, out: keys.append(out[..., width : 2 * width]))
    mean, deviation = (torch.tensor(v).double()[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    similarity = []
    for x in (a, b):
        x = x.double().permute(2, 0, 1)[None]
        x = resize(x, list(side), InterpolationMode.BILINEAR, antialias=not pie)
        model(((x if pie else x / 255) - mean) / deviation)
        k = keys[-1][0]
        length = k.norm(dim=1, keepdim=True)
        similarity.append(k @ k.T / (length @ length.T).clamp(min=1e-8))
    hook.remove()
    return float(((similarity[0] - similarity[1]) ** 2).mean())


class Scored(torch.nn.Module):
    """A CLIPModel as torchmetrics expects it: transformers 5 returns the features of pictures and texts inside an object."""

    def __init__(self, model: CLIPModel) -> None:
        super().__init__()
        self.model, self.config = model, model.config

    def get_image_features(self, pixels: Tensor) -> Tensor:
        return self.model.get_image_features(pixels).pooler_output

    def get_text_features(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.model.get_text_features(ids, mask).pooler_output


def ssim(a: Tensor, b: Tensor) -> float:
    """SSIM as torchmetrics had it when PIE-Bench appeared (1.2): without the border that it pads. 1.9 counts the border."""
    _, full = structural_similarity_index_measure(a, b, data_range=1.0, return_full_image=True)
    return float(full[..., 5:-5, 5:-5].mean())


def layer_distances(a: Tensor, b: Tensor, model: CLIPModel, processor: CLIPProcessor) -> list[float]:
    pixels = processor(images=[a.permute(2, 0, 1), b.permute(2, 0, 1)], return_tensors="pt").pixel_values.double()
    layers = model.vision_model(pixel_values=pixels, output_hidden_states=True).hidden_states[1:-1]
    distances = []
    for h in layers:
        patches = h[:, 1:] / h[:, 1:].norm(dim=-1, keepdim=True)
        distances.append(float(((patches[0] - patches[1]) ** 2).sum(-1).mean()))
    return distances


def pair(width: int, height: int, spread: int, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """An edit, its photo, and the pixels to keep."""
    random = np.random.default_rng(300 + number)
    a = picture(width, height, 400 + number)
    b = np.clip(a.astype(np.int64) + random.integers(-spread, spread + 1, a.shape), 0, 255).astype(np.uint8)
    kept = (random.random((height, width)) < 0.5) | (np.arange(width) < width // 3)
    a, b, kept = (torch.from_numpy(x.copy()) for x in (a, b, kept))
    return a, b, kept


def write_fixtures() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    pairs, masked = [], []
    for number, ((width, height), spread) in enumerate(PAIRS):
        a, b, kept = pair(width, height, spread, number)
        pairs.append((a, b))
        masked.append((a * kept[..., None], b * kept[..., None]))
        tensors |= {f"a{number}": a, f"b{number}": b, f"kept{number}": kept.to(torch.uint8) * 255}

    expected: dict[str, object] = {}
    for net in NETS:
        write_linear(net)
        expected[f"lpips-{net}"] = lpips_of(net, pairs)
    expected["pie-lpips"] = lpips_of("squeeze", masked)
    expected["pie-psnr"] = [float(peak_signal_noise_ratio(unit(x), unit(y), data_range=1.0)) for x, y in masked]
    expected["pie-mse"] = [float(((unit(x) - unit(y)) ** 2).mean()) for x, y in masked]
    expected["pie-ssim"] = [ssim(unit(x), unit(y)) for x, y in masked]

    judge = str(FIXTURES / "judge-tiny")
    model = CLIPModel.from_pretrained(judge).float().eval()
    processor = CLIPProcessor(CLIPImageProcessorPil.from_pretrained(judge), CLIPTokenizer.from_pretrained(judge))
    edited = [a * (tensors[f"kept{n}"] == 0)[..., None] for n, (a, _) in enumerate(pairs)]
    for name, pictures in {"pie-clip-whole": [a for a, _ in pairs], "pie-clip-edited": edited}.items():
        with torch.no_grad():
            expected[name] = [float(clip_score(x.permute(2, 0, 1), text, lambda: (Scored(model), processor)).clamp(min=0)) for x, text in zip(pictures, PROMPTS)]
    model.double()
    tiny = dino(DINO)
    with torch.no_grad():
        expected["pie-structure"] = [structure(a, b, tiny, True) for a, b in pairs]
        expected["structure"] = [structure(a, b, tiny, False) for a, b in pairs]
        expected["judge-layers"] = [layer_distances(a, b, model, processor) for a, b in pairs]
    write_tensors(FOLDER / "pictures.safetensors", tensors, {"command": "python tools/parity/perceptual.py"})
    write_json(FOLDER / "expected.json", {"prompts": PROMPTS, "values": expected})
    for name, values in expected.items():
        print(name, values)


def compare_full(record: Path | None) -> int:
    tensors: dict[str, Tensor] = {}
    for number, spread in enumerate((40, 200)):
        tensors[f"a{number}"], tensors[f"b{number}"], _ = pair(256, 256, spread, 50 + number)
    pairs = [(tensors[f"a{number}"], tensors[f"b{number}"]) for number in range(2)]
    expected: dict[str, list[float]] = {}
    with torch.no_grad():
        for net, short in NETS.items():
            model = lpips.LPIPS(net=short, pretrained=True, pnet_rand=True, verbose=False)
            for key, value in model.net.named_parameters():
                value.copy_(drawn(in_torchvision(f"net.{key}"), tuple(value.shape)))
            tensors |= {f"{net}/lin{k}.model.1.weight": lin.model[1].weight.clone() for k, lin in enumerate(model.lins)}
            model.double()
            expected[net] = [float(model(unit(a) * 2 - 1, unit(b) * 2 - 1)) for a, b in pairs]
        whole = dino(DINO_B8)
        expected["pie-bench"] = [structure(a, b, whole, True) for a, b in pairs]
        expected["imagenet"] = [structure(a, b, whole, False) for a, b in pairs]
    references = WORKPLACE / "perceptual.safetensors"
    write_tensors(references, tensors, {"expected": json.dumps(expected)})
    package = Path(lpips.__file__).parent / "weights" / "v0.1"
    rows = findings("perceptual.ts", references, package, WORKPLACE / "expanded")
    said = provenance("lpips", "timm", "torch", **{f"{short}.pth": package / f"{short}.pth" for short in NETS.values()})
    return conclude("perceptual.py", rows, said, record)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    if options.full:
        return compare_full(ROOT / "docs" / "metrics.md" if options.record else None)
    write_fixtures()
    return 0


if __name__ == "__main__":
    sys.exit(main())
