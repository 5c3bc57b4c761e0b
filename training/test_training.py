"""python -m unittest training.test_training: about five minutes. Every stage lowers its loss, stops, resumes, and lowers it further."""

import datetime
import json
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file

from training import distances, evaluate, export, generator, judge, tower, translation, vae
from training import tokenizer as tokens
from training.data import Draw, edition_of
from training.loop import minutes_until
from training.optimiser import orthogonal

COLOURS = {"brown": (120, 70, 30), "white": (235, 235, 230)}
PLACES = {"grass": (60, 150, 60), "snow": (225, 235, 250)}
WORDS = ["a", "dog", "cat", "brown", "white", "on", "the", "grass", "in", "snow", "facing", "left", "right"]


def write_shard(folder: Path, count: int, seed: int) -> None:
    """Makes flat pictures: a tall or a wide box with a head on one side, on a plain ground."""
    rng, images, lines = np.random.default_rng(seed), [], []
    for _ in range(count):
        animal, colour, place, facing = (str(rng.choice(list(c))) for c in (["dog", "cat"], COLOURS, PLACES, ["left", "right"]))
        image = np.full((128, 128, 3), (150, 190, 240), np.uint8)
        image[70:] = PLACES[place]
        x, y = rng.integers(30, 50), rng.integers(60, 80)
        width, height = (50, 24) if animal == "dog" else (26, 40)
        image[y : y + height, x : x + width] = COLOURS[colour]
        head = x - 14 if facing == "left" else x + width
        image[y - 8 : y + 8, head : head + 14] = COLOURS[colour]
        caption = f"a {colour} {animal} {'on' if place == 'grass' else 'in'} the {place} facing {facing}"
        attributes = dict(animal=animal, pose="standing", colour=colour, place=place, style="photo", framing="whole body",
                          expression="neutral", wearing="nothing", beside="nothing", facing=facing)
        images.append(image)
        lines.append(dict(scene={}, attributes=attributes, captions=[caption, f"a {animal}", f"a {colour} {animal}"]))
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"images": np.stack(images)}, folder / "00000.safetensors")
    (folder / "00000.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


class JudgeLaws(unittest.TestCase):
    def setUp(self):
        folder = Path(tempfile.mkdtemp())
        tokens.write(folder, WORDS)
        self.model = judge.build(tokens.load(folder))

    def test_with_finer_patches_it_sees_each_as_it_saw_it_enlarged(self):
        finer, x = judge.with_patch(self.model, 8), torch.randn(1, 3, 128, 128)
        patches = F.unfold(x, 8, stride=8)[0].T.reshape(256, 3, 8, 8)
        embedding = self.model.vision_model.embeddings.patch_embedding
        wanted = embedding(F.interpolate(patches, size=16, mode="bilinear")).flatten(1)
        torch.testing.assert_close(finer.vision_model.embeddings.patch_embedding(x)[0].flatten(1).T, wanted, atol=1e-4, rtol=1e-4)

    def test_patches_of_the_same_size_change_nothing(self):
        same, weights = judge.with_patch(self.model, 16).state_dict(), self.model.state_dict()
        for name, value in weights.items():
            torch.testing.assert_close(same[name], value, msg=name)


class TowerLaws(unittest.TestCase):
    def setUp(self):
        folder = Path(tempfile.mkdtemp())
        tokens.write(folder, WORDS, 20)
        self.tokenizer = tokens.load(folder)
        self.model = tower.build(self.tokenizer, 64).eval()

    def test_padding_changes_no_pooled_output(self):
        row = tokens.ids(self.tokenizer, ["a dog", "a brown cat on the grass"])
        short = tower.trimmed(row, self.tokenizer.eos_token_id)
        self.assertEqual((row.shape[1], short.shape[1]), (20, 8))
        whole, part = (self.model.text_model(input_ids=given).pooler_output for given in (row, short))
        torch.testing.assert_close(whole, part)

    def test_its_text_encoder_by_itself_gives_the_same_hidden_states(self):
        row = tokens.ids(self.tokenizer, ["a white dog in the snow"])
        torch.testing.assert_close(tower.text_encoder(self.model)(row).last_hidden_state, self.model.text_model(input_ids=row).last_hidden_state)


class TranslationLaws(unittest.TestCase):
    def test_of_hidden_states_that_a_matrix_turns_into_the_old_ones_the_predictions_stay(self):
        torch.manual_seed(0)
        new, turn, is_word = torch.randn(40, 8, 32), torch.randn(48, 32) / 6, torch.arange(8).expand(40, 8) < 5
        matrix = translation.translation(new @ turn.T, new, is_word, ridge=1e-8)
        torch.testing.assert_close(matrix, turn, atol=1e-4, rtol=1e-4)
        unet = generator.build_unet(8, text_width=48).eval()
        same, noisy = translation.listening_to(unet, matrix).eval(), torch.randn(2, 8, 16, 16)
        with torch.no_grad():
            torch.testing.assert_close(same(noisy, 500, new[:2]).sample, unet(noisy, 500, new[:2] @ turn.T).sample, atol=1e-3, rtol=1e-3)


class DistanceLaws(unittest.TestCase):
    def test_sentences_are_compared_that_differ_in_one_attribute_or_in_all(self):
        names = distances.NAMED
        known = {("dog", "sitting", "brown", "grass"): "1", ("dog", "standing", "brown", "grass"): "2", ("cat", "standing", "white", "snow"): "3",
                 ("cat", "jumping", "black", "room"): "4"}
        found = distances.pairs(known)
        self.assertEqual({frozenset(pair) for pair in found["pose"]}, {frozenset("12")})
        self.assertEqual([found[name] for name in names if name != "pose"], [[], [], []])
        self.assertEqual({frozenset(pair) for pair in found["everything"]}, {frozenset("13"), frozenset("14"), frozenset("24")})


class TokenizerLaws(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        tokens.write(self.folder, WORDS)
        self.tokenizer = tokens.load(self.folder)

    def test_each_vocabulary_word_is_one_token(self):
        for word in WORDS:
            self.assertEqual(len(self.tokenizer(word).input_ids), 3, word)

    def test_an_unknown_word_is_spelt_by_pieces_that_give_it_back(self):
        for text in ("zebra", "catdog", "snowy grass", "ümlaut 7"):
            self.assertEqual(self.tokenizer.decode(self.tokenizer(text).input_ids, skip_special_tokens=True).strip(), text)

    def test_the_words_of_a_model_are_those_that_are_one_token(self):
        known = {"words": [*WORDS, "zebra"], "nearest": {"puppy": ["zebra", WORDS[0]], "mule": ["zebra"]}}
        self.assertEqual(tokens.learnt_words(self.folder, known), {"words": WORDS, "nearest": {"puppy": [WORDS[0]]}})

    def test_special_tokens_are_last_and_the_end_is_the_padding(self):
        row = tokens.ids(self.tokenizer, ["a dog"])[0].tolist()
        size = len(self.tokenizer)
        self.assertEqual((row[0], row[3:]), (size - 2, [size - 1] * (tokens.LENGTH - 3)))

    def test_captions_are_kept_beside_their_mirror_images(self):
        rows = tokens.of_captions(self.tokenizer, [["a dog facing left", "a dog"], ["a cat", "a white cat facing right"]])
        self.assertEqual(list(rows.shape), [2, 2, 2, tokens.LENGTH])
        said = [[[self.tokenizer.decode(row, skip_special_tokens=True).strip() for row in side] for side in own] for own in rows.long()]
        self.assertEqual(said[0], [["a dog facing left", "a dog"], ["a dog facing right", "a dog"]])
        self.assertEqual(said[1], [["a cat", "a white cat facing right"], ["a cat", "a white cat facing left"]])


class LoopLaws(unittest.TestCase):
    def test_a_time_of_day_is_the_nearest_one_and_may_be_past(self):
        now = datetime.datetime.now()
        for minutes in (-300.0, -0.5, 0.5, 300.0):
            clock = (now + datetime.timedelta(minutes=minutes)).strftime("%H:%M:%S")
            self.assertAlmostEqual(minutes_until(clock), minutes, delta=0.1)


class OptimiserLaws(unittest.TestCase):
    def test_matrices_of_one_shape_become_nearly_orthogonal_each_by_itself(self):
        for shape in ((3, 20, 48), (3, 48, 20)):
            matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
            together = orthogonal(matrices)
            sizes = torch.linalg.svdvals(together)
            self.assertTrue(0.6 < sizes.min() and sizes.max() < 1.3, sizes)
            for one, same in zip(matrices, together):
                self.assertLess((orthogonal(one[None])[0] - same).norm() / same.norm(), 0.02)


class DrawLaws(unittest.TestCase):
    def test_what_is_rare_is_picked_as_often_as_its_weight_says(self):
        usual = dict(framing="whole body", style="photo", wearing="nothing", beside="nothing")
        lines = [dict(attributes=usual)] * 3 + [dict(attributes={**usual, "wearing": "red hat"})]
        picks = Draw(lines, 3.0, 0.25)(np.random.default_rng(1), 6000)
        self.assertAlmostEqual(float((picks == 3).mean()), 0.5, delta=0.03)
        self.assertEqual(set(picks.tolist()), {0, 1, 2, 3})

    def test_portraits_have_their_share_of_the_picks_however_many_there_are(self):
        usual = dict(framing="whole body", style="photo", wearing="nothing", beside="nothing")
        for count in (1, 20):
            lines = [dict(attributes=usual)] * 4 + [dict(attributes={**usual, "framing": "portrait"})] * count
            picks = Draw(lines, 3.0, 0.25)(np.random.default_rng(1), 6000)
            self.assertAlmostEqual(float((picks >= 4).mean()), 0.25, delta=0.03)


class ReleaseLaws(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())

    def test_an_export_keeps_the_settings_and_names_the_edition(self):
        known = self.folder / "editing.json"
        settings = {"guidance": 3, "methods": {"direct": {"edit": {"crossSteps": 0.1}}}, "judge": "own", "edition": 1}
        known.write_text(json.dumps(settings))
        self.assertEqual(export.editing(known, 2), {**settings, "edition": 2})
        committed = json.loads(export.COMMITTED.read_text())
        self.assertEqual(export.editing(self.folder / "none.json", 2), {**committed, "edition": 2})

    def test_a_text_encoder_that_makes_the_export_too_large_is_refused_before_training(self):
        tokens.write(self.folder, WORDS, 77)
        tokenizer, own = tokens.load(self.folder), vae.build()
        for width, fits in ((128, True), (224, True), (256, False)):
            parts = (generator.build_unet(8, width), tower.text_encoder(tower.build(tokenizer, width)), own)
            if fits:
                generator.check_size(*parts)
            else:
                with self.assertRaisesRegex(SystemExit, "narrower"):
                    generator.check_size(*parts)

    def test_the_edition_is_that_of_the_scenes(self):
        for name, scene in (("one", {}), ("two", {"edition": 2})):
            write_shard(self.folder / name, 2, 0)
            lines = self.folder / name / "00000.jsonl"
            lines.write_text(lines.read_text().replace('"scene": {}', f'"scene": {json.dumps(scene)}'))
        self.assertEqual([edition_of(self.folder / name) for name in ("one", "two")], [1, 2])
        with self.assertRaisesRegex(SystemExit, "no shards"):
            edition_of(self.folder)

    def test_latents_of_another_autoencoder_stop_the_stage(self):
        write_shard(self.folder / "data", 2, 0)
        tokens.write(self.folder / "tokenizer", WORDS)
        vae.build((8, 8, 8, 8), 4).save_pretrained(self.folder / "vae")
        vae.write_latents(self.folder / "data", self.folder)
        vae.write_latents(self.folder / "data", self.folder)
        vae.build((8, 8, 8, 8), 4).save_pretrained(self.folder / "vae")
        with self.assertRaisesRegex(SystemExit, "latents of another autoencoder"):
            vae.write_latents(self.folder / "data", self.folder)

    def test_the_model_card_says_what_misses_its_goal(self):
        apart = {name: {"median": 0.5} for name in (*distances.NAMED, distances.EVERYTHING)}
        report = {"vae_psnr": {"pictures": 9, "mean": 32.9, "passed_by_99_percent": 28.04}, "distances": apart,
                  "judge": {"pictures": 9, "right": {"facing": 0.99, "pose": 0.5}}}
        lines = evaluate.card(report).splitlines()
        self.assertEqual([line for line in lines if "missed" in line],
                         ["| VAE round trip, 9 held-out pictures | 32.9 dB | at least 33.0 dB, **missed** |",
                          "| judge on 9 held-out renders: pose | 50.0% | at least 99.0%, **missed** |"])
        self.assertFalse(any(distances.EVERYTHING in line for line in lines))

    def test_what_photos_are_familiar_is_recorded_beside_the_other_settings(self):
        path = self.folder / "editing.json"
        path.write_text('{"steps": 50, "familiar": {"psnr": 1, "share": 0.5}}')
        evaluate.record_familiar(path, 28.07)
        self.assertEqual(json.loads(path.read_text()), {"steps": 50, "familiar": {"psnr": 28.0, "share": 0.99}})


class TrainingLaws(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.run_folder = Path(tempfile.mkdtemp())
        write_shard(cls.run_folder / "data", 96, 0)
        tokens.write(cls.run_folder / "tokenizer", WORDS)

    def stage(self, *args: str) -> str:
        return subprocess.run([sys.executable, "-m", "training", *args, "--run", str(self.run_folder), "--data", str(self.run_folder / "data")],
                              capture_output=True, text=True, check=True).stdout

    def losses(self, name: str) -> list[tuple[int, float]]:
        entries = [json.loads(line) for line in (self.run_folder / f"{name}.jsonl").read_text().splitlines()]
        return [(entry["step"], entry["loss"]) for entry in entries]

    def lowers_stops_resumes(self, name: str, minutes: float, *options: str) -> None:
        self.stage(name, "--minutes", str(minutes), *options)
        first = self.losses(name)
        again = self.stage(name, "--minutes", str(2 * minutes), *options)
        both = self.losses(name)
        self.assertIn("resumed at step", again)
        self.assertGreater(both[-1][0], first[-1][0])
        self.assertLess(first[-1][1], first[0][1])
        self.assertLess(both[-1][1], first[-1][1])

    def test_every_stage_lowers_its_loss_stops_resumes_and_goes_on_lowering_it(self):
        self.lowers_stops_resumes("vae", 0.4, "--batch", "4")
        self.stage("latents")
        self.lowers_stops_resumes("generator", 0.4, "--batch", "8")
        self.lowers_stops_resumes("judge", 0.4, "--batch", "16")
        self.lowers_stops_resumes("tower", 0.4, "--batch", "64", "--width", "64")
        start = self.run_folder / "start"
        (self.run_folder / "generator").rename(start)
        self.lowers_stops_resumes("translation", 0.4, "--batch", "8", "--start", str(start), "--tower", str(self.run_folder / "tower"))
        self.only_keys_and_values_differ(start, self.run_folder / "generator")

    def only_keys_and_values_differ(self, start: Path, translated: Path) -> None:
        before, after = (load_file(folder / "unet" / "diffusion_pytorch_model.safetensors") for folder in (start, translated))
        for name, weight in before.items():
            if name.endswith(translation.KEYS_AND_VALUES):
                self.assertEqual(after[name].shape, (weight.shape[0], 64), name)
            else:
                np.testing.assert_array_equal(after[name], weight, err_msg=name)

    def test_told_to_stop_it_writes_its_state_first(self):
        command = [sys.executable, "-m", "training", "vae", "--run", str(self.run_folder / "stopped"), "--data", str(self.run_folder / "data"), "--minutes", "5"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(60), 0)
        self.assertTrue((self.run_folder / "stopped" / "vae.pt").exists())


if __name__ == "__main__":
    unittest.main()
