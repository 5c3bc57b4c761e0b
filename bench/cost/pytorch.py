"""PyTorch's side of `npm run bench -- cost`: prepares and edits one photo with one method, and says what it cost.

    python bench/cost/pytorch.py JOB.json

JOB.json is written by torch.ts: {method, model, photo, target, source, threads, picture, prepare, edit, mapper, mutual, device,
dtype}. Settings have the engine's names. On "cuda", sine is not possible, because its noise comes from the CPU's generator. The edit is written to `picture`. The answer is a line of JSON with seconds, rows of the U-Net and
gradients of `prepare` and of `edit`. Written from docs/method.md and docs/methods.md with diffusers' networks, eager;
it computes the rows that the edit needs and no others. It has the same number of iterations as the engine: there is no early stop.
"""

from __future__ import annotations

import copy
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from torch.nn.functional import scaled_dot_product_attention
from transformers import CLIPTextModel, CLIPTokenizer

Tensor = torch.Tensor
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Model:
    """A diffusers folder on a device. Counts the rows of its U-Net: those of a gradient apart."""

    def __init__(self, folder: Path, device: str, dtype: torch.dtype) -> None:
        self.device = device
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=dtype).to(device).eval().requires_grad_(False)
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=dtype).to(device).eval().requires_grad_(False)
        self.text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=dtype).to(device).eval().requires_grad_(False)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
        if config["prediction_type"] != "epsilon":
            raise ValueError(f"scheduler_config.json: prediction_type {config['prediction_type']}; this program knows epsilon only")
        root = torch.linspace(config["beta_start"] ** 0.5, config["beta_end"] ** 0.5, 1000, dtype=torch.float64)
        self.alphas, self.offset = (1 - root**2).cumprod(0), config["steps_offset"]
        self.rows = self.gradients = 0

    def ids(self, prompt: str) -> Tensor:
        length = self.tokenizer.model_max_length
        return self.tokenizer([prompt], padding="max_length", max_length=length, truncation=True, return_tensors="pt").input_ids.to(self.device)

    @torch.no_grad()
    def embed(self, prompt: str) -> Tensor:
        return self.text(self.ids(prompt)).last_hidden_state

    @torch.no_grad()
    def encode(self, photo: Tensor) -> Tensor:
        return self.vae.encode(photo).latent_dist.mean * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        return self.vae.decode(z / self.vae.config.scaling_factor).sample

    def predict(self, z: Tensor, t: int | Tensor, c: Tensor) -> Tensor:
        """ε(z, t, c). z: [B, C, h, w], or one row for all of c [B, L, D]."""
        if torch.is_grad_enabled():
            self.gradients += len(c)
        else:
            self.rows += len(c)
        return self.unet(z.expand(len(c), -1, -1, -1), t, c).sample

    def timesteps(self, steps: int) -> list[int]:
        """Noisiest first."""
        stride = 1000 // steps
        return [stride * (steps - 1 - i) + self.offset for i in range(steps)]

    def move(self, z: Tensor, eps: Tensor, source: int, to: int) -> Tensor:
        """DDIM from level `source` to level `to`. Below the first timestep, ᾱ stays ᾱ_0."""
        a, b = (self.alphas[max(t, 0)].item() for t in (source, to))
        return (b / a) ** 0.5 * z + ((1 - b) ** 0.5 - (b * (1 - a) / a) ** 0.5) * eps


def guided(unconditional: Tensor, conditional: Tensor, w: float) -> Tensor:
    return unconditional + w * (conditional - unconditional)


# --- attention ---------------------------------------------------------------------------------------------------

Control = Callable[[str, bool, Tensor, Tensor, Tensor], Tensor]


class Controlled:
    """diffusers' attention with its queries, keys and values [B, heads, tokens, width] handed to `control`."""

    def __init__(self, path: str, control: Control) -> None:
        self.path, self.control = path, control

    def __call__(self, attn, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, attention_mask: Tensor | None = None, **_: object) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        split = lambda x: x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        q, k, v = split(attn.to_q(hidden_states)), split(attn.to_k(context)), split(attn.to_v(context))
        mixed = self.control(self.path, encoder_hidden_states is not None, q, k, v)
        return attn.to_out[1](attn.to_out[0](mixed.transpose(1, 2).flatten(2)))


def control(unet: UNet2DConditionModel, by: Control) -> None:
    unet.set_attn_processor({name: Controlled(name.removesuffix(".processor"), by) for name in unet.attn_processors})


