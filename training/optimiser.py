"""Muon for weight matrices and convolution kernels, AdamW for the rest, as one optimiser.

Muon (Jordan et al. 2024): momentum whose update is replaced by the nearest orthogonal matrix, found by a
Newton-Schulz iteration. A kernel [out, in, h, w] counts as the matrix [out, in*h*w].
"""

import torch

from .loop import has_bfloat16


def orthogonal(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Quintic Newton-Schulz iteration towards U V^T of matrix = U S V^T, in bfloat16 where the processor has it."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    x = x.bfloat16() if has_bfloat16(x.device) else x
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


class MuonAdamW(torch.optim.Optimizer):
    """rate: AdamW's step size; a matrix moves by muon_scale * rate * sqrt(max(1, rows / columns)) times an orthogonal matrix."""

    def __init__(self, model: torch.nn.Module, rate: float, muon_scale: float = 20.0, decay: float = 0.01):
        matrices, others = [], []
        for name, weight in model.named_parameters():
            hidden = weight.ndim >= 2 and "embedding" not in name and min(weight.shape[0], weight[0].numel()) >= 16
            (matrices if hidden else others).append(weight)
        groups = [dict(params=matrices, muon=True), dict(params=others, muon=False)]
        super().__init__([g for g in groups if g["params"]], dict(lr=rate, muon_scale=muon_scale, decay=decay))

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            (self._muon if group["muon"] else self._adam)(weights, group)

    def _muon(self, weights: list[torch.Tensor], group: dict) -> None:
        rate = group["lr"] * group["muon_scale"]
        for weight in weights:
            state = self.state[weight]
            momentum = state.setdefault("momentum", torch.zeros_like(weight))
            momentum.lerp_(weight.grad, 0.05)
            update = orthogonal(weight.grad.lerp(momentum, 0.95).flatten(1))
            scale = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
            weight.mul_(1 - group["lr"] * group["decay"]).add_(update.view(weight.shape), alpha=-rate * scale)

    def _adam(self, weights: list[torch.Tensor], group: dict) -> None:
        for weight in weights:
            state = self.state[weight]
            count = state["count"] = state.get("count", 0) + 1
            first = state.setdefault("first", torch.zeros_like(weight)).lerp_(weight.grad, 0.1)
            second = state.setdefault("second", torch.zeros_like(weight))
            second.mul_(0.99).addcmul_(weight.grad, weight.grad, value=0.01)
            root = (second / (1 - 0.99**count)).sqrt_().add_(1e-8)
            weight.addcdiv_(first, root, value=-group["lr"] / (1 - 0.9**count))
