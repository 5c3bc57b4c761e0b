"""Measures committed weights: size, text encoder, autoencoder, judge, generated pictures, composition, inversion. Writes JSON,
and as Markdown the table of the model card, with what is wanted of a release."""

import json
import math
import statistics
import time
from collections import Counter
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPModel, CLIPTextModel

from . import distances, judge
from . import tokenizer as tokens
from .data import Shards, psnr, save_sheet, to_bytes
from .generator import Generator, decode, sample, scheduler
from .loop import pick_device
from .vae import reconstruct

NAMED = ("animal", "pose", "colour", "place")
# What is wanted of a release.
MOST = {"parameters": 17e6, "gflop": 2, "megabytes": 48}
LEAST = {"one distance": 0.2, "distances": 0.35, "vae": 33, "inversion": 30, "judge": 0.99, "generated": 0.97, "facing": 0.95, "left out": 0.85}


class Checkpoint:
    """The two folders in fp32 on the device."""

    def __init__(self, folder: Path):
        device, model = pick_device(), folder / "menagerie"
        whole = dict(torch_dtype=torch.float32)
        self.vae = AutoencoderKL.from_pretrained(model, subfolder="vae", **whole).to(device).eval()
        unet = UNet2DConditionModel.from_pretrained(model, subfolder="unet", **whole).to(memory_format=torch.channels_last)
        self.generator = Generator(unet, CLIPTextModel.from_pretrained(model, subfolder="text_encoder", **whole)).to(device).eval()
        self.tokenizer = tokens.load(model / "tokenizer")
        self.guidance = json.loads((model / "editing.json").read_text())["guidance"]
        self.judge = CLIPModel.from_pretrained(folder / "menagerie-judge", **whole).to(device).eval()
        self.judge_tokenizer = tokens.load(folder / "menagerie-judge")
        self.table = json.loads((folder / "menagerie-judge" / "attributes.json").read_text())


def names_all(attributes: dict) -> bool:
    """True if the canonical caption of such a scene names animal, pose, colour and place."""
    return all(attributes[name] is not None for name in NAMED)


def confusion(answers: list[dict], truths: list[dict], attribute: str) -> dict[str, dict[str, int]]:
    """{wanted: {seen: count}} over the pictures that can show the attribute."""
    table: dict[str, Counter] = {}
    for answer, truth in zip(answers, truths):
        if truth[attribute] is None:
            continue
        table.setdefault(truth[attribute], Counter())[answer[attribute]] += 1
    return {wanted: dict(seen.most_common()) for wanted, seen in sorted(table.items())}


def drawn(models: Checkpoint, prompts: list[str], steps: int, seed: int, sheet: Path) -> list[dict[str, str]]:
    """Generates a picture of each prompt from new noise, shows the first 64 on a sheet, and classifies all."""
    noise, pictures = torch.Generator().manual_seed(seed), []
    for at in range(0, len(prompts), 50):
        latents = sample(models.generator, models.tokenizer, prompts[at : at + 50], steps, models.guidance, noise)
        pictures.append(decode(models.vae, latents).cpu())
    pictures = torch.cat(pictures)
    shown = to_bytes(pictures[:64])
    save_sheet(sheet, [shown[i : i + 8] for i in range(0, len(shown), 8)])
    return judge.name(models.judge, models.judge_tokenizer, models.table, pictures)


def faced(models: Checkpoint, data: Shards, count: int, steps: int, seed: int, sheet: Path) -> dict:
    """Judges pictures of held-out prompts that say which way the animal faces: share that face that way."""
    said = [(caption, line["attributes"]["facing"]) for line in data.lines for caption in line["captions"][1:] if " facing " in caption][:count]
    answers = drawn(models, [caption for caption, _ in said], steps, seed, sheet)
    right = [answer["facing"] == facing for answer, (_, facing) in zip(answers, said)]
    return {"pictures": len(said), "steps": steps, "guidance": models.guidance, "right": sum(right) / max(1, len(right))}


