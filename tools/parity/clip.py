"""Tiny CLIP text encoders in the shape of SD1's and SD2's, with tokenizers, and two whole CLIP models.

    python tools/parity/clip.py

writes tiny-sd1/{tokenizer,text_encoder}, tiny-sd2/{tokenizer,text_encoder}, clip-legacy and clip-new under
test/fixtures, each model with its reference.safetensors (names explained in tools/parity/README.md).
"""

from __future__ import annotations

import torch
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from common import FIXTURES, normal, seed_weights, write_json, write_model, write_tensors

Tensor = torch.Tensor
WORDS = ["a", "white", "brown", "dog", "cat", "lying", "down", "standing", "on", "in", "the", "grass", "snow"]
TEXTS = ["a white cat lying down on the snow", "A DOG, standing… it's 42 über-good!", ""]


# --- tokenizer ---------------------------------------------------------------------------------------------------


def byte_letters() -> list[str]:
    """One printable character for each byte, in CLIP's order: printable bytes stand for themselves, first."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(rest))]


def vocabulary() -> tuple[dict[str, int], list[str]]:
    """CLIP's layout: letters, letters that end a word, one entry for each merge, the two special tokens."""
    merges: list[str] = []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        left = parts[0]
        for part in parts[1:]:
            pair = f"{left} {part}"
            if pair not in merges:
                merges.append(pair)
            left += part
    letters = byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), *(pair.replace(" ", "") for pair in merges), "<|startoftext|>", "<|endoftext|>"]
    assert len(set(tokens)) == len(tokens)
    return {token: index for index, token in enumerate(tokens)}, merges


VOCAB, MERGES = vocabulary()
BOS, EOS = VOCAB["<|startoftext|>"], VOCAB["<|endoftext|>"]


