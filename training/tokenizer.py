"""CLIP's byte-pair tokenizer over the small vocabulary of the Menagerie's captions.

As in CLIP, vocab.json has the 256 byte symbols, the same with </w>, the merged symbols, and the two special tokens last.
merges.txt builds every caption word, so each is one token. Any other word is spelt in pieces.
"""

import json
import subprocess
from pathlib import Path

from .data import mirror_words

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 32


def world_words() -> dict:
    """words: every word of the world's captions. nearest: for other words, the nearest of these."""
    asked = subprocess.run(["node", "dist/cli/main.js", "world", "words"], capture_output=True, text=True, check=True)
    return json.loads(asked.stdout)


def learnt_words(folder: Path, known: dict) -> dict:
    """`known` without what this tokenizer's vocabulary does not hold as whole words: words.json of a model trained with it."""
    vocabulary = json.loads((folder / "vocab.json").read_text())
    words = [word for word in known["words"] if word + "</w>" in vocabulary]
    learnt = set(words)
    nearest = {word: [near for near in phrases if learnt.issuperset(near.split())] for word, phrases in known["nearest"].items()}
    return {"words": words, "nearest": {word: phrases for word, phrases in nearest.items() if phrases}}


def byte_symbols() -> list[str]:
    """CLIP's printable character for each byte, in CLIP's order: printable bytes as themselves, the others from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = 256 - len(printable)
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(hidden)]


def apply_merges(symbols: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    """Tokenizes one word as BPE does: applies the earliest merge that fits until none fits."""
    while True:
        pairs = [(ranks[pair], at) for at, pair in enumerate(zip(symbols, symbols[1:])) if pair in ranks]
        if not pairs:
            return symbols
        _, at = min(pairs)
        symbols = [*symbols[:at], symbols[at] + symbols[at + 1], *symbols[at + 2 :]]


def learn_merges(words: list[str]) -> list[tuple[str, str]]:
    """Learns merges that turn each word into one symbol. Each word is first tokenized with the merges so far, then its
    pieces are joined. An earlier merge always wins, so a later merge never breaks an earlier word."""
    merges: list[tuple[str, str]] = []
    ranks: dict[tuple[str, str], int] = {}
    for word in sorted(set(words), key=lambda w: (len(w), w)):
        symbols = apply_merges([*word[:-1], word[-1] + "</w>"], ranks)
        while len(symbols) > 1:
            pair = (symbols[0], symbols[1])
            ranks[pair] = len(merges)
            merges.append(pair)
            symbols = apply_merges(symbols, ranks)
    return merges


def write(folder: Path, words: list[str], length: int = LENGTH) -> None:
    """Writes vocab.json, merges.txt, tokenizer_config.json and special_tokens_map.json."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    merges = learn_merges(words)
    symbols = byte_symbols()
    tokens = dict.fromkeys([*symbols, *(s + "</w>" for s in symbols), *("".join(pair) for pair in merges), START, END])
    vocabulary = {token: number for number, token in enumerate(tokens)}
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": length, "do_lower_case": True, "errors": "replace",
              "add_prefix_space": False, **special}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")


def load(folder: Path):
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder)


def ids(tokenizer, texts: list[str]):
    """Int64 [n, LENGTH]: start, words, end, and more ends as padding."""
    return tokenizer(texts, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt").input_ids


def of_captions(tokenizer, captions: list[list[str]]):
    """Int16 [n, 2, k, LENGTH] of k captions for each picture: its own, and those of the mirrored picture."""
    import torch

    both = [[own, [mirror_words(text) for text in own]] for own in captions]
    unique = {text: number for number, text in enumerate(dict.fromkeys(text for sides in both for own in sides for text in own))}
    rows = torch.tensor([[[unique[text] for text in own] for own in sides] for sides in both])
    return ids(tokenizer, list(unique)).short()[rows]


def caption_words(captions: list[str]) -> list[str]:
    return sorted({word for text in captions for word in text.split(" ")} | {"left", "right"})
