"""Adam and AdamW: parameters after each of four steps.

    python tools/parity/adam.py

writes test/fixtures/adam.json ({case: {rate, weight_decay, start, gradients, values}}), computed in float64.
"""

from __future__ import annotations

import torch

from common import FIXTURES, normal, write_json

CASES = {
    "Adam": (torch.optim.Adam, {"lr": 0.01}),
    "AdamW": (torch.optim.AdamW, {"lr": 0.02, "weight_decay": 0.1}),
    "AdamW with other constants": (torch.optim.AdamW, {"lr": 0.02, "weight_decay": 0.01, "betas": (0.8, 0.95), "eps": 1e-3}),
}


def case(name: str) -> dict[str, object]:
    make, options = CASES[name]
    value = torch.nn.Parameter(normal((5,), name, "start"))
    start = value.detach().tolist()
    optimiser = make([value], **options)
    # Gradients of very different scales: Adam's updates must not depend on the scale.
    gradients = [normal((5,), name, step, scale=10.0 ** (step - 2)) for step in range(4)]
    values = []
    for gradient in gradients:
        value.grad = gradient
        optimiser.step()
        values.append(value.detach().tolist())
    beta1, beta2 = options.get("betas", (0.9, 0.999))
    settings = {"rate": options["lr"], "beta1": beta1, "beta2": beta2, "eps": options.get("eps", 1e-8)}
    return {
        **settings,
        "weightDecay": options.get("weight_decay", 0.0),
        "start": start,
        "gradients": [gradient.tolist() for gradient in gradients],
        "values": values,
    }


if __name__ == "__main__":
    write_json(FIXTURES / "adam.json", {name: case(name) for name in CASES})