def within(window: list[float], i: int, steps: int) -> bool:
    return math.floor(window[0] * steps) <= i < math.floor(window[1] * steps)


# --- preparations ------------------------------------------------------------------------------------------------


@torch.no_grad()
def invert(model: Model, photo: Tensor, c: Tensor, steps: int) -> list[Tensor]:
    """DDIM inversion without guidance: z*, noisiest first. The model gets the noisier timestep."""
    stride, found = 1000 // steps, [photo]
    for t in reversed(model.timesteps(steps)):
        found.append(model.move(found[-1], model.predict(found[-1], t, c), t - stride, t))
    return found[::-1]


def tune(model: Model, inverted: list[Tensor], tuned: Tensor, fixed: Tensor, is_null: bool, s: dict) -> tuple[list[Tensor], list[Tensor]]:
    """Tunes c (BARET) or ∅ (null-text inversion) at each step. Returns the embeddings and z̄, noisiest first."""
    steps, stride, w = s["steps"], 1000 // s["steps"], s["guidance"]
    embeddings, reached = [], [inverted[0]]
    for i, t in enumerate(model.timesteps(steps)):
        z = reached[-1]
        with torch.no_grad():
            other = model.predict(z, t, fixed)

        def following(c: Tensor) -> Tensor:
            pair = (model.predict(z, t, c), other) if is_null else (other, model.predict(z, t, c))
            return model.move(z, guided(*pair, w), t, t - stride)

        tuned = tuned.detach().clone().requires_grad_(True)
        rate = s["learningRate"] * (1 + (s["learningRateEnd"] - 1) * i / max(1, steps - 1))
        adam = torch.optim.Adam([tuned], lr=rate)
        for _ in range(s["iterations"]):
            adam.zero_grad()
            (following(tuned) - inverted[i + 1]).square().mean().backward()
            adam.step()
        embeddings.append(tuned.detach())
        with torch.no_grad():
            reached.append(following(embeddings[-1]))
    return embeddings, reached


def fine_tune(model: Model, photo: Tensor, prompt: str, s: dict) -> None:
    """SINE: AdamW on U-Net and text encoder with the loss of the noise prediction."""
    ids, random = model.ids(prompt), torch.Generator().manual_seed(s["trainingSeed"])
    weights = [*model.unet.requires_grad_(True).parameters(), *model.text.requires_grad_(True).parameters()]
    optimiser = torch.optim.AdamW(weights, lr=s["tuningRate"], weight_decay=0.01)
    batch = s["trainingBatch"]
    for _ in range(s["tuningSteps"]):
        t = torch.randint(1000, (batch,), generator=random)
        noise = torch.randn((batch, *photo.shape[1:]), generator=random)
        a = model.alphas[t].float()[:, None, None, None]
        c = model.text(ids).last_hidden_state.expand(batch, -1, -1)
        loss = (model.predict(a.sqrt() * photo + (1 - a).sqrt() * noise, t, c) - noise).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    model.unet.requires_grad_(False)
    model.text.requires_grad_(False)


