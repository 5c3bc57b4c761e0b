"""Tiny AutoencoderKLs: encoder moments, decoded picture, gradient to the latent; square and not.

    python tools/parity/vae.py

writes tiny-sd1/vae (float32, with the attention keys of old folders: query, key, value, proj_attn) and
tiny-sd2/vae (float16, today's keys, its own scaling factor) under test/fixtures.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL

from common import FIXTURES, leaf, normal, seed_weights, uniform, write_json, write_tensors

Tensor = torch.Tensor
SD1 = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.6.0",
    "act_fn": "silu",
    "block_out_channels": [8, 8, 12, 12],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 4,
    "out_channels": 3,
    "sample_size": 128,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
SD2 = {"block_out_channels": [4, 8, 8, 12], "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 64, "scaling_factor": 0.52, "latent_channels": 4, "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}
VAES = {"tiny-sd1": (SD1, torch.float32), "tiny-sd2": (SD2, torch.float16)}
OLD_KEYS = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def build(pipeline: str) -> AutoencoderKL:
    config, store = VAES[pipeline]
    return seed_weights(AutoencoderKL.from_config(config), f"{pipeline}/vae", store)


def stored_weights(pipeline: str, vae: AutoencoderKL) -> dict[str, Tensor]:
    weights = {key: value.to(VAES[pipeline][1]) for key, value in vae.state_dict().items()}
    if pipeline != "tiny-sd1":
        return weights
    renamed = {}
    for key, value in weights.items():
        for new, old in OLD_KEYS.items():
            key = key.replace(f"mid_block.attentions.0.{new}.", f"mid_block.attentions.0.{old}.")
        renamed[key] = value
    return renamed


def reference(pipeline: str, vae: AutoencoderKL) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}
    for kind, (batch, height, width) in {"": (2, 16, 16), "wide/": (1, 24, 40)}.items():
        picture = uniform((batch, 3, height, width), -1, 1, pipeline, kind, "picture")
        posterior = vae.encode(picture).latent_dist
        z = leaf(normal((batch, 4, height // 8, width // 8), pipeline, kind, "z"))
        decoded = vae.decode(z).sample
        target = uniform(tuple(decoded.shape), -1, 1, pipeline, kind, "target")
        loss = (decoded - target).square().mean()
        values = {"picture": picture, "mean": posterior.mean, "logvar": posterior.logvar, "z": z, "decoded": decoded, "target": target, "loss": loss, "grad_z": torch.autograd.grad(loss, z)[0]}
        out |= {f"{kind}{key}": value for key, value in values.items()}
    modules, watched = dict(vae.named_modules()), {}
    paths = ["encoder.conv_in", "encoder.down_blocks.0.resnets.0", "encoder.down_blocks.0.downsamplers.0", "encoder.mid_block.attentions.0", "encoder.mid_block", "encoder.conv_norm_out", "decoder.mid_block", "decoder.up_blocks.0", "decoder.conv_norm_out"]
    hooks = [modules[path].register_forward_hook(lambda _m, _i, result, path=path: watched.__setitem__(path, result[:1])) for path in paths]
    with torch.no_grad():
        vae.encode(out["wide/picture"]), vae.decode(out["wide/z"])
    for hook in hooks:
        hook.remove()
    return out | {f"module/{path}": value for path, value in watched.items() if value.numel() < 3000}


def write(pipeline: str) -> None:
    vae = build(pipeline)
    folder = FIXTURES / pipeline / "vae"
    config = VAES[pipeline][0]
    if "_class_name" not in config:
        config = {"_class_name": "AutoencoderKL", "_diffusers_version": "0.42.1", **{key: value for key, value in vae.config.items() if not key.startswith("_")}}
    write_json(folder / "config.json", config)
    write_tensors(folder / "diffusion_pytorch_model.safetensors", stored_weights(pipeline, vae), {"format": "pt"})
    again = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32)
    assert all(torch.equal(a.double(), b) for a, b in zip(again.state_dict().values(), vae.state_dict().values())), "diffusers reads other weights"
    out = reference(pipeline, vae)
    write_tensors(folder / "reference.safetensors", out, {"command": "python tools/parity/vae.py", "computed": "float64"})
    sizes = [(folder / file).stat().st_size // 1024 for file in ("diffusion_pytorch_model.safetensors", "reference.safetensors")]
    print(f"{pipeline}/vae: weights {sizes[0]} KB, reference {sizes[1]} KB, decoded std {out['decoded'].std():.3f}, mean std {out['mean'].std():.3f}, logvar std {out['logvar'].std():.3f}")


if __name__ == "__main__":
    for each in VAES:
        write(each)
