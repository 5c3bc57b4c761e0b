"""An attention processor of our own: it routes rows and records probabilities, or is fused for timings.

At a site, row r of the batch takes its query, key and value from rows (q[r], k[r], v[r]). Written from
equations 4 and 5 of docs/method.md, independently of the TypeScript engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import interpolate, scaled_dot_product_attention

Tensor = torch.Tensor


@dataclass
class Rows:
    """Source rows of queries, keys and values. Each is [B] indices, or None if every row uses its own.

    masks: masks of keys and queries, [h, w] of 0 and 1, at the rows `masked`.
    """

    q: Tensor | None = None
    k: Tensor | None = None
    v: Tensor | None = None
    masks: tuple[Tensor, Tensor] | None = None
    masked: tuple[int, ...] = ()


def masked_attention(scores: Tensor, v: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
    """MasaCtrl's: one softmax over the subject's keys and one over the background's, joined by the mask of the queries.

    scores [heads, L, L], v [heads, L, d], masks [h, w], resized to the L tokens by nearest neighbour.
    """
    side = int(scores.shape[-1] ** 0.5)
    keys, queries = (interpolate(mask[None, None], (side, side), mode="nearest").flatten() for mask in (keys, queries))
    # Not −∞, as in the authors' code: where no key is left, all have the same weight.
    hidden = torch.finfo(scores.dtype).min
    subject = scores.masked_fill(keys == 0, hidden).softmax(-1) @ v
    background = scores.masked_fill(keys == 1, hidden).softmax(-1) @ v
    return subject * queries[:, None] + background * (1 - queries)[:, None]


class RoutedAttention:
    """Drop-in processor for diffusers' Attention. Calls `rows(path, is_cross, tokens)` each time."""

    def __init__(self, path: str, rows: Callable[[str, bool, int], Rows] | None = None, maps: dict[str, Tensor] | None = None, fused: bool = False) -> None:
        self.path, self.rows, self.maps, self.fused = path, rows, maps, fused

    def __call__(self, attn, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, attention_mask: Tensor | None = None, **_: object) -> Tensor:
        if attention_mask is not None:
            raise ValueError(f"{self.path}: no U-Net of Stable Diffusion masks its attention")
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        route = self.rows(self.path, encoder_hidden_states is not None, hidden_states.shape[1]) if self.rows else Rows()

        def heads(x: Tensor, rows: Tensor | None) -> Tensor:
            x = x if rows is None else x[rows]
            return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)  # [B, heads, tokens, width]

        q, k, v = heads(attn.to_q(hidden_states), route.q), heads(attn.to_k(context), route.k), heads(attn.to_v(context), route.v)
        if self.fused:
            mixed = scaled_dot_product_attention(q, k, v)
        else:
            scores = q @ k.mT / q.shape[-1] ** 0.5
            probabilities = scores.softmax(-1)
            mixed = probabilities @ v
            for row in route.masked:
                mixed[row] = masked_attention(scores[row], v[row], *route.masks)
            if self.maps is not None:
                self.maps[self.path] = probabilities.detach().flatten(0, 1)  # [B·heads, queries, keys]
        return attn.to_out[1](attn.to_out[0](mixed.transpose(1, 2).flatten(2)))


def install(unet, rows: Callable[[str, bool, int], Rows] | None = None, maps: dict[str, Tensor] | None = None, fused: bool = False) -> list[str]:
    """Installs RoutedAttention at every site and returns the sites' paths. If `fused`, no probabilities are computed or recorded."""
    paths = [name.removesuffix(".processor") for name in unet.attn_processors]
    unet.set_attn_processor({f"{path}.processor": RoutedAttention(path, rows, maps, fused) for path in paths})
    return paths
