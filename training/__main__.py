"""python -m training STAGE: vocabulary, vae, latents, tower, translation, generator, judge, export, restore, evaluate, distances."""

import argparse
import json
from pathlib import Path


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")

    def stage(name: str, text: str, data: bool = True) -> argparse.ArgumentParser:
        own = stages.add_parser(name, help=text, description=text)
        own.add_argument("--run", type=Path, required=True, help="folder of the training state")
        if data:
            own.add_argument("--data", type=Path, required=True, help="folder of training shards")
        return own

    def trained(name: str, text: str, held_out: bool) -> argparse.ArgumentParser:
        own = stage(name, text)
        own.add_argument("--minutes", type=float, help="budget of this stage, including the time of earlier runs")
        own.add_argument("--until", help="stop at HH:MM or HH:MM:SS, even if budget is left")
        own.add_argument("--start", help="start from this checkpoint's weights if --run has no state of the stage")
        own.add_argument("--batch", type=int)
        own.add_argument("--rate", type=float, help="largest learning rate")
        if held_out:
            own.add_argument("--validation", type=Path, help="folder of held-out shards, to report quality during training")
        return own

    words = stage("vocabulary", "Write the tokenizer: the world's words", data=False)
    words.add_argument("--words", type=Path, help="JSON list of words; default: those of `node dist/cli/main.js world words`")
    words.add_argument("--length", type=int, default=32, help="tokens of a prompt")
    trained("vae", "Train the autoencoder", held_out=True)
    latents = stage("latents", "Encode every picture once, both mirrorings")
    latents.add_argument("--share", default="0/1", help="K/N: only every Nth shard, from the Kth, so that N processes share the work")
    tower = trained("tower", "Train a contrastive text encoder", held_out=False)
    tower.add_argument("--width", type=int, default=128)
    generator = trained("generator", "Train U-Net and text encoder", held_out=False)
    generator.add_argument("--tower", type=Path, help="folder with the text_encoder and tokenizer to use; they stay frozen")
    translation = trained("translation", "Teach a checkpoint's U-Net to listen to another text encoder, keys and values alone", held_out=False)
    translation.add_argument("--tower", type=Path, required=True, help="folder with that text_encoder and its tokenizer")
    judge = trained("judge", "Train the judge", held_out=True)
    for own in (tower, judge):
        own.add_argument("--more", type=Path, nargs="+", default=[], help="further folders of training shards, such as one of portraits")
    judge.add_argument("--patch", type=int, help="side of the patches in pixels; default: that of --start, else 16")
    export = stage("export", "Write the fp16 checkpoint folders. The settings in editing.json stay; its edition is that of --data")
    export.add_argument("--out", type=Path, default=Path("checkpoints"))
    restore = stage("restore", "Begin a run from committed checkpoints: autoencoder and tokenizer", data=False)
    restore.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    evaluate = stages.add_parser("evaluate", help="Measure committed weights")
    evaluate.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    evaluate.add_argument("--validation", type=Path, required=True, help="folder of held-out shards")
    evaluate.add_argument("--left-out", type=Path, help="folder of shards with the combinations left out of training")
    evaluate.add_argument("--portraits", type=Path, help="folder of held-out portraits, to measure the judge on expressions")
    evaluate.add_argument("--out", type=Path, required=True, help="folder for evaluation.json, evaluation.md and sheets")
    evaluate.add_argument("--record", action="store_true", help="write which photos are familiar into the model's editing.json")
    evaluate.add_argument("--pictures", type=int, default=500)
    evaluate.add_argument("--facing-pictures", type=int, default=200, help="pictures of prompts that say which way the animal faces")
    evaluate.add_argument("--left-out-pictures", type=int, default=200)
    evaluate.add_argument("--inversions", type=int, default=50)
    evaluate.add_argument("--steps", type=int, default=25)
    distances = stages.add_parser("distances", help="Print distances between a text encoder's embeddings of captions that differ in one attribute")
    distances.add_argument("folder", type=Path, help="folder with text_encoder and tokenizer")
    distances.add_argument("--data", type=Path, required=True, help="folder of shards, whose captions are compared")
    args = parser.parse_args()
    if args.stage in ("vae", "tower", "translation", "generator", "judge") and args.minutes is None and args.until is None:
        parser.error(f"{args.stage}: give --minutes, --until, or both")
    if args.stage == "translation" and args.start is None:
        parser.error("translation: give --start, the checkpoint to imitate")
    return args


def main() -> None:
    args = parse()
    if args.stage == "vocabulary":
        from . import tokenizer

        words = json.loads(args.words.read_text()) if args.words else tokenizer.world_words()["words"]
        tokenizer.write(args.run / "tokenizer", words, args.length)
    elif args.stage == "latents":
        from .vae import write_latents

        write_latents(args.data, args.run, tuple(int(part) for part in args.share.split("/")))
    elif args.stage == "export":
        from .export import export

        export(args.run, args.data, args.out)
    elif args.stage == "restore":
        from .export import restore

        restore(args.checkpoints, args.run)
    elif args.stage == "evaluate":
        from .evaluate import evaluate

        evaluate(args)
    elif args.stage == "distances":
        from .distances import distances

        distances(args.folder, args.data)
    else:
        from . import generator, judge, tower, translation, vae

        train = {"vae": vae, "tower": tower, "translation": translation, "generator": generator, "judge": judge}[args.stage].train
        given = {k: v for k, v in vars(args).items() if k != "stage" and not (k in ("batch", "rate") and v is None)}
        train(**given)


if __name__ == "__main__":
    main()
