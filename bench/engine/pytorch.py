"""PyTorch's side of `npm run bench -- engine`: diffusers' U-Net over the same weights, one timed call for each line.

A line of standard input is {"task": "forward" | "gradient" | "matmul", "batch", "dtype", "layout", "output"?}; the answer
is a line {"seconds": ...}. "output": a file for the noise prediction. Scaled-dot-product attention is diffusers' default.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import diffusers
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Networks:
    """One copy for each dtype, in the layout that was last asked for."""

    def __init__(self, config: dict, weights: Path) -> None:
        config = {key: value for key, value in config.items() if not key.startswith("_")}
        self.weights, self.config = weights, config
        self.copies: dict[str, tuple[str, UNet2DConditionModel]] = {}
        self.warm: set[str] = set()

    def get(self, dtype: str, layout: str) -> UNet2DConditionModel:
        known = self.copies.get(dtype)
        if known is None:
            with torch.device("meta"):
                network = UNet2DConditionModel(**self.config)
            stored = load_file(self.weights)
            network.load_state_dict({key: value.to(getattr(torch, dtype)) for key, value in stored.items()}, assign=True)
            known = ("", network.eval().requires_grad_(False))
        if known[0] != layout:
            known = (layout, known[1].to(memory_format=LAYOUTS[layout]))
        self.copies[dtype] = known
        return known[1]


def call(network: UNet2DConditionModel, feeds: dict[str, torch.Tensor], task: str) -> torch.Tensor:
    sample, timestep, context = feeds["sample"], feeds["timestep"], feeds["context"]
    if task == "forward":
        with torch.inference_mode():
            return network(sample, timestep, context).sample
    context = context.clone().requires_grad_(True)
    eps = network(sample, timestep, context).sample
    loss = (eps - feeds["target"]).square().mean()
    return torch.autograd.grad(loss, context)[0]


def matmul_peak(side: int) -> float:
    a, b = torch.randn(side, side), torch.randn(side, side)
    best = float("inf")
    for _ in range(6):
        began = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    config, weights, inputs, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    networks = Networks(json.loads(config), Path(weights))
    given = load_file(inputs)
    print(json.dumps({"torch": torch.__version__, "diffusers": diffusers.__version__, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["task"] == "matmul":
            print(json.dumps({"seconds": matmul_peak(asked["side"])}), flush=True)
            continue
        network = networks.get(asked["dtype"], asked["layout"])
        dtype = getattr(torch, asked["dtype"])
        feeds = {key: value[: asked["batch"]].to(dtype) for key, value in given.items()}
        feeds["sample"] = feeds["sample"].to(memory_format=LAYOUTS[asked["layout"]])
        kind = "/".join(str(asked[key]) for key in ("task", "batch", "dtype", "layout"))
        if kind not in networks.warm:
            call(network, feeds, asked["task"])
            networks.warm.add(kind)
        began = time.perf_counter()
        result = call(network, feeds, asked["task"])
        seconds = time.perf_counter() - began
        if asked.get("output"):
            save_file({"result": result.float().contiguous()}, asked["output"])
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
