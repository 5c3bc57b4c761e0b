"""Muon for weight matrices and convolution kernels, AdamW for the rest, as one optimiser.

Muon (Jordan et al. 2024): momentum whose update is replaced by the nearest orthogonal matrix, found by a
Newton-Schulz iteration. A kernel [out, in, h, w] counts as the matrix [out, in*h*w].
Matrices of one shape are iterated together, and all other weights are updated in lists, so that an accelerator gets few,
large tasks.
"""

import torch

from .loop import has_bfloat16


def orthogonal(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Quintic Newton-Schulz iteration towards U V^T of each matrix U S V^T of [n, rows, columns], in bfloat16 if the
    processor has it."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    x = x.bfloat16() if has_bfloat16(x.device) else x
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x.mT if tall else x).to(matrices.dtype)


class MuonAdamW(torch.optim.Optimizer):
    """rate: AdamW's step size; a matrix moves by muon_scale * rate * sqrt(max(1, rows / columns)) times an orthogonal matrix."""

    def __init__(self, model: torch.nn.Module, rate: float, muon_scale: float = 20.0, decay: float = 0.01):
        matrices, others = [], []
        for name, weight in model.named_parameters():
            if not weight.requires_grad:
                continue
            hidden = weight.ndim >= 2 and "embedding" not in name and min(weight.shape[0], weight[0].numel()) >= 16
            (matrices if hidden else others).append(weight)
        groups = [dict(params=matrices, muon=True), dict(params=others, muon=False)]
        super().__init__([g for g in groups if g["params"]], dict(lr=rate, muon_scale=muon_scale, decay=decay))

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            (self._muon if group["muon"] else self._adam)(weights, group)

    def _states(self, weights: list[torch.Tensor], *names: str) -> list[list[torch.Tensor]]:
        """The optimiser's tensors by name, initially zero."""
        for weight in weights:
            if not self.state[weight]:
                self.state[weight].update((name, torch.zeros_like(weight)) for name in names)
        return [[self.state[weight][name] for weight in weights] for name in names]

    def _muon(self, weights: list[torch.Tensor], group: dict) -> None:
        (momenta,) = self._states(weights, "momentum")
        gradients = [w.grad for w in weights]
        torch._foreach_lerp_(momenta, gradients, 0.05)
        alike: dict[torch.Size, list[tuple[torch.Tensor, torch.Tensor]]] = {}
        for weight, update in zip(weights, torch._foreach_lerp(gradients, momenta, 0.95)):
            matrix = update.flatten(1)
            alike.setdefault(matrix.shape, []).append((weight, matrix))
        torch._foreach_mul_(weights, 1 - group["lr"] * group["decay"])
        for (rows, columns), pairs in alike.items():
            updates = orthogonal(torch.stack([update for _, update in pairs]))
            step = -group["lr"] * group["muon_scale"] * max(1.0, rows / columns) ** 0.5
            torch._foreach_add_([w for w, _ in pairs], [u.view(w.shape) for (w, _), u in zip(pairs, updates)], alpha=step)

    def _adam(self, weights: list[torch.Tensor], group: dict) -> None:
        gradients = [w.grad for w in weights]
        first, second = self._states(weights, "first", "second")
        count = group["count"] = group.get("count", 0) + 1
        torch._foreach_lerp_(first, gradients, 0.1)
        torch._foreach_mul_(second, 0.99)
        torch._foreach_addcmul_(second, gradients, gradients, 0.01)
        roots = torch._foreach_div(second, 1 - 0.99**count)
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, 1e-8)
        torch._foreach_addcdiv_(weights, first, roots, -group["lr"] / (1 - 0.9**count))