def generated(models: Checkpoint, data: Shards, count: int, steps: int, seed: int, sheet: Path) -> dict:
    """Judges pictures of held-out prompts: share correct for each attribute and for all four together."""
    lines = [line for line in data.lines if names_all(line["attributes"])][:count]
    truths = [line["attributes"] for line in lines]
    answers = drawn(models, [line["captions"][0] for line in lines], steps, seed, sheet)
    all_right = [all(a[k] == t[k] for k in NAMED) for a, t in zip(answers, truths)]
    return {"pictures": len(lines), "steps": steps, "guidance": models.guidance, "right": judge.accuracy(answers, truths, models.table),
            "all_four_right": sum(all_right) / max(1, len(all_right)), "sheet": [line["captions"][0] for line in lines[:64]],
            "confusion": {k: confusion(answers, truths, k) for k in NAMED}}


def judged(models: Checkpoint, data: Shards) -> dict:
    """Measures the judge on renders: share correct for each attribute, and its confusions."""
    truths = [line["attributes"] for line in data.lines]
    answers = judge.name(models.judge, models.judge_tokenizer, models.table, data.pictures(range(len(data))))
    return {"pictures": len(data), "right": judge.accuracy(answers, truths, models.table),
            "confusion": {k: confusion(answers, truths, k) for k in models.table}}


@torch.no_grad()
def inverted(models: Checkpoint, data: Shards, count: int, steps: int = 50) -> dict:
    """DDIM inversion with the source prompt at guidance 1, then DDIM back: PSNR against the autoencoder's own reconstruction."""
    device, factor = pick_device(), models.vae.config.scaling_factor
    x = data.pictures(range(min(count, len(data)))).to(device)
    latents = torch.cat([models.vae.encode(part).latent_dist.mean for part in x.split(16)]) * factor
    context = models.generator.text_encoder(tokens.ids(models.tokenizer, [line["captions"][0] for line in data.lines[: len(x)]]).to(device)).last_hidden_state
    schedule = scheduler()
    schedule.set_timesteps(steps)
    times = schedule.timesteps.tolist()
    alpha_bar, stride = schedule.alphas_cumprod, 1000 // steps

    def level(time: int) -> torch.Tensor:
        return alpha_bar[time] if time >= 0 else alpha_bar[0]

    def move(z, noise, start: int, end: int):
        """Song et al. 2021, eq. 12 with eta 0."""
        a, b = level(start), level(end)
        return b.sqrt() * (z - (1 - a).sqrt() * noise) / a.sqrt() + (1 - b).sqrt() * noise

    def noise_at(z, time: int):
        return models.generator.unet(z.contiguous(memory_format=torch.channels_last), time, context).sample

    z = latents
    for time in reversed(times):
        z = move(z, noise_at(z, time), time - stride, time)
    for time in times:
        z = move(z, noise_at(z, time), time, time - stride)
    quality = psnr(decode(models.vae, z), decode(models.vae, latents))
    return {"scenes": len(x), "steps": steps, "psnr_mean": quality.mean().item(), "psnr_least": quality.min().item()}


