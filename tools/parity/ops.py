"""Single ops: inputs, output, and the gradient of every float input for a random upstream gradient.

    python tools/parity/ops.py

writes test/fixtures/ops.safetensors ("<case>/in0", ..., "<case>/out", "<case>/dy", "<case>/d0", ...) and
test/fixtures/ops.json ({case: {op, attrs, inputs}}; inputs names the roles of in0, in1, ...). Index inputs are
int64 and have no gradient. Everything is computed in float64 by torch.autograd from float32 inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from common import FIXTURES, leaf, normal, uniform, write_json, write_tensors

Tensor = torch.Tensor


@dataclass
class Case:
    op: str
    run: Callable[..., Tensor]
    inputs: dict[str, Tensor]
    attrs: dict[str, object] = field(default_factory=dict)


CASES: dict[str, Case] = {}


def case(name: str, op: str, run: Callable[..., Tensor], inputs: dict[str, Tensor], **attrs: object) -> None:
    assert name not in CASES, name
    CASES[name] = Case(op, run, inputs, attrs)


def elementwise() -> None:
    full, row, column, scalar = (2, 3, 4, 5), (5,), (3, 1, 1), ()
    binary = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}
    pairs = {"same": (full, full), "row": (full, row), "channel": (full, column), "scalar": (full, scalar), "left": (row, full), "both": ((2, 1, 4, 1), (3, 1, 5))}
    for op, run in binary.items():
        for kind, (a, b) in pairs.items():
            name = f"{op}-{kind}"
            right = uniform(b, 0.5, 2.0, name, "b") if op == "div" else normal(b, name, "b")
            case(name, op, run, {"a": normal(a, name, "a"), "b": right})

    unary = {
        "silu": F.silu,
        "gelu": F.gelu,
        "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "exp": torch.exp,
        "sin": torch.sin,
        "cos": torch.cos,
        "neg": torch.neg,
        "square": torch.square,
    }
    for op, run in unary.items():
        case(op, op, run, {"x": normal((2, 3, 4), op, scale=2.0)})
    for op, run in {"log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "reciprocal": torch.reciprocal}.items():
        case(op, op, run, {"x": uniform((2, 3, 4), 0.3, 3.0, op)})
    # no value sits within 0.05 of a kink, so that finite differences apply too
    x = normal((2, 3, 4), "kinks", scale=2.0)
    x = x + 0.05 * x.sign()
    case("relu", "relu", F.relu, {"x": x})
    case("abs", "abs", torch.abs, {"x": x})
    case("clamp", "clamp", lambda x: x.clamp(-1.5, 1.0), {"x": torch.where((x + 1.5).abs() < 0.05, -1.7, torch.where((x - 1).abs() < 0.05, 0.8, x)).float().double()}, min=-1.5, max=1.0)


def products() -> None:
    shapes = {
        "plain": ((4, 5), (5, 6)),
        "batch": ((2, 3, 4, 5), (2, 3, 5, 6)),
        "shared-right": ((2, 3, 4, 5), (5, 6)),
        "broadcast": ((2, 1, 4, 5), (3, 5, 6)),
    }
    for kind, (a, b) in shapes.items():
        for ta in (False, True):
            for tb in (False, True):
                name = f"matmul-{kind}" + ("-ta" if ta else "") + ("-tb" if tb else "")
                left = normal(a, name, "a")
                right = normal(b, name, "b")
                left = left.mT.contiguous() if ta else left
                right = right.mT.contiguous() if tb else right
                run = lambda x, y, ta=ta, tb=tb: (x.mT if ta else x) @ (y.mT if tb else y)
                case(name, "matmul", run, {"a": left, "b": right}, transposeA=ta, transposeB=tb)
    for kind, shape in {"2d": (4, 6), "3d": (2, 5, 6)}.items():
        name = f"linear-{kind}"
        case(name, "linear", F.linear, {"x": normal(shape, name, "x"), "weight": normal((7, 6), name, "w"), "bias": normal((7,), name, "b")})
    case("linear-no-bias", "linear", F.linear, {"x": normal((2, 5, 6), "lnb", "x"), "weight": normal((7, 6), "lnb", "w")})


def convolutions() -> None:
    def conv(name: str, x: tuple, w: tuple, stride: int, pad: tuple[int, int, int, int], bias: bool = True) -> None:
        top, left, bottom, right = pad

        def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
            return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride=stride)

        inputs = {"x": normal(x, name, "x"), "weight": normal(w, name, "w", scale=0.3)}
        if bias:
            inputs["bias"] = normal((w[0],), name, "b")
        case(name, "conv2d", run, inputs, stride=stride, pads=list(pad))

    same, none = (1, 1, 1, 1), (0, 0, 0, 0)
    conv("conv2d-3x3", (2, 4, 6, 6), (5, 4, 3, 3), 1, same)
    conv("conv2d-3x3-non-square", (2, 4, 5, 8), (6, 4, 3, 3), 1, same)
    conv("conv2d-3x3-no-bias", (1, 3, 4, 7), (2, 3, 3, 3), 1, same, bias=False)
    conv("conv2d-3x3-stride2", (2, 4, 8, 6), (5, 4, 3, 3), 2, same)
    conv("conv2d-3x3-stride2-odd", (2, 4, 7, 5), (5, 4, 3, 3), 2, same)
    conv("conv2d-3x3-stride2-asymmetric", (2, 4, 8, 6), (5, 4, 3, 3), 2, (0, 0, 1, 1))
    conv("conv2d-1x1", (2, 6, 4, 5), (7, 6, 1, 1), 1, none)
    conv("conv2d-patch-16", (2, 3, 32, 48), (4, 3, 16, 16), 16, none, bias=False)
    conv("conv2d-11x11-stride4", (1, 2, 23, 27), (3, 2, 11, 11), 4, (2, 2, 2, 2))


def normalisations() -> None:
    for name, shape, groups, eps in [("group-norm", (2, 8, 4, 4), 4, 1e-5), ("group-norm-non-square", (2, 12, 3, 5), 3, 1e-6), ("group-norm-offset", (1, 8, 4, 4), 2, 1e-5)]:
        # the last case has a mean far above its spread: E[x^2] - mean^2 loses its digits there in float32
        x = normal(shape, name, "x") + (30.0 if name.endswith("offset") else 0.0)
        run = lambda x, w, b, groups=groups, eps=eps: F.group_norm(x, groups, w, b, eps)
        case(name, "group_norm", run, {"x": x.float().double(), "weight": 1 + 0.3 * normal(shape[1:2], name, "w"), "bias": normal(shape[1:2], name, "b")}, groups=groups, eps=eps)
    for name, shape in [("layer-norm-2d", (4, 10)), ("layer-norm-3d", (2, 3, 12))]:
        run = lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b, 1e-5)
        case(name, "layer_norm", run, {"x": normal(shape, name, "x") + 2, "weight": 1 + 0.3 * normal(shape[-1:], name, "w"), "bias": normal(shape[-1:], name, "b")}, eps=1e-5)
    case("l2-normalise", "l2_normalise", lambda x: x / x.norm(dim=-1, keepdim=True), {"x": normal((3, 8), "l2")}, axis=-1)
    case("l2-normalise-channels", "l2_normalise", lambda x: x / x.norm(dim=1, keepdim=True), {"x": normal((2, 5, 3, 4), "l2c")}, axis=1)


def attentions() -> None:
    for name, shape in [("softmax-2d", (4, 7)), ("softmax-4d", (2, 3, 4, 5))]:
        case(name, "softmax", lambda x: x.softmax(-1), {"x": normal(shape, name, scale=2.0)}, axis=-1)
    case("softmax-large", "softmax", lambda x: x.softmax(-1), {"x": (normal((3, 6), "sl", scale=3.0) + 200).float().double()}, axis=-1)
    case("log-softmax", "log_softmax", lambda x: x.log_softmax(-1), {"x": normal((4, 7), "ls", scale=2.0)}, axis=-1)
    case("causal-softmax", "causal_softmax", lambda x: _causal(x).softmax(-1), {"x": normal((2, 3, 6, 6), "cs", scale=2.0)}, axis=-1)

    def attention(q: Tensor, k: Tensor, v: Tensor, heads: int, causal: bool) -> Tensor:
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k, v))
        return (_scores(q, k, causal).softmax(-1) @ v).transpose(1, 2).flatten(2)

    def probabilities(q: Tensor, k: Tensor, heads: int, causal: bool) -> Tensor:
        q, k = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k))
        return _scores(q, k, causal).softmax(-1)

    kinds = {
        "self": (2, 6, 6, 12, 12, 3, False),
        "one-head": (2, 6, 6, 8, 8, 1, False),
        "cross": (2, 9, 5, 12, 12, 3, False),
        "cross-batch1": (1, 4, 7, 8, 8, 2, False),
        "value-width": (2, 6, 5, 8, 12, 2, False),
        "causal": (2, 7, 7, 12, 12, 3, True),
    }
    for kind, (batch, lq, lk, width, width_v, heads, causal) in kinds.items():
        name = f"attention-{kind}"
        q, k, v = (normal((batch, length, w), name, part, scale=1.5) for part, length, w in (("q", lq, width), ("k", lk, width), ("v", lk, width_v)))
        case(name, "attention", lambda q, k, v, h=heads, c=causal: attention(q, k, v, h, c), {"q": q, "k": k, "v": v}, heads=heads, causal=causal)
        case(f"attention-probabilities-{kind}", "attention_probabilities", lambda q, k, h=heads, c=causal: probabilities(q, k, h, c), {"q": q, "k": k}, heads=heads, causal=causal)


def _causal(scores: Tensor) -> Tensor:
    return scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)


def _scores(q: Tensor, k: Tensor, causal: bool) -> Tensor:
    scores = q @ k.mT / q.shape[-1] ** 0.5
    return _causal(scores) if causal else scores


def shapes() -> None:
    x = normal((2, 3, 4, 5), "shapes")
    case("upsample-nearest2", "upsample_nearest2", lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest"), {"x": x})
    for axis, (a, b, c) in {0: ((1, 3), (2, 3), (3, 3)), 1: ((2, 1, 4), (2, 3, 4), (2, 2, 4)), -1: ((2, 3), (2, 1), (2, 4))}.items():
        name = f"concat-axis{axis}"
        case(name, "concat", lambda *parts, axis=axis: torch.cat(parts, axis), {key: normal(shape, name, key) for key, shape in zip("abc", (a, b, c))}, axis=axis)
    case("slice-one-axis", "slice", lambda x: x[:, 1:3], {"x": x}, axes=[1], starts=[1], ends=[3])
    case("slice-two-axes", "slice", lambda x: x[:, :, 1:4, 2:4], {"x": x}, axes=[2, 3], starts=[1, 2], ends=[4, 4])
    case("slice-first-axis", "slice", lambda x: x[1:2], {"x": x}, axes=[0], starts=[1], ends=[2])
    for perm in ((0, 2, 1, 3), (0, 2, 3, 1), (3, 0, 2, 1)):
        case("transpose-" + "".join(map(str, perm)), "transpose", lambda x, p=perm: x.permute(p), {"x": x}, perm=list(perm))
    case("transpose-2d", "transpose", lambda x: x.T, {"x": normal((3, 5), "t2")}, perm=[1, 0])
    for shape in ((6, 20), (2, 3, 20), (120,)):
        case("reshape-" + "x".join(map(str, shape)), "reshape", lambda x, s=shape: x.reshape(s), {"x": x}, shape=list(shape))
    case("expand-new-axis", "expand", lambda x: x.expand(3, 4, 5), {"x": normal((4, 5), "e0")}, shape=[3, 4, 5])
    case("expand-ones", "expand", lambda x: x.expand(2, 3, 4), {"x": normal((2, 1, 4), "e1")}, shape=[2, 3, 4])
    case("expand-scalar", "expand", lambda x: x.expand(2, 3), {"x": normal((), "e2")}, shape=[2, 3])

    rows = torch.tensor([2, 0, 0, 3, 2])
    case("gather-rows", "gather_rows", lambda x, rows: x[rows], {"x": normal((4, 2, 3), "g"), "rows": rows})
    case("gather-rows-identity", "gather_rows", lambda x, rows: x[rows], {"x": normal((4, 2, 3), "gi"), "rows": torch.arange(4)})
    ids = torch.tensor([[1, 5, 5, 0], [6, 1, 2, 6]])
    case("embedding", "embedding", lambda table, ids: F.embedding(ids, table), {"table": normal((7, 5), "emb"), "ids": ids})


def reductions() -> None:
    x = normal((2, 3, 4, 5), "reductions")
    for op, run in {"mean": torch.mean, "sum": torch.sum}.items():
        for axes in ((-1,), (1,), (2, 3), (0, 1, 2, 3)):
            for keep in (False, True):
                name = f"{op}-axes" + "".join(map(str, axes)) + ("-keep" if keep else "")
                case(name, op, lambda x, r=run, a=axes, k=keep: r(x, dim=a, keepdim=k), {"x": x}, axes=list(axes), keepDims=keep)

    def distinct(name: str, shape: tuple[int, ...]) -> Tensor:
        order = normal(shape, name).flatten().argsort().argsort()  # no two values of a window are close
        return (order.reshape(shape).float() * 0.07 - 1).double()

    pools = {"2x2": ((2, 3, 6, 8), 2, 2, 0, False), "3x3-stride2": ((1, 3, 9, 7), 3, 2, 0, False), "3x3-stride2-ceil": ((1, 2, 8, 6), 3, 2, 0, True), "3x3-stride1": ((2, 2, 4, 5), 3, 1, 1, False)}
    for kind, (shape, kernel, stride, pad, ceil) in pools.items():
        attrs = {"kernel": kernel, "stride": stride, "pads": [pad] * 4, "ceil": ceil}
        case(f"max-pool-{kind}", "max_pool", lambda x, k=kernel, s=stride, p=pad, c=ceil: F.max_pool2d(x, k, s, p, ceil_mode=c), {"x": distinct(f"max-{kind}", shape)}, **attrs)
    for kind, (shape, kernel, stride) in {"2x2": ((2, 3, 6, 8), 2, 2), "3x3-stride2": ((1, 3, 9, 7), 3, 2)}.items():
        case(f"avg-pool-{kind}", "avg_pool", lambda x, k=kernel, s=stride: F.avg_pool2d(x, k, s), {"x": normal(shape, "avg", kind)}, kernel=kernel, stride=stride, pads=[0] * 4)


def main() -> None:
    for make in (elementwise, products, convolutions, normalisations, attentions, shapes, reductions):
        make()
    tensors: dict[str, Tensor] = {}
    for name, entry in CASES.items():
        inputs = [value if value.dtype == torch.int64 else leaf(value.float().double()) for value in entry.inputs.values()]
        out = entry.run(*inputs)
        dy = normal(out.shape, name, "dy")
        wanted = [value for value in inputs if value.requires_grad]
        gradients = iter(torch.autograd.grad(out, wanted, dy))
        tensors |= {f"{name}/out": out, f"{name}/dy": dy}
        for index, value in enumerate(inputs):
            tensors[f"{name}/in{index}"] = value
            if value.requires_grad:
                tensors[f"{name}/d{index}"] = next(gradients)
    table = {name: {"op": entry.op, "attrs": entry.attrs, "inputs": list(entry.inputs)} for name, entry in CASES.items()}
    write_tensors(FIXTURES / "ops.safetensors", tensors, {"command": "python tools/parity/ops.py"})
    write_json(FIXTURES / "ops.json", table)
    print(f"{len(table)} cases, {(FIXTURES / 'ops.safetensors').stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
