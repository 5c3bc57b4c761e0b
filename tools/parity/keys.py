"""Weight names and shapes of Stable Diffusion 1.x and 2.x in both layouts, and the mapping between them.

The names of the original layout come from the original code (CompVis/Stability's `ldm` package and OpenCLIP), built on
the meta device. The mapping comes from diffusers' own conversion, run on tensors that carry their index and take no
memory. Writes test/weights/fixtures/keys.json.gz.

    pip download --no-deps -d /tmp/dl stable-diffusion-sdkit==2.1.5 open-clip-torch==3.3.0
    for w in /tmp/dl/*.whl; do python -m zipfile -e $w /tmp/dl/site; done
    pip install --no-deps --target /tmp/dl/site einops ftfy
    PYTHONPATH=/tmp/dl/site python tools/parity/keys.py
"""

import gzip
import json
import sys
import types
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils as convert
from transformers import CLIPTextConfig, CLIPTextModel

# ldm's and OpenCLIP's packages import training, image and model-zoo libraries that the networks do not need.
class Anything(types.ModuleType):
    """Stands in for a library that the networks do not use."""

    def __getattr__(self, name):
        return list


for name in ["torchvision", "torchvision.ops", "torchvision.ops.misc", "torchvision.transforms",
             "torchvision.transforms.functional", "timm", "timm.layers", "timm.models", "timm.models.layers",
             "omegaconf", "omegaconf.listconfig"]:
    sys.modules.setdefault(name, Anything(name))

OUT = Path(__file__).parents[2] / "test/weights/fixtures/keys.json.gz"

UNET = dict(
    act_fn="silu",
    block_out_channels=[320, 640, 1280, 1280],
    center_input_sample=False,
    down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    downsample_padding=1,
    flip_sin_to_cos=True,
    freq_shift=0,
    in_channels=4,
    layers_per_block=2,
    mid_block_scale_factor=1,
    norm_eps=1e-5,
    norm_num_groups=32,
    out_channels=4,
    up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
)
VAE = dict(
    act_fn="silu",
    block_out_channels=[128, 256, 512, 512],
    down_block_types=["DownEncoderBlock2D"] * 4,
    in_channels=3,
    latent_channels=4,
    layers_per_block=2,
    norm_num_groups=32,
    out_channels=3,
    scaling_factor=0.18215,
    up_block_types=["UpDecoderBlock2D"] * 4,
)
TEXT = dict(layer_norm_eps=1e-5, max_position_embeddings=77, vocab_size=49408)
FAMILIES = {
    "SD1.x": dict(
        unet=dict(UNET, attention_head_dim=8, cross_attention_dim=768),
        text=dict(TEXT, hidden_act="quick_gelu", hidden_size=768, intermediate_size=3072, num_attention_heads=12,
                  num_hidden_layers=12),
        ldm=dict(context_dim=768, num_heads=8),
    ),
    "SD2.x": dict(
        unet=dict(UNET, attention_head_dim=[5, 10, 20, 20], cross_attention_dim=1024, use_linear_projection=True),
        text=dict(TEXT, hidden_act="gelu", hidden_size=1024, intermediate_size=4096, num_attention_heads=16,
                  num_hidden_layers=23),
        ldm=dict(context_dim=1024, num_head_channels=64, use_linear_in_transformer=True),
    ),
}


def original_shapes(family, text_model):
    """State dict of the original checkpoint: name -> shape."""
    from ldm.modules.diffusionmodules.model import Decoder, Encoder
    from ldm.modules.diffusionmodules.openaimodel import UNetModel

    with torch.device("meta"):
        unet = UNetModel(
            image_size=32, in_channels=4, out_channels=4, model_channels=320, attention_resolutions=[4, 2, 1],
            num_res_blocks=2, channel_mult=[1, 2, 4, 4], use_spatial_transformer=True, transformer_depth=1,
            use_checkpoint=False, legacy=False, **family["ldm"],
        )
        dd = dict(double_z=True, z_channels=4, resolution=256, in_channels=3, out_ch=3, ch=128, ch_mult=[1, 2, 4, 4],
                  num_res_blocks=2, attn_resolutions=[], dropout=0.0)
        vae = torch.nn.ModuleDict(dict(encoder=Encoder(**dd), decoder=Decoder(**dd), quant_conv=torch.nn.Conv2d(8, 8, 1),
                                       post_quant_conv=torch.nn.Conv2d(4, 4, 1)))
    shapes = {f"model.diffusion_model.{k}": v.shape for k, v in unet.state_dict().items()}
    shapes |= {f"first_stage_model.{k}": v.shape for k, v in vae.state_dict().items()}
    if family["ldm"]["context_dim"] == 768:
        shapes |= {f"cond_stage_model.transformer.text_model.{k}": v.shape for k, v in text_model.state_dict().items()}
    else:
        shapes |= {f"cond_stage_model.model.{k}": s for k, s in open_clip_shapes().items()}
    return {k: list(s) for k, s in shapes.items()}


