"""Ids that transformers' CLIPTokenizer gives if words were added to the Menagerie's vocabulary, in every way that it supports.

Writes test/text/fixtures/added.json: {case: {files: {name: content}, prompts: [[text, ids]]}}, ids without padding.
`files` replace those of checkpoints/menagerie/tokenizer; null removes one.

    python tools/parity/added.py
"""

import json
import shutil
import tempfile
from pathlib import Path

from transformers import CLIPTokenizer

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "checkpoints/menagerie/tokenizer"
OUT = ROOT / "test/text/fixtures/added.json"

PROMPTS = [
    "a photo of <my-cat> on grass", "<my-cat>", "<MY-CAT> sits", "<my-cat>dog", "dog<my-cat>s", "a <my-cat>, a <my-cat>.", "<my cat>",
    "<my-cat", "my-cat", "sks", "a sks dog", "skshirt", "xsks", "SKS dog", "sks, sks", "sks_1", "o'sks", "<My-Cat>", "<<my-cat>>",
    "Ünïcode sks ünïcode", "<|endoftext|> sks", "sks<|ENDOFTEXT|>",
]  # fmt: skip


def token(content: str, **flags: bool) -> dict:
    return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, "special": False} | flags


def main() -> None:
    config = json.loads((FOLDER / "tokenizer_config.json").read_text())
    special = json.loads((FOLDER / "special_tokens_map.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        saved = CLIPTokenizer.from_pretrained(FOLDER)
        saved.add_tokens(["<my-cat>", "sks"])
        saved.save_pretrained(folder)
        tokenizer_json = json.loads(Path(folder, "tokenizer.json").read_text())

    def decoder(*tokens: dict) -> dict:
        return {"tokenizer_config.json": config | {"added_tokens_decoder": {str(709 + k): t for k, t in enumerate(tokens)}}}

    cases = {
        "added_tokens.json": {"added_tokens.json": {"<my-cat>": 709, "sks": 710}},
        "added_tokens.json with capitals": {"added_tokens.json": {"<My-Cat>": 709}},
        "added_tokens_decoder": decoder(token("<my-cat>"), token("sks")),
        "added_tokens_decoder, not normalized": decoder(token("<my-cat>", normalized=False), token("SKS", normalized=False)),
        "added_tokens_decoder, single words": decoder(token("sks", single_word=True), token("<my-cat>", single_word=True)),
        "added_tokens_decoder, single words as written": decoder(token("sks", single_word=True, normalized=False)),
        "added_tokens_decoder and the same in added_tokens.json": {
            **decoder(token("<my-cat>"), token("sks", single_word=True)),
            "added_tokens.json": {"<my-cat>": 709, "sks": 710},
        },
        "additional_special_tokens": {"special_tokens_map.json": special | {"additional_special_tokens": ["<my-cat>", "dog</w>"]}},
        "additional_special_tokens that added_tokens.json lists": {
            "special_tokens_map.json": special | {"additional_special_tokens": ["<my-cat>"]},
            "added_tokens.json": {"<my-cat>": 709},
        },
        "a padding of its own": {"special_tokens_map.json": special | {"pad_token": "[PAD]"}},
        "tokenizer.json": {"tokenizer.json": tokenizer_json, "vocab.json": None, "merges.txt": None},
        "tokenizer.json beside vocab.json": {"tokenizer.json": tokenizer_json},
    }
    result = {}
    for name, files in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
            for file, content in files.items():
                path = Path(folder, file)
                path.unlink() if content is None else path.write_text(json.dumps(content))
            tokenizer = CLIPTokenizer.from_pretrained(folder)
            kept = {file: content for file, content in files.items()}
            result[name] = {"files": kept, "pad": tokenizer.pad_token_id, "prompts": [[p, tokenizer(p)["input_ids"]] for p in PROMPTS]}
    OUT.write_text(json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(OUT, OUT.stat().st_size)


if __name__ == "__main__":
    main()
