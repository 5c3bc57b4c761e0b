"""Whole text-to-image loops, 10 steps, guidance 7.5, with the tiny SD1 (ε) and SD2 (v) pipelines.

    python tools/parity/loops.py      (after unets.py, clip.py and vae.py)

completes tiny-sd1 and tiny-sd2 (model_index.json, scheduler/) and writes their reference.safetensors. The values
are float64; the loop is also run by diffusers' own pipeline in float32, and must agree.
"""

from __future__ import annotations

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from transformers import CLIPTokenizer

import clip
import unets
import vae as vaes
from common import FIXTURES, normal, write_json, write_tensors
from ddim import Schedule, guided

TEXT = {"tiny-sd1": "a white cat lying down on the snow", "tiny-sd2": "a brown dog standing in the grass"}
STEPS, GUIDANCE = 10, 7.5
SCHEDULERS = {
    "tiny-sd1": {"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None, "clip_sample": False},
    "tiny-sd2": {"_class_name": "DDIMScheduler", "_diffusers_version": "0.8.0", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": False, "num_train_timesteps": 1000, "prediction_type": "v_prediction", "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None},
}


def write_index(pipeline: str) -> None:
    folder = FIXTURES / pipeline
    write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULERS[pipeline])
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.6.0",
        "feature_extractor": [None, None],
        "safety_checker": [None, None],
        "scheduler": ["diffusers", SCHEDULERS[pipeline]["_class_name"]],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    write_json(folder / "model_index.json", index)


def check_against_diffusers(pipeline: str, noise: torch.Tensor, latent: torch.Tensor, image: torch.Tensor) -> tuple[float, float]:
    """Relative differences (latent, picture) to StableDiffusionPipeline on the written folder, in float32."""
    pipe = StableDiffusionPipeline.from_pretrained(FIXTURES / pipeline, safety_checker=None, torch_dtype=torch.float32)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    options = {"prompt": TEXT[pipeline], "num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "latents": noise.float(), "height": 64, "width": 64}
    with torch.no_grad():
        theirs = pipe(**options, output_type="latent").images.double()
        picture = pipe.vae.decode(theirs.float() / pipe.vae.config.scaling_factor).sample.double()
    return tuple(((a - b).norm() / b.norm()).item() for a, b in ((theirs, latent), (picture, image)))


@torch.no_grad()
def write(pipeline: str) -> None:
    write_index(pipeline)
    unet, vae, encoder = unets.build(f"{pipeline}/unet"), vaes.build(pipeline), clip.build_text_encoder(pipeline)
    tokenizer = CLIPTokenizer.from_pretrained(FIXTURES / pipeline / "tokenizer")
    ids = clip.token_ids(tokenizer, ["", TEXT[pipeline]])
    text = encoder(ids).last_hidden_state
    schedule = Schedule(STEPS, 1, "v_prediction" if pipeline == "tiny-sd2" else "epsilon")
    noise = normal((1, 4, 8, 8), pipeline, "noise")
    z, latents, outputs = noise, [noise], []
    for t in schedule.timesteps:
        unconditional, conditional = unet(z.repeat(2, 1, 1, 1), t, text).sample.chunk(2)
        outputs.append(guided(conditional, unconditional, GUIDANCE))
        z = schedule.denoise(z, outputs[-1], t)
        latents.append(z)
    image = vae.decode(z / vae.config.scaling_factor).sample
    off = check_against_diffusers(pipeline, noise, z, image)
    assert max(off) < 2e-4, off
    out = {"input_ids": ids, "text": text, "timesteps": torch.tensor(schedule.timesteps), "guidance": torch.tensor(GUIDANCE), "noise": noise, "outputs": torch.stack(outputs), "latents": torch.stack(latents), "image": image}
    note = {"command": "python tools/parity/loops.py", "computed": "float64", "prompt": TEXT[pipeline], "scaling_factor": str(vae.config.scaling_factor)}
    write_tensors(FIXTURES / pipeline / "reference.safetensors", out, note)
    print(f"{pipeline}: latent std {[round(x.std().item(), 2) for x in latents]}, image std {image.std():.2f}, diffusers in float32 is off by {off[0]:.1e} / {off[1]:.1e}")


if __name__ == "__main__":
    for each in TEXT:
        write(each)