def open_clip_shapes():
    """OpenCLIP ViT-H/14 as SD2's FrozenOpenCLIPEmbedder holds it: without the vision tower."""
    import importlib.util

    # Past open_clip/__init__.py, which imports every tool of the package.
    root = Path(importlib.util.find_spec("open_clip").submodule_search_locations[0])
    package = types.ModuleType("open_clip")
    package.__path__ = [str(root)]
    sys.modules["open_clip"] = package
    from open_clip.transformer import Transformer

    with torch.device("meta"):
        layers = Transformer(width=1024, layers=24, heads=16)
        ln = torch.nn.LayerNorm(1024)
    shapes = {f"transformer.{k}": v.shape for k, v in layers.state_dict().items()}
    shapes |= {f"ln_final.{k}": v.shape for k, v in ln.state_dict().items()}
    return shapes | {
        "positional_embedding": (77, 1024),
        "token_embedding.weight": (49408, 1024),
        "text_projection": (1024, 1024),
        "logit_scale": (),
    }


def numbered(shapes):
    """Tensors of these shapes that hold 4 x their number, plus 0, 1, 2 in the three thirds of their rows; no memory."""
    out = {}
    for i, (name, shape) in enumerate(shapes.items()):
        value = torch.full([1] * max(len(shape), 1), 4 * i, dtype=torch.int32)
        if "in_proj" in name:
            third = torch.arange(3, dtype=torch.int32).repeat_interleave(shape[0] // 3)
            value = value + third.reshape([-1] + [1] * (len(shape) - 1))
        out[name] = value.expand(shape or [1])
    return out


def main():
    result = {}
    for name, family in FAMILIES.items():
        with torch.device("meta"):
            unet = UNet2DConditionModel(**family["unet"])
            vae = AutoencoderKL(**VAE)
            text = CLIPTextModel(CLIPTextConfig(**family["text"]))
        shapes = original_shapes(family, text)
        names = list(shapes)
        checkpoint = numbered(shapes)
        converted = dict(
            unet=convert.convert_ldm_unet_checkpoint(dict(checkpoint), dict(unet.config)),
            vae=convert.convert_ldm_vae_checkpoint(dict(checkpoint), dict(vae.config)),
        )
        if name == "SD1.x":
            converted["text"] = convert.convert_ldm_clip_checkpoint(dict(checkpoint))
        else:
            converted["text"] = convert.convert_open_clip_checkpoint(text, dict(checkpoint))
            for extra in ["text_projection", "text_projection.weight", "text_model.text_projection"]:
                converted["text"].pop(extra, None)
        parts = {}
        for part, model in dict(unet=unet, vae=vae, text=text).items():
            prefix = "text_model." if part == "text" else ""
            want = {prefix + k: list(v.shape) for k, v in model.state_dict().items() if "position_ids" not in k}
            got = {k: v for k, v in converted[part].items() if k in want}
            missing = want.keys() - got.keys()
            left = [k for k in converted[part] if k not in want]
            assert not missing, f"{name} {part}: {sorted(missing)[:5]}"
            print(name, part, len(want), "left over:", left)
            parts[part] = {k: [want[k], names[int(got[k].flatten()[0]) // 4], int(got[k].flatten()[0]) % 4] for k in want}
        config = dict(unet=family["unet"], vae=VAE, text=family["text"])
        result[name] = dict(config=config, original=shapes, parts=parts)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(gzip.compress(json.dumps(result, separators=(",", ":")).encode(), 9, mtime=0))
    print(OUT, OUT.stat().st_size)


main()