# --- edits -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def sample(model: Model, start: Tensor, steps: int, predict: Callable[[int, int, Tensor], Tensor]) -> Tensor:
    """predict(i, t, z): the guided prediction at step i."""
    z = start
    for i, t in enumerate(model.timesteps(steps)):
        z = model.move(z, predict(i, t, z), t, t - 1000 // steps)
    return z


def plain_edit(model: Model, start: Tensor, target: Tensor, null: Tensor, steps: int, w: float) -> Tensor:
    c = torch.cat([null, target])
    return sample(model, start, steps, lambda _, t, z: guided(*model.predict(z, t, c).chunk(2), w))


@torch.no_grad()
def baret_edit(model: Model, start: Tensor, tuned: list[Tensor], reached: list[Tensor], target: Tensor, null: Tensor, w: float, s: dict) -> Tensor:
    """Balanced attention. Rows: the edit's two, then the transition's two and the reconstruction's conditional one while they are read."""
    steps, now = len(tuned), {"self": 1, "cross": 1}
    stride, transition = 1000 // steps, start

    def attend(_path: str, is_cross: bool, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        source = now["cross" if is_cross else "self"]
        if source != 1 and (is_cross or q.shape[2] <= 1024):
            rows = torch.arange(len(q))
            rows[1] = source
            q, k = q[rows], k[rows]
        return scaled_dot_product_attention(q, k, v)

    control(model.unet, attend)
    (first, last), edit = s["alpha"], start
    for i, t in enumerate(model.timesteps(steps)):
        alpha = first + (last - first) * i / max(1, steps - 1)
        z, c = [edit, edit], [null, target]
        now.update({"self": 1, "cross": 1})
        if within(s["crossSteps"], i, steps):
            z, c, now["cross"] = [*z, transition, transition], [*c, null, alpha * tuned[i] + (1 - alpha) * target], 3
        if within(s["selfSteps"], i, steps):
            z, c, now["self"] = [*z, reached[i]], [*c, tuned[i]], len(z)
        eps = model.predict(torch.cat(z), t, torch.cat(c))
        edit = model.move(edit, guided(eps[:1], eps[1:2], w), t, t - stride)
        if now["cross"] == 3:
            transition = model.move(transition, guided(eps[2:3], eps[3:4], w), t, t - stride)
    return edit


@torch.no_grad()
def prompt_to_prompt(model: Model, start: Tensor, nulls: list[Tensor], reached: list[Tensor], source: Tensor, target: Tensor, w: float, mapper: dict, s: dict) -> Tensor:
    """Rows: the edit's two, and the photo's conditional one while its maps are read."""
    steps, now = len(nulls), {"self": False, "cross": False}
    stride, edit = 1000 // steps, start
    matrix, matched = (torch.tensor(mapper[name], dtype=torch.float32) for name in ("matrix", "matched"))

    def attend(_path: str, is_cross: bool, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if is_cross and now["cross"]:
            maps = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
            maps[1] = maps[2] @ matrix * matched + maps[1] * (1 - matched)
            return maps @ v
        if not is_cross and now["self"] and q.shape[2] <= s["selfTokens"]:
            rows = torch.tensor([0, 2, 2])
            q, k = q[rows], k[rows]
        return scaled_dot_product_attention(q, k, v)

    control(model.unet, attend)
    low, high = (math.floor(x * (steps + 1)) for x in s["crossSteps"])
    for i, t in enumerate(model.timesteps(steps)):
        now.update({"self": within(s["selfSteps"], i, steps), "cross": low <= i < high})
        z, c = [edit, edit], [nulls[i], target]
        if any(now.values()):
            z, c = [*z, reached[i]], [*c, source]
        eps = model.predict(torch.cat(z), t, torch.cat(c))
        edit = model.move(edit, guided(eps[:1], eps[1:2], w), t, t - stride)
    return edit


@torch.no_grad()
def masactrl_edit(model: Model, start: Tensor, target: Tensor, null: Tensor, steps: int, mutual: list[str], s: dict) -> Tensor:
    """Rows: the photo's, whose two predictions are equal because its prompt is "", then the edit's two."""
    layers, now = set(mutual), {"on": False}
    stride, source, edit = 1000 // steps, start, start

    def attend(path: str, is_cross: bool, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if not is_cross and now["on"] and path in layers:
            rows = torch.tensor([0, 0, 0])
            k, v = k[rows], v[rows]
        return scaled_dot_product_attention(q, k, v)

    control(model.unet, attend)
    c = torch.cat([null, null, target])
    for i, t in enumerate(model.timesteps(steps)):
        now["on"] = i >= s["step"]
        eps = model.predict(torch.cat([source, edit, edit]), t, c)
        source = model.move(source, eps[:1], t, t - stride)
        edit = model.move(edit, guided(eps[1:2], eps[2:3], s["guidance"]), t, t - stride)
    return edit


def sine_edit(model: Model, tuned: Model, start: Tensor, target: Tensor, caption: Tensor, null: Tensor, steps: int, s: dict) -> Tensor:
    c, v = torch.cat([null, target]), s["pretrainedShare"]

    def predict(_: int, t: int, z: Tensor) -> Tensor:
        unconditional, conditional = model.predict(z, t, c).chunk(2)
        if t > s["tunedAbove"]:
            conditional = v * conditional + (1 - v) * tuned.predict(z, t, caption)
        return guided(unconditional, conditional, s["guidance"])

    return sample(model, start, steps, predict)


# --- one job -----------------------------------------------------------------------------------------------------


def now(device: str) -> float:
    """Seconds. A GPU works on while Python goes on, so its work is awaited."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def faster_layout(model: Model, work: Callable[[], object]) -> str:
    """Runs `work` three times in either layout, in turn, and leaves the U-Net in the faster one. It is a warm-up too."""
    best = dict.fromkeys(LAYOUTS, math.inf)
    for _ in range(3):
        for name, layout in LAYOUTS.items():
            model.unet.to(memory_format=layout)
            began = now(model.device)
            work()
            best[name] = min(best[name], now(model.device) - began)
    winner = min(best, key=best.get)
    model.unet.to(memory_format=LAYOUTS[winner])
    return winner


def warm_up(model: Model, job: dict, photo: Tensor) -> str:
    """Uses the kind of call that takes most of the method's time."""
    z, c = model.encode(photo), model.embed("").expand(2, -1, -1)
    if job["method"] == "sine":
        work = lambda: fine_tune(model, z, "", job["prepare"] | {"tuningSteps": 1, "tuningRate": 0})
    elif job["prepare"].get("iterations", 0) > 0:
        work = lambda: torch.autograd.grad(model.predict(z, 500, x := c[:1].clone().requires_grad_(True)).sum(), x)
    else:
        work = lambda: torch.no_grad()(model.predict)(z, 500, c)
    layout = faster_layout(model, work)
    model.decode(z)
    model.rows = model.gradients = 0
    return layout


def run(job: dict) -> tuple[dict, Tensor]:
    dtype = getattr(torch, job["dtype"])
    model = Model(Path(job["model"]), job["device"], dtype)
    pixels = Image.open(job["photo"]).convert("RGB")
    raw = torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8).reshape(pixels.height, pixels.width, 3)
    photo = (raw.float() / 127.5 - 1).permute(2, 0, 1)[None].contiguous().to(job["device"], dtype)
    layout = warm_up(model, job, photo)
    prepare, edits, steps = job["prepare"], job["edit"], job["prepare"]["steps"]
    method, w = job["method"], prepare.get("guidance", edits.get("guidance"))
    models = [model]
    if method == "sine":
        models.append(copy.deepcopy(model))
    costs: dict[str, dict] = {}

    def part(name: str, work: Callable[[], object]):
        before = [(one.rows, one.gradients) for one in models]
        began = now(job["device"])
        result = work()
        seconds = now(job["device"]) - began
        rows, gradients = (sum((one.rows, one.gradients)[k] - was[k] for one, was in zip(models, before)) for k in (0, 1))
        costs[name] = {"seconds": seconds, "evaluations": rows, "gradients": gradients}
        return result

    def prepared():
        target, null, source = (model.embed(prompt) for prompt in (job["target"], "", job["source"]))
        z = model.encode(photo)
        if method == "sine":
            fine_tune(models[1], z, job["source"], prepare)
            return z, target, null, models[1].embed(job["source"])
        inverted = invert(model, z, {"masactrl": null, "null-text": source}.get(method, target), steps)
        if method == "baret":
            return inverted, target, null, tune(model, inverted, target, null, False, prepare)
        if method == "null-text":
            return inverted, target, source, tune(model, inverted, null, source, True, prepare)
        return inverted, target, null, None

    def edited(state) -> Tensor:
        start, target, other, more = state
        if method == "plain":
            z = plain_edit(model, start[0], target, other, steps, w)
        elif method == "baret":
            z = baret_edit(model, start[0], *more, target, other, w, edits)
        elif method == "null-text":
            z = prompt_to_prompt(model, start[0], *more, other, target, w, job["mapper"], edits)
        elif method == "masactrl":
            z = masactrl_edit(model, start[0], target, other, steps, job["mutual"], edits)
        else:
            noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(edits["seed"]))
            z = sine_edit(model, models[1], noise, target, more, other, steps, edits)
        return model.decode(z)

    state = part("prepare", prepared)
    picture = part("edit", lambda: edited(state))
    memory = {"memory": torch.cuda.max_memory_allocated()} if job["device"] == "cuda" else {}
    return costs | {"layout": layout} | memory, picture


def main() -> None:
    for library in (diffusers, transformers):
        library.logging.set_verbosity_error()
        library.logging.disable_progress_bar()
    job = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(job["threads"])
    with torch.device(job["device"]):
        found, picture = run(job)
    pixels = ((picture[0].float() / 2 + 0.5).clamp(0, 1) * 255).to(torch.uint8).permute(1, 2, 0).contiguous().cpu()
    Image.frombytes("RGB", (pixels.shape[1], pixels.shape[0]), pixels.numpy().tobytes()).save(job["picture"])
    print(json.dumps(found | {"torch": torch.__version__, "diffusers": diffusers.__version__}))


if __name__ == "__main__":
    main()