def sizes(models: Checkpoint, folder: Path) -> dict:
    """Parameters of each part, operations of one noise prediction, and the bytes of both folders."""
    unet, text = models.generator.unet, models.generator.text_encoder
    side, tokens_of_prompt = unet.config.sample_size, models.tokenizer.model_max_length
    latents = torch.zeros(1, unet.config.in_channels, side, side, device=unet.device)
    context = torch.zeros(1, tokens_of_prompt, unet.config.cross_attention_dim, device=unet.device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        unet(latents, 1, context)
    count = {name: sum(w.numel() for w in part.parameters()) for name, part in (("vae", models.vae), ("unet", unet), ("text_encoder", text))}
    files = [f for name in ("menagerie", "menagerie-judge") for f in (folder / name).rglob("*") if f.is_file()]
    return {"parameters": count, "gflop": counter.get_total_flops() / 1e9, "megabytes": sum(f.stat().st_size for f in files) / 1e6}


def rows(report: dict) -> list[str]:
    """Lines of a Markdown table: what was measured, its value, what is wanted. A value that misses it says so."""
    lines: list[str] = []

    def row(name: str, value: float, form: str, most: float | None = None, least: float | None = None) -> None:
        goal = f"at most {form.format(most)}" if most else f"at least {form.format(least)}" if least else ""
        missed = (most is not None and value > most) or (least is not None and value < least)
        lines.append(f"| {name} | {form.format(value)} | {goal}{', **missed**' if missed else ''} |")

    def shares(name: str, right: dict[str, float], least: float | None) -> None:
        for attribute, share in right.items():
            row(f"{name}: {attribute}", share, "{:.1%}", least=least)

    if own := report.get("size"):
        row("U-Net: parameters", own["parameters"]["unet"], "{:,.0f}", most=MOST["parameters"])
        row("U-Net: GFLOP a forward", own["gflop"], "{:.2f}", most=MOST["gflop"])
        row("both folders", own["megabytes"], "{:.1f} MB", most=MOST["megabytes"])
    if apart := {name: own["median"] for name, own in report.get("distances", {}).items() if name != distances.EVERYTHING}:
        for name, median in apart.items():
            row(f"distance of prompts that differ in {name}, median", median, "{:.2f}", least=LEAST["one distance"])
        row("distance of prompts one attribute apart, median of these", statistics.median(apart.values()), "{:.2f}", least=LEAST["distances"])
    if own := report.get("vae_psnr"):
        row(f"VAE round trip, {own['pictures']} held-out pictures", own["mean"], "{:.1f} dB", least=LEAST["vae"])
        row("the same, passed by 99 %", own["passed_by_99_percent"], "{:.1f} dB")
    if own := report.get("inversion"):
        row(f"DDIM inversion and back at guidance 1, {own['scenes']} scenes", own["psnr_mean"], "{:.1f} dB", least=LEAST["inversion"])
        row("the same, least", own["psnr_least"], "{:.1f} dB")
    for key, what in (("judge", "renders"), ("judge_portraits", "portraits")):
        if own := report.get(key):
            shares(f"judge on {own['pictures']} held-out {what}", own["right"], LEAST["judge"])
    for key, what, each, together in (("generated", "generated", LEAST["generated"], None), ("left_out", "of left-out combinations", None, LEAST["left out"])):
        if own := report.get(key):
            shares(f"{own['pictures']} {what}", {name: own["right"][name] for name in NAMED}, each)
            shares(f"{own['pictures']} {what}", {"all four": own["all_four_right"]}, together)
    if own := report.get("facing"):
        shares(f"{own['pictures']} generated of prompts that say it", {"facing": own["right"]}, LEAST["facing"])
    return lines


def card(report: dict) -> str:
    """The report as the model card's table."""
    return "\n".join(["| measured | result | wanted |", "|---|---|---|", *rows(report)]) + "\n"


def record_familiar(path: Path, psnr: float) -> None:
    """Writes into editing.json the PSNR that 99 % of the training's pictures pass, rounded down to a tenth."""
    settings = json.loads(path.read_text())
    settings["familiar"] = {"psnr": math.floor(10 * psnr) / 10, "share": 0.99}
    path.write_text(json.dumps(settings, indent=2) + "\n")


def evaluate(args) -> None:
    models, data, began = Checkpoint(args.checkpoints), Shards(args.validation), time.monotonic()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    report: dict = {}

    def note(key: str, value) -> None:
        report[key] = value
        (out / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
        (out / "evaluation.md").write_text(card(report))
        print(f"{key} [{time.monotonic() - began:.0f} s]: {json.dumps(value, indent=1)}", flush=True)

    note("size", sizes(models, args.checkpoints))
    note("distances", distances.measure(models.generator.text_encoder, models.tokenizer, data.lines))
    held_out = data.pictures(range(min(500, len(data)))).to(pick_device())
    again = reconstruct(models.vae, held_out)
    save_sheet(out / "vae.png", [to_bytes(part[:8]) for part in (held_out, again)])
    quality = psnr(held_out, again)
    note("vae_psnr", {"pictures": len(held_out), "mean": quality.mean().item(), "passed_by_99_percent": quality.quantile(0.01).item()})
    if args.record:
        record_familiar(args.checkpoints / "menagerie" / "editing.json", quality.quantile(0.01).item())
    note("judge", judged(models, data))
    if args.portraits:
        note("judge_portraits", judged(models, Shards(args.portraits)))
    note("inversion", inverted(models, data, args.inversions))
    note("generated", generated(models, data, args.pictures, args.steps, 1, out / "generated.png"))
    note("facing", faced(models, data, args.facing_pictures, args.steps, 3, out / "facing.png"))
    if args.left_out:
        note("left_out", generated(models, Shards(args.left_out), args.left_out_pictures, args.steps, 2, out / "left-out.png"))
