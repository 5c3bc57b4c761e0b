"""Shared by all parity scripts: paths, seeded weights, the engine's random numbers, and files whose bytes are reproducible.

All fixtures are made on one thread with seeded CPU generators, so a script that runs twice gives the same
bytes. Values are computed in float64 from float32 inputs and weights, then cast to float32 at the end, unless
a script says otherwise.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "test" / "fixtures"
MASK = 0xFFFFFFFF

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def generator(*name: object) -> torch.Generator:
    """A random generator whose seed depends on the name alone, so a new case changes no other case."""
    return torch.Generator().manual_seed(zlib.crc32("/".join(map(str, name)).encode()))


def normal(shape: tuple[int, ...] | list[int], *name: object, scale: float = 1.0) -> torch.Tensor:
    """float64 values that float32 holds exactly. shape: any."""
    return (torch.randn(tuple(shape), generator=generator(*name)) * scale).double()


def uniform(shape: tuple[int, ...], low: float, high: float, *name: object) -> torch.Tensor:
    """float64 values that float32 holds exactly, in [low, high)."""
    return (torch.rand(shape, generator=generator(*name)) * (high - low) + low).double()


class Random:
    """sfc32, seeded as src/core/random.ts seeds it. stream: separates independent uses of one seed."""

    def __init__(self, seed: int, stream: int = 0) -> None:
        self.a, self.b, self.c, self.counter = seed & MASK, seed >> 32 & MASK, stream & MASK, 1
        for _ in range(15):
            self.uint32()

    def uint32(self) -> int:
        out = (self.a + self.b + self.counter) & MASK
        self.counter = (self.counter + 1) & MASK
        self.a = self.b ^ (self.b >> 9)
        self.b = (self.c + (self.c << 3)) & MASK
        self.c = (((self.c << 21) | (self.c >> 11)) + out) & MASK
        return out

    def below(self, n: int) -> int:
        limit = 2**32 - 2**32 % n
        while (x := self.uint32()) >= limit:
            pass
        return x % n

    def uniform(self) -> float:
        return (2 * ((self.uint32() >> 6) * 67108864 + (self.uint32() >> 6)) + 1) / 2**53

    def normal(self, shape: torch.Size) -> torch.Tensor:
        """float32, by the inverse of the normal distribution's function."""
        uniform_values = [self.uniform() for _ in range(shape.numel())]
        return torch.special.ndtri(torch.tensor(uniform_values, dtype=torch.float64)).float().reshape(shape)


def seeded_values(model: torch.nn.Module, name: str, store: torch.dtype = torch.float32) -> Iterator[tuple[str, torch.Tensor]]:
    """Random weights that hide no error: no norm scale is 1, no bias is 0, and attention is far from uniform.

    Yields them one after another, of `store`'s type, by the names of the model's parameters. The model may be on "meta".
    """
    norms = (torch.nn.GroupNorm, torch.nn.LayerNorm)
    owner = {f"{path}.{key}".lstrip("."): module for path, module in model.named_modules() for key, _ in module.named_parameters(recurse=False)}
    for key, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator(name, key))
        if isinstance(owner[key], norms):
            fresh = 1 + 0.3 * noise if key.endswith("weight") else 0.3 * noise
        elif key.endswith("bias") or value.ndim < 2:
            fresh = 0.2 * noise
        elif isinstance(owner[key], torch.nn.Embedding):
            fresh = 0.7 * noise
        else:
            fan_in = value[0].numel()
            sharp = 1.8 if any(part in key for part in ("to_q", "to_k", "q_proj", "k_proj")) else 1.0
            fresh = noise * sharp / fan_in**0.5
        yield key, fresh.to(store)


def seed_weights(model: torch.nn.Module, name: str, store: torch.dtype = torch.float32) -> torch.nn.Module:
    """The model in float64 with `seeded_values`, rounded to `store`."""
    with torch.no_grad():
        for key, value in seeded_values(model, name, store):
            model.get_parameter(key).copy_(value)
    return model.double().eval().requires_grad_(True)


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], note: dict[str, str] | None = None) -> None:
    """Writes a safetensors file with sorted names. Floats become float32 unless they are half precision already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ready = {
        key: (value.detach().float() if value.dtype == torch.float64 else value.detach()).contiguous().clone()
        for key, value in sorted(tensors.items())
    }
    header = {"torch": torch.__version__.split("+")[0], **(note or {})}
    _replace(path, _sorted_header(save(ready, metadata=header)))


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, (json.dumps(value, indent=2) + "\n").encode())


def write_model(folder: Path, file: str, model: torch.nn.Module, config: dict, store: torch.dtype = torch.float32) -> None:
    """Writes an ordinary component folder: config.json and one safetensors file."""
    weights = {key: value.to(store) for key, value in model.state_dict().items() if value.is_floating_point()}
    write_json(folder / "config.json", config)
    write_tensors(folder / file, weights, {"format": "pt"})


def leaf(value: torch.Tensor) -> torch.Tensor:
    return value.clone().requires_grad_(True)


def _sorted_header(data: bytes) -> bytes:
    """Sorts metadata. The safetensors library writes it in hash order, which changes from run to run."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    text = json.dumps(header, separators=(",", ":"), sort_keys=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)
