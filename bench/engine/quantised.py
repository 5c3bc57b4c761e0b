"""What an 8-bit forward would cost and gain: PYTHON bench/engine/quantised.py (needs torch, diffusers, transformers, onnx, onnxruntime).

Quality: the Menagerie's U-Net with every linear layer and convolution rounded as onnxruntime's integer kernels do it
(weights int8, one scale an output channel; activations uint8, one scale and zero point a tensor, found at each call):
relative error of the noise prediction, and sampled pictures beside those of the whole U-Net. Time: SD1.5's most frequent
shapes as operations of onnxruntime, float32 and integer in turns.
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from diffusers import UNet2DConditionModel
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from training.data import psnr  # noqa: E402
from training.evaluate import Checkpoint  # noqa: E402
from training.generator import decode, sample, scheduler  # noqa: E402
from training.tokenizer import ids  # noqa: E402

SENTENCES = ["a brown dog sitting on the grass", "a white cat lying down on a stone floor", "an orange cow jumping in the snow", "a black horse standing on the beach"]
TIMES = (981, 501, 21)


def rounded_weight(weight: torch.Tensor) -> torch.Tensor:
    scale = weight.flatten(1).abs().amax(1).clamp_min(1e-12) / 127
    scale = scale.view(-1, *[1] * (weight.ndim - 1))
    return (weight / scale).round().clamp(-127, 127) * scale


def rounded_activation(x: torch.Tensor) -> torch.Tensor:
    low, high = x.min().clamp_max(0), x.max().clamp_min(0)
    scale = ((high - low) / 255).clamp_min(1e-12)
    zero = (-low / scale).round()
    return ((x / scale).round() + zero).clamp(0, 255).sub(zero) * scale


def quantise(unet: UNet2DConditionModel, kinds: tuple[type, ...]) -> None:
    for module in unet.modules():
        if isinstance(module, kinds):
            module.weight.data = rounded_weight(module.weight.data)
            module.register_forward_pre_hook(lambda _, args: (rounded_activation(args[0]), *args[1:]))


@torch.no_grad()
def quality() -> None:
    models = Checkpoint(ROOT / "checkpoints")

    def sampled(generator: torch.nn.Module) -> torch.Tensor:
        return sample(generator, models.tokenizer, SENTENCES, 50, 5.0, torch.Generator().manual_seed(0))

    whole = models.generator
    latents = sampled(whole)
    wanted = decode(models.vae, latents)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
    context = whole.text_encoder(ids(models.tokenizer, SENTENCES)).last_hidden_state
    print(f"| rounded to 8 bits | error of the prediction at t = {' | '.join(str(t) for t in TIMES)} | PSNR of sampled pictures, dB: mean | least |")
    print("|---|---|---|---|---|---|")
    for name, kinds in {"linear layers": (torch.nn.Linear,), "convolutions": (torch.nn.Conv2d,), "both": (torch.nn.Linear, torch.nn.Conv2d)}.items():
        rounded = copy.deepcopy(whole)
        quantise(rounded.unet, kinds)
        errors = []
        for t in TIMES:
            noisy = scheduler().add_noise(latents, noise, torch.tensor([t]))
            exact, found = (model.unet(noisy, t, context).sample for model in (whole, rounded))
            errors.append(((found - exact).norm() / exact.norm()).item())
        decibels = psnr(decode(models.vae, sampled(rounded)), wanted)
        print(f"| {name} | {' | '.join(f'{e:.3f}' for e in errors)} | {decibels.mean():.1f} | {decibels.min():.1f} |", flush=True)


def session(nodes: list, constants: dict[str, np.ndarray], shape: list[int]) -> onnxruntime.InferenceSession:
    graph = helper.make_graph(
        nodes, "layer", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    domains = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(helper.make_model(graph, opset_imports=domains, ir_version=10).SerializeToString(), options)


def int8(weight: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    scale = np.abs(weight).max(axis=axes) / 127
    wide = np.expand_dims(scale, axes)
    return np.round(weight / wide).astype(np.int8), scale.astype(np.float32)


def linear(rows: int, inputs: int, outputs: int) -> tuple[list[onnxruntime.InferenceSession], list[int], float]:
    weight = np.random.randn(inputs, outputs).astype(np.float32)
    small, scale = int8(weight, (0,))
    whole = session([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": weight}, [rows, inputs])
    rounded = session(
        [helper.make_node("DynamicQuantizeMatMul", ["x", "w", "s", "z"], ["y"], domain="com.microsoft")],
        {"w": small, "s": scale, "z": np.zeros(outputs, np.int8)}, [rows, inputs],
    )  # fmt: skip
    return [whole, rounded], [rows, inputs], 2 * rows * inputs * outputs


def convolution(channels: int, side: int) -> tuple[list[onnxruntime.InferenceSession], list[int], float]:
    weight = np.random.randn(channels, channels, 3, 3).astype(np.float32)
    small, scale = int8(weight, (1, 2, 3))
    shape = [1, channels, side, side]
    whole = session([helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)], {"w": weight}, shape)
    tail = [
        helper.make_node("Cast", ["n"], ["f"], to=TensorProto.FLOAT), helper.make_node("Mul", ["f", "xs"], ["g"]), helper.make_node("Mul", ["g", "s"], ["y"]),
    ]  # fmt: skip
    head = [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "xs", "xz"]), helper.make_node("ConvInteger", ["q", "w", "xz", "wz"], ["n"], pads=[1] * 4)]
    rounded = session(head + tail, {"w": small, "wz": np.zeros((), np.int8), "s": scale.reshape(1, -1, 1, 1)}, shape)
    return [whole, rounded], shape, 2 * side**2 * channels**2 * 9


def times() -> None:
    print("\n| layer | float32 ms | GFLOP/s | 8 bits ms | float32 / 8 bits |")
    print("|---|---|---|---|---|")
    layers = {f"linear {r}x{i}x{o}": linear(r, i, o) for r, i, o in ((4096, 320, 2560), (1024, 640, 640), (256, 1280, 10240))}
    layers |= {f"convolution 3x3, {c} channels, {s}x{s}": convolution(c, s) for c, s in ((320, 64), (640, 32), (1280, 16))}
    for name, (pair, shape, flop) in layers.items():
        x, seconds = np.random.randn(*shape).astype(np.float32), ([], [])
        for _ in range(12):
            for one, own in zip(pair, seconds):
                began = time.perf_counter()
                one.run(None, {"x": x})
                own.append(time.perf_counter() - began)
        whole, rounded = (statistics.median(own[2:]) for own in seconds)
        print(f"| {name} | {1000 * whole:.2f} | {flop / whole / 1e9:.0f} | {1000 * rounded:.2f} | {whole / rounded:.2f} |", flush=True)


if __name__ == "__main__":
    quality()
    times()
