"""PyTorch's side of `npm run bench -- finetune`: one step of AdamW on the whole U-Net for each line of standard input.

The answer is a line {"seconds": ..., "cpu": ..., "loss": ...}: the seconds of all threads are "cpu", and the loss is that before the step.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file


def main() -> None:
    model, inputs, threads, rate = sys.argv[1:]
    torch.set_num_threads(int(threads))
    network = UNet2DConditionModel.from_pretrained(model, subfolder="unet", torch_dtype=torch.float32)
    network = network.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=float(rate), weight_decay=0.01)
    given = load_file(inputs)
    sample = given["sample"].to(memory_format=torch.channels_last)
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for _ in sys.stdin:
        began, computing = time.perf_counter(), time.process_time()
        optimiser.zero_grad(set_to_none=True)
        predicted = network(sample, given["timestep"], given["context"]).sample
        loss = (predicted - given["noise"]).square().mean()
        loss.backward()
        optimiser.step()
        seconds, cpu = time.perf_counter() - began, time.process_time() - computing
        print(json.dumps({"seconds": seconds, "cpu": cpu, "loss": loss.item()}), flush=True)


if __name__ == "__main__":
    main()
