"""Tiny U-Nets in the shapes of models that people have: SD1.x, SD2.x, BK-SDM (small, which is also small-sd, and tiny), the Menagerie.

    python tools/parity/unets.py

writes, for each, a component folder with config.json, diffusion_pytorch_model.safetensors and
reference.safetensors (its names are explained in tools/parity/README.md).
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from attention import Rows, install
from common import FIXTURES, leaf, normal, seed_weights, write_model, write_tensors

Tensor = torch.Tensor
SD1 = {
    "_class_name": "UNet2DConditionModel",
    "_diffusers_version": "0.6.0",
    "act_fn": "silu",
    "attention_head_dim": 2,
    "block_out_channels": [8, 8, 12, 12],
    "center_input_sample": False,
    "cross_attention_dim": 16,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 4,
    "out_channels": 4,
    "sample_size": 16,
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
}
SD2 = SD1 | {
    "_diffusers_version": "0.10.0.dev0",
    "attention_head_dim": [1, 2, 2, 4],
    "block_out_channels": [8, 8, 8, 16],
    "cross_attention_dim": 24,
    "dual_cross_attention": False,
    "num_class_embeds": None,
    "only_cross_attention": False,
    "upcast_attention": True,
    "use_linear_projection": True,
}
BK_SMALL = SD1 | {
    "_diffusers_version": "0.15.0",
    "layers_per_block": 1,
    "mid_block_type": None,
    "sample_size": 8,
    "encoder_hid_dim": None,
    "time_embedding_type": "positional",
}
BK_TINY = BK_SMALL | {
    "block_out_channels": [8, 8, 12],
    "down_block_types": ["CrossAttnDownBlock2D"] * 3,
    "up_block_types": ["CrossAttnUpBlock2D"] * 3,
}
MENAGERIE = {
    "block_out_channels": [8, 12, 16],
    "layers_per_block": 1,
    "attention_head_dim": 4,
    "cross_attention_dim": 20,
    "norm_num_groups": 4,
    "sample_size": 8,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3,
    "up_block_types": ["CrossAttnUpBlock2D"] * 3,
}
UNETS: dict[str, tuple[dict, torch.dtype]] = {
    "tiny-sd1/unet": (SD1, torch.float32),
    "tiny-sd2/unet": (SD2, torch.float16),
    "unet-bk-small": (BK_SMALL, torch.float16),
    "unet-bk-tiny": (BK_TINY, torch.bfloat16),
    "unet-menagerie": (MENAGERIE, torch.float16),
}


def build(name: str) -> UNet2DConditionModel:
    """The tiny U-Net of that name, seeded, in float64."""
    config, store = UNETS[name]
    return seed_weights(UNet2DConditionModel.from_config(config), name, store)


def written_config(name: str, unet: UNet2DConditionModel) -> dict:
    """Short configs as in old folders; for the Menagerie the full config that diffusers writes today."""
    config = UNETS[name][0]
    if "_class_name" in config:
        return config
    full = {key: value for key, value in unet.config.items() if key not in ("_use_default_values", "_name_or_path")}
    return {"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.42.1", **full}


def named_parameters(unet: UNet2DConditionModel) -> list[str]:
    """One or two parameters of every kind, without those that a shape lacks."""
    wanted = [
        "conv_in.weight", "conv_in.bias", "time_embedding.linear_1.weight", "time_embedding.linear_2.bias",
        "down_blocks.0.resnets.0.norm1.weight", "down_blocks.0.resnets.0.norm1.bias", "down_blocks.0.resnets.0.conv1.weight",
        "down_blocks.0.resnets.0.time_emb_proj.weight", "down_blocks.0.resnets.0.time_emb_proj.bias",
        "down_blocks.0.attentions.0.norm.weight", "down_blocks.0.attentions.0.proj_in.weight",
        "down_blocks.0.attentions.0.transformer_blocks.0.norm1.weight", "down_blocks.0.attentions.0.transformer_blocks.0.norm2.bias",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_v.weight",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.weight",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0.weight", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0.bias",
        "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj.weight", "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.2.bias",
        "down_blocks.0.downsamplers.0.conv.weight", "down_blocks.1.resnets.0.conv_shortcut.weight",
        "mid_block.attentions.0.transformer_blocks.0.attn1.to_k.weight", "mid_block.resnets.1.conv2.bias",
        "up_blocks.0.upsamplers.0.conv.weight", "up_blocks.1.attentions.0.proj_out.bias", "conv_norm_out.weight", "conv_norm_out.bias", "conv_out.weight", "conv_out.bias",
    ]
    have = dict(unet.named_parameters())
    return [name for name in wanted if name in have]


WATCHED = [
    "time_embedding", "conv_in", "down_blocks.0.resnets.0", "down_blocks.0.attentions.0.proj_in",
    "down_blocks.1.attentions.0.transformer_blocks.0.attn1", "down_blocks.1.attentions.0.transformer_blocks.0.attn2",
    "down_blocks.1.attentions.0.transformer_blocks.0.ff", "down_blocks.1.attentions.0.transformer_blocks.0",
    "down_blocks.0.attentions.0", "down_blocks.0.downsamplers.0", "down_blocks.1.resnets.0", "mid_block.resnets.0", "mid_block.attentions.0", "mid_block",
    "up_blocks.0.resnets.0", "up_blocks.0.upsamplers.0", "up_blocks.1.attentions.0", "conv_norm_out",
]


def guided_loss(unet: UNet2DConditionModel, z: Tensor, t: Tensor, c: Tensor, given: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """mean((a·z + b·(eu + w·(eps − eu)) − target)²) and its gradient to c. c: [B, L, D]."""
    c = leaf(c)
    guided = given["eps_uncond"] + given["w"] * (unet(z, t, c).sample - given["eps_uncond"])
    loss = (given["a"] * z + given["b"] * guided - given["target"]).square().mean()
    return loss, torch.autograd.grad(loss, c)[0]


def reference(name: str, unet: UNet2DConditionModel) -> dict[str, Tensor]:
    size = unet.config.sample_size
    width, length = unet.config.cross_attention_dim, 9
    z, c = normal((2, 4, size, size), name, "sample"), normal((2, length, width), name, "text")
    t = torch.tensor([481, 21])
    out: dict[str, Tensor] = {"sample": z, "timestep": t, "encoder_hidden_states": c}

    watched: dict[str, Tensor] = {}
    modules = {} if name.startswith("unet-bk") or name == "tiny-sd2/unet" else dict(unet.named_modules())
    hooks = [modules[path].register_forward_hook(lambda _m, _i, result, path=path: watched.__setitem__(path, result if isinstance(result, Tensor) else result[0])) for path in WATCHED if path in modules]
    eps = unet(z, t, c).sample
    for hook in hooks:
        hook.remove()
    out["eps"] = eps
    out |= {f"module/{path}": value[:1] for path, value in watched.items()}

    # gradient to the text embedding, for both rows at once and for row 0 alone
    given = {"eps_uncond": normal(z.shape, name, "eu"), "target": normal(z.shape, name, "target"), "a": torch.tensor(1.03).double(), "b": torch.tensor(-0.0625).double(), "w": torch.tensor(7.5).double()}
    out |= {f"loss/{key}": value for key, value in given.items()}
    out["loss/value"], out["loss/grad"] = guided_loss(unet, z, t, c, given)
    first = {key: value[:1] if value.ndim else value for key, value in given.items()}
    out["loss1/value"], out["loss1/grad"] = guided_loss(unet, z[:1], t[:1], c[:1], first)

    # gradients to weights
    noise = normal(z.shape, name, "noise")
    loss = (unet(z, t, c).sample - noise).square().mean()
    names = named_parameters(unet)
    gradients = torch.autograd.grad(loss, [unet.get_parameter(key) for key in names])
    out |= {"weights/noise": noise, "weights/loss": loss} | {f"weights/grad/{key}": value for key, value in zip(names, gradients)}

    # a picture that is not square
    wide = normal((2, 4, size // 2, size + size // 2), name, "wide")
    out |= {"wide/sample": wide, "wide/eps": unet(wide, t, c).sample}

    with torch.no_grad():
        maps: dict[str, Tensor] = {}
        paths = install(unet, maps=maps)
        same = unet(z, t, c).sample
        assert torch.allclose(same, eps, rtol=1e-9, atol=1e-10), "our attention differs from diffusers'"
        cross = "down_blocks.0.attentions.0.transformer_blocks.0.attn2"
        own = f"down_blocks.{1 if size == 8 else 2}.attentions.0.transformer_blocks.0.attn1"
        up = [path for path in paths if path.startswith("up_blocks.1") and path.endswith("attn2")][0]
        out |= {f"attention/{path}": maps[path] for path in (own, cross, up)}
        out |= routed(name, unet, size, length, width)
    return out


def routed(name: str, unet: UNet2DConditionModel, size: int, length: int, width: int) -> dict[str, Tensor]:
    """Rows that borrow: 0 reconstruction, 1 transition, 2 edit. At every site, and at the finest level only."""
    z, c, t = normal((3, 4, size, size), name, "routed"), normal((3, length, width), name, "routed text"), torch.tensor([401, 401, 401])
    routes = {"self": Rows(torch.tensor([0, 1, 0]), torch.tensor([0, 1, 0])), "cross": Rows(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 1]), torch.tensor([0, 1, 2]))}
    keys_values = Rows(None, torch.tensor([0, 0, 0]), torch.tensor([0, 0, 0]))
    pick = lambda is_cross: routes["cross" if is_cross else "self"]
    own = torch.arange(3)
    out = {"routed/sample": z, "routed/timestep": t, "routed/encoder_hidden_states": c}
    out |= {f"routed/{kind}/{part}": getattr(rows, part) if getattr(rows, part) is not None else own for kind, rows in routes.items() for part in "qkv"}
    install(unet, lambda _path, is_cross, _tokens: pick(is_cross))
    out["routed/eps"] = unet(z, t, c).sample
    install(unet, lambda _path, is_cross, tokens: pick(is_cross) if tokens == size * size else Rows())
    out["routed/eps_finest"] = unet(z, t, c).sample
    install(unet, lambda _path, is_cross, _tokens: Rows() if is_cross else keys_values)
    out["routed/eps_self_kv_from_0"] = unet(z, t, c).sample
    return out


def write(name: str) -> None:
    unet = build(name)
    folder: Path = FIXTURES / name
    write_model(folder, "diffusion_pytorch_model.safetensors", unet, written_config(name, unet), UNETS[name][1])
    out = reference(name, unet)
    write_tensors(folder / "reference.safetensors", out, {"command": "python tools/parity/unets.py", "computed": "float64"})
    sizes = [(folder / file).stat().st_size // 1024 for file in ("diffusion_pytorch_model.safetensors", "reference.safetensors")]
    print(f"{name}: weights {sizes[0]} KB, reference {sizes[1]} KB, eps std {out['eps'].std():.3f}, |grad| {out['loss/grad'].norm():.2e}")


if __name__ == "__main__":
    for each in UNETS:
        write(each)
