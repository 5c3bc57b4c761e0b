"""A tiny judge in the form that training/export.py writes, its results by transformers and training/judge.py, and metrics of
pictures by scikit-image and of a mean by scipy.

    python tools/parity/metrics.py

writes test/fixtures/judge-tiny, metrics.safetensors and metrics.json (names explained in tools/parity/README.md).
"""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import torch
from PIL import Image
from scipy.stats import bootstrap
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from transformers import CLIPConfig, CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from common import FIXTURES, ROOT, seed_weights, write_json, write_tensors

sys.path.insert(0, str(ROOT))
from training import judge, tokenizer  # noqa: E402
from training.export import PREPROCESSOR  # noqa: E402

SIZE, TOKENS = 32, 12
TABLE = {
    "animal": {"bird": "a bird", "cat": "a cat", "dog": "a dog", "horse": "a horse"},
    "pose": {"lying down": "lying down", "sitting": "sitting", "standing": "standing"},
    "facing": {"left": "facing left", "right": "facing right"},
}
PIXELS = PREPROCESSOR | {"size": {"shortest_edge": SIZE}, "crop_size": {"height": SIZE, "width": SIZE}}
SENTENCES = ["a dog lying down", "a cat facing left, standing", "An unknown Zebra!", ""]
SIZES = [(32, 32), (45, 45), (61, 40), (33, 97), (20, 28), (121, 76), (32, 47)]


def picture(width: int, height: int, number: int) -> np.ndarray:
    """U8 [H, W, 3]: large soft shapes under fine noise."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(coarse, dtype=np.int64) + random.integers(-20, 21, (height, width, 3)), 0, 255).astype(np.uint8)


def centre(model: CLIPModel, pixels: torch.Tensor) -> None:
    """Gives the last norm a bias that spreads the pictures' embeddings: a random tower gives similar ones for all pictures."""
    bias = model.vision_model.post_layernorm.bias
    with torch.no_grad():
        bias.zero_()
        bias.copy_(-model.vision_model(pixel_values=pixels).pooler_output.mean(0).half())


def write_judge() -> None:
    folder = FIXTURES / "judge-tiny"
    shutil.rmtree(folder, ignore_errors=True)
    words = sorted({word for prompts in TABLE.values() for text in prompts.values() for word in text.split(" ")})
    tokenizer.write(folder, words, TOKENS)
    clip_tokenizer = tokenizer.load(folder)
    text = dict(vocab_size=len(clip_tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=TOKENS, bos_token_id=clip_tokenizer.bos_token_id, eos_token_id=clip_tokenizer.eos_token_id, pad_token_id=clip_tokenizer.pad_token_id)
    vision = dict(image_size=SIZE, patch_size=8, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3)
    model = seed_weights(CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)), "judge-tiny", torch.float16)
    with torch.no_grad():
        model.logit_scale.fill_(2.5)
    pictures = [picture(*size, number) for number, size in enumerate(SIZES)]
    pixels = CLIPImageProcessorPil(**PIXELS)(pictures, return_tensors="pt").pixel_values
    centre(model, pixels.double())
    model.half().save_pretrained(folder)
    model.double().eval()
    write_json(folder / "preprocessor_config.json", PIXELS)
    write_json(folder / "attributes.json", TABLE)

    with torch.no_grad():
        seen, said = judge.embed(model, pixels.double(), tokenizer.ids(clip_tokenizer, SENTENCES))
        _, prompts = judge.embed(model, pixels[:1].double(), judge.prompt_ids(clip_tokenizer, TABLE))
        logits = judge.attribute_logits(model.logit_scale.exp().float(), seen, prompts, TABLE)
    named = judge.name(model, clip_tokenizer, TABLE, pixels.double())
    out = {f"picture{number}": torch.from_numpy(x.copy()) for number, x in enumerate(pictures)}
    out |= {"pixels": pixels, "image_embeds": seen, "text_embeds": said, "cosines": seen @ said.T}
    out |= {f"probabilities/{attribute}": own.softmax(1) for attribute, own in zip(TABLE, logits)}
    write_tensors(folder / "reference.safetensors", out, {"command": "python tools/parity/metrics.py"})
    write_json(folder / "reference.json", {"sentences": SENTENCES, "named": named})
    for answer in named:
        print(answer)


def write_figures() -> None:
    tensors, figures = {}, []
    for number, (size, spread) in enumerate([((40, 30), 4), ((33, 57), 40), ((11, 11), 90), ((64, 12), 255)]):
        a, noise = picture(*size, 100 + number), np.random.default_rng(200 + number).integers(-spread, spread + 1, (size[1], size[0], 3))
        b = np.clip(a.astype(np.int64) + noise, 0, 255).astype(np.uint8)
        similarity = structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2)
        tensors |= {f"a{number}": torch.from_numpy(a.copy()), f"b{number}": torch.from_numpy(b.copy())}
        figures.append({"psnr": peak_signal_noise_ratio(a, b, data_range=255), "ssim": similarity})
    values = np.round(np.random.default_rng(7).exponential(size=60) - 0.7, 3)
    found = bootstrap((values,), np.mean, confidence_level=0.9, n_resamples=200_000, method="percentile", rng=np.random.default_rng(8), batch=10_000).confidence_interval
    write_tensors(FIXTURES / "metrics.safetensors", tensors, {"command": "python tools/parity/metrics.py"})
    write_json(FIXTURES / "metrics.json", {"figures": figures, "bootstrap": {"values": values.tolist(), "level": 0.9, "low": float(found.low), "high": float(found.high)}})
    print(json.dumps(figures))


if __name__ == "__main__":
    write_judge()
    write_figures()