def write_tokenizer(pipeline: str, pad: str) -> CLIPTokenizer:
    folder = FIXTURES / pipeline / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(__import__("json").dumps(VOCAB, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n", encoding="utf-8")
    marker = lambda text, normalized: {"content": text, "lstrip": False, "normalized": normalized, "rstrip": False, "single_word": False}
    start, end = marker("<|startoftext|>", True), marker("<|endoftext|>", True)
    write_json(folder / "special_tokens_map.json", {"bos_token": start, "eos_token": end, "pad_token": pad, "unk_token": end})
    write_json(
        folder / "tokenizer_config.json",
        {"add_prefix_space": False, "bos_token": start, "do_lower_case": True, "eos_token": end, "errors": "replace", "model_max_length": 77, "pad_token": pad, "tokenizer_class": "CLIPTokenizer", "unk_token": end},
    )
    return CLIPTokenizer.from_pretrained(folder)


def token_ids(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    return tokenizer(texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids


# --- text encoders -----------------------------------------------------------------------------------------------

TEXT_ENCODERS = {
    # SD1's: keys below text_model., an int64 position_ids buffer among them, and ids that no code reads
    "tiny-sd1": {"hidden_act": "quick_gelu", "hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1, "projection_dim": 16},
    # SD2's: the penultimate layer is asked for by leaving the last layer out (23 of 24) before the final norm;
    # keys without the prefix, as transformers 5 writes a CLIPTextModel
    "tiny-sd2": {"hidden_act": "gelu", "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1, "projection_dim": 12},
}


def build_text_encoder(pipeline: str) -> CLIPTextModel:
    config = CLIPTextConfig(vocab_size=len(VOCAB), max_position_embeddings=77, attn_implementation="eager", **TEXT_ENCODERS[pipeline])
    return seed_weights(CLIPTextModel(config), f"{pipeline}/text_encoder", torch.float16 if pipeline == "tiny-sd2" else torch.float32)


def write_text_encoder(pipeline: str, tokenizer: CLIPTokenizer) -> None:
    model = build_text_encoder(pipeline)
    folder = FIXTURES / pipeline / "text_encoder"
    config = {
        "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "dropout": 0.0, "initializer_factor": 1.0, "initializer_range": 0.02,
        "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model", "torch_dtype": "float32", "transformers_version": "4.22.0.dev0",
        "vocab_size": len(VOCAB), **TEXT_ENCODERS[pipeline],
    }
    weights = {key: value for key, value in model.state_dict().items()}
    if pipeline == "tiny-sd1":
        weights = {f"text_model.{key}": value for key, value in weights.items()} | {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    else:
        weights = {key: value.half() for key, value in weights.items()}
    write_json(folder / "config.json", config)
    write_tensors(folder / "model.safetensors", weights, {"format": "pt"})

    ids = token_ids(tokenizer, TEXTS)
    kept: dict[str, Tensor] = {}
    hooks = [model.embeddings.register_forward_hook(lambda _m, _i, out: kept.__setitem__("embeddings", out)), model.encoder.layers[0].register_forward_hook(lambda _m, _i, out: kept.__setitem__("layer", out if isinstance(out, Tensor) else out[0]))]
    hidden = model(ids).last_hidden_state
    dy = normal(hidden.shape, pipeline, "text dy")
    layer = model.encoder.layers[0]
    names = ["embeddings.token_embedding.weight", "embeddings.position_embedding.weight", "final_layer_norm.weight", "final_layer_norm.bias"]
    names += [f"encoder.layers.0.{part}" for part in ("self_attn.q_proj.weight", "self_attn.q_proj.bias", "self_attn.v_proj.weight", "self_attn.out_proj.weight", "layer_norm1.weight", "mlp.fc1.weight", "mlp.fc2.bias")]
    gradients = torch.autograd.grad((hidden * dy).sum(), [kept["embeddings"], *(model.get_parameter(name) for name in names)])
    for hook in hooks:
        hook.remove()
    short = model(ids[:1, :12]).last_hidden_state  # causal: the first 12 rows are the same as at length 77
    assert torch.allclose(short, hidden[:1, :12])
    out = {"input_ids": ids, "last_hidden_state": hidden, "module/encoder.layers.0": kept["layer"], "grad/dy": dy, "grad/embeddings": gradients[0]}
    out |= {f"weights/grad/{name}": value for name, value in zip(names, gradients[1:])}
    write_tensors(folder / "reference.safetensors", out, {"command": "python tools/parity/clip.py", "computed": "float64"})
    print(f"{pipeline}/text_encoder: {len(VOCAB)} tokens, ids {ids[0, :12].tolist()}, std {hidden.std():.3f}")


# --- whole CLIP --------------------------------------------------------------------------------------------------

CLIPS = {
    # eos_token_id 2 is the historical mistake: the picture of a sentence is its largest id's position
    "clip-legacy": {"act": "quick_gelu", "eos": 2, "pad": 1},
    # otherwise it is the first position that holds eos_token_id; ids above it may follow or precede
    "clip-new": {"act": "gelu", "eos": 30, "pad": 30},
}


def clip_ids(name: str) -> Tensor:
    if name == "clip-legacy":
        return torch.tensor([[38, 5, 6, 39, 0, 0, 0, 0], [38, 9, 39, 39, 39, 39, 39, 39], [38, 1, 2, 3, 4, 5, 6, 39]])
    return torch.tensor([[29, 35, 6, 30, 30, 30, 30, 30], [29, 9, 36, 12, 30, 39, 7, 30], [29, 30, 39, 38, 37, 36, 35, 34]])


def write_clip(name: str) -> None:
    kind = CLIPS[name]
    text = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 8, "hidden_act": kind["act"], "bos_token_id": 0, "eos_token_id": kind["eos"], "pad_token_id": kind["pad"], "projection_dim": 10, "layer_norm_eps": 1e-5}
    vision = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 32, "patch_size": 8, "num_channels": 3, "hidden_act": kind["act"], "projection_dim": 10, "layer_norm_eps": 1e-5}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=10, logit_scale_init_value=2.6592, attn_implementation="eager")
    model = seed_weights(CLIPModel(config), name)
    with torch.no_grad():
        model.logit_scale.fill_(torch.tensor(1.5, dtype=torch.float32).double())
    written = {"architectures": ["CLIPModel"], "initializer_factor": 1.0, "logit_scale_init_value": 2.6592, "model_type": "clip", "projection_dim": 10, "text_config": {"model_type": "clip_text_model", **text}, "vision_config": {"model_type": "clip_vision_model", **vision}}
    write_model(FIXTURES / name, "model.safetensors", model, written)

    ids, pixels = clip_ids(name), normal((2, 3, 32, 32), name, "pixels").requires_grad_(True)
    result = model(input_ids=ids, pixel_values=pixels)
    dy = normal(result.logits_per_image.shape, name, "dy")
    names = [
        "logit_scale", "visual_projection.weight", "text_projection.weight", "vision_model.embeddings.class_embedding", "vision_model.embeddings.patch_embedding.weight",
        "vision_model.embeddings.position_embedding.weight", "vision_model.pre_layrnorm.weight", "vision_model.post_layernorm.bias", "vision_model.encoder.layers.0.self_attn.k_proj.weight",
        "text_model.embeddings.token_embedding.weight", "text_model.final_layer_norm.weight", "text_model.encoder.layers.1.mlp.fc2.weight",
    ]
    gradients = torch.autograd.grad((result.logits_per_image * dy).sum(), [pixels, *(model.get_parameter(key) for key in names)])
    out = {
        "input_ids": ids, "pixel_values": pixels, "image_embeds": result.image_embeds, "text_embeds": result.text_embeds, "logits_per_image": result.logits_per_image, "logits_per_text": result.logits_per_text,
        "text_pooled": result.text_model_output.pooler_output, "vision_pooled": result.vision_model_output.pooler_output,
        "vision_last_hidden_state": result.vision_model_output.last_hidden_state, "text_last_hidden_state": result.text_model_output.last_hidden_state, "grad/dy": dy, "grad/pixel_values": gradients[0],
    }
    out |= {f"weights/grad/{key}": value for key, value in zip(names, gradients[1:])}
    write_tensors(FIXTURES / name / "reference.safetensors", out, {"command": "python tools/parity/clip.py", "computed": "float64"})
    print(f"{name}: logits {result.logits_per_image.detach().numpy().round(2).tolist()}")


def main() -> None:
    for pipeline, pad in (("tiny-sd1", "<|endoftext|>"), ("tiny-sd2", "!")):
        write_text_encoder(pipeline, write_tokenizer(pipeline, pad))
    for name in CLIPS:
        write_clip(name)


if __name__ == "__main__":
    main()
