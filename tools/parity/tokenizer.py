"""Ids that transformers' CLIPTokenizer gives for 12,000 varied prompts, under three configurations.

Writes test/text/fixtures/tokenizer.json.gz: {config name: {config: tokenizer_config.json, sentences: [[text, ids]]}},
ids without padding, cut to 77 as Stable Diffusion cuts them.

    python tools/parity/tokenizer.py
"""

import gzip
import json
import random
import tempfile
import unicodedata
from pathlib import Path

from transformers import CLIPTokenizer

ROOT = Path(__file__).parents[2]
OUT = ROOT / "test/text/fixtures/tokenizer.json.gz"

WORDS = """a an the dog cat horse giraffe bird lying sitting standing jumping photo of on in with painting photorealistic
4k masterpiece trending artstation watercolour sofa grass snow beach it's don't we'll they've I'm she'd you're dogs' rock'n'roll
o'clock 1990s 3d 2x 100% $5.99 #1 e-mail café naïve façade Zürich Ærø Ångström crème brûlée jalapeño señor piñata Straße İstanbul
ΟΔΟΣ Σίσυφος λόγος ὈΔΥΣΣΕΎΣ привет МОСКВА собака ёлка שלום עולם مرحبا بالعالم कुत्ता घोड़ा 狗 一隻躺著的狗 犬が寝ている ネコ ﾈｺ 고양이 한국어 หมา
ﬁsh ﬂy Ⅷ ① ½ x² H₂O Ω Å ﷺ ǅ ẞ ŉ 🐶 👩‍👩‍👧 🏳️‍🌈 ❤️ 👍🏽 🇩🇪 ☃ ™ © … — “quoted” ‘s ’s 's 'S ''s 's's 'll'll l'll
<|startoftext|> <|endoftext|> <|ENDOFTEXT|> <|endoftext|>dog dog<|endoftext|> <|endof text|> </w> a</w> </w>b ! !! a!b hello! ?! ... (a:1.3) [b|c] {x} <lora:x>
supercalifragilisticexpialidocious aaaaaaaaaaaaaaaaaaaa www.example.com/a?b=c&d a_b snake_case CamelCase MiXeD-CaSe""".split()

SPACES = [" ", " ", " ", " ", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u0085", "\u200b", "\ufeff", ""]

# Scripts, symbols, marks, controls. Unassigned code points are omitted: the Unicode version of a regular expression engine
# decides which of them are letters.
RANGES = [
    (0x00, 0xFF), (0x20, 0x7E), (0x20, 0x7E), (0x100, 0x24F), (0x2B0, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF),
    (0x530, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F),
    (0x2070, 0x21FF), (0x2460, 0x27BF), (0x3000, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xAD00), (0xFB00, 0xFB4F),
    (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0x1D400, 0x1D4FF), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1F64F), (0x1F900, 0x1F9FF),
    (0x20000, 0x20050), (0xE0020, 0xE007F),
]


def character(rng: random.Random) -> str:
    while True:
        low, high = rng.choice(RANGES)
        char = chr(rng.randint(low, high))
        # Nothing that Unicode 15 (Python 3.12's, and older than any engine's) does not know.
        if unicodedata.category(char) not in ("Cn", "Cs", "Co") and char in KNOWN:
            return char


KNOWN = {chr(c) for low, high in RANGES for c in range(low, high + 1) if unicodedata.ucd_3_2_0.category(chr(c)) != "Cn"}
KNOWN |= {chr(c) for low, high in [(0x1F300, 0x1F64F), (0x1F900, 0x1F9FF), (0x1F1E6, 0x1F1FF)] for c in range(low, high + 1)}


def sentence(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.55:
        words = (rng.choice(WORDS) for _ in range(rng.randint(1, 7)))
        return "".join(rng.choice(SPACES) + word for word in words)
    if kind < 0.8:
        return "".join(character(rng) for _ in range(rng.randint(1, 7)))
    if kind < 0.9:  # combining marks in any order
        return "".join(rng.choice("aeiouAEIOUnñçşΑΕ") + chr(rng.randint(0x300, 0x345)) * rng.randint(0, 2) for _ in range(rng.randint(1, 6)))
    if kind < 0.995:  # runs that meet without a space
        return "".join(rng.choice(WORDS + [character(rng), str(rng.randint(0, 99999)), "'", "'s", "'Ll", "!!"]) for _ in range(rng.randint(2, 6)))
    return rng.choice([" ", ""]).join(rng.choice(WORDS) for _ in range(rng.randint(40, 150)))


def marker(content: str) -> dict:
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}


START, END = "<|startoftext|>", "<|endoftext|>"
CONFIGS = {
    "SD1.x": (dict(bos_token=marker(START), eos_token=marker(END), unk_token=marker(END), pad_token=END), 10_000),
    "SD2.x": (dict(bos_token=marker(START), eos_token=marker(END), unk_token=marker(END), pad_token="!"), 1_000),
    "plain": (dict(bos_token=START, eos_token=END, unk_token=END, pad_token=END), 1_000),
}


def vocabulary() -> tuple[dict[str, int], str]:
    text = (ROOT / "assets/clip/merges.txt").read_text(encoding="utf-8")
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    merges = [line.replace(" ", "") for line in text.split("\n")[1:] if line]
    tokens = [*letters, *(letter + "</w>" for letter in letters), *merges, START, END]
    assert len(tokens) == len(set(tokens)) == 49408
    return {token: i for i, token in enumerate(tokens)}, text


def main() -> None:
    vocab, merges = vocabulary()
    result = {}
    for name, (config, count) in CONFIGS.items():
        config = dict(config, tokenizer_class="CLIPTokenizer", model_max_length=77)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
            Path(folder, "merges.txt").write_text(merges, encoding="utf-8")
            Path(folder, "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
            tokenizer = CLIPTokenizer.from_pretrained(folder)
        rng = random.Random(f"tokenizer {name}")
        texts = dict.fromkeys(["", " ", "\u0000", *WORDS, *SPACES])
        while len(texts) < count:
            texts[sentence(rng)] = None
        ids = tokenizer(list(texts), truncation=True, max_length=77)["input_ids"]
        rows = [[text, row] for text, row in zip(texts, ids)]
        result[name] = dict(config=config, pad=tokenizer.pad_token_id, sentences=rows)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    data = json.dumps(result, separators=(",", ":"), ensure_ascii=False).encode()
    OUT.write_bytes(gzip.compress(data, 9, mtime=0))
    print(OUT, OUT.stat().st_size, sum(len(r["sentences"]) for r in result.values()))


if __name__ == "__main__":
    main()
