/**
 * `npm run bench -- menagerie`: pictures of held-out sentences from fresh noise, and what the judge sees in them. Python's
 * figures for the same question: `python -m training evaluate`, in the model card.
 */
import { mkdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Random } from "../../src/core/index.ts";
import { generate } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { editionOf } from "../../src/experiments/index.ts";
import { contactSheet } from "../../src/image/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { agreement, confusionTable } from "../../src/metrics/index.ts";
import { loadJudge } from "../../src/metrics/node/index.ts";
import { findModel } from "../../src/storage/node/index.ts";
import { attributes, caption, type SampleOptions, type Scene, sampleScene } from "../../src/world/index.ts";
import { count, readOptions, text } from "../options.ts";

const named = ["animal", "pose", "colour", "place"] as const;

/** Scenes whose canonical sentence names animal, pose, colour and place, as training/evaluate.py chooses them. */
function scenes(
  count: number,
  seed: number,
  { combinations, edition }: Pick<SampleOptions, "combinations" | "edition">,
): Scene[] {
  const random = new Random(seed);
  const found: Scene[] = [];
  while (found.length < count) {
    const scene = sampleScene(random, { split: "validation", combinations, edition });
    if (named.every((a) => attributes(scene)[a] !== null)) found.push(scene);
  }
  return found;
}

const about = "Pictures of held-out sentences from fresh noise, and what the judge sees in them.";
const options = {
  model: text("NAME", "name, folder or file of the model", "checkpoints/menagerie"),
  judge: text("FOLDER", "CLIP model that names what a picture shows", "checkpoints/menagerie-judge"),
  pictures: count("pictures of combinations that training has", 500),
  "left-out": count("pictures of combinations that training does not have", 200),
  steps: count("sampling steps", 25),
  sheet: text("FILE", "the first 48 pictures on one sheet", "out/menagerie.png"),
};

export async function main(args: readonly string[]): Promise<void> {
  const values = readOptions("menagerie", about, options, args);
  const model = await loadModel(values.model);
  try {
    const judge = await loadJudge(model.engine, (await findModel(values.judge)).path);
    for (const [combinations, count] of [
      ["seen", values.pictures],
      ["held out", values["left-out"]],
    ] as const) {
      const asked = scenes(count, 11, { combinations, edition: editionOf(model) });
      const sentences = asked.map((scene) => caption(scene));
      const pictures = (await generate(model, sentences, { steps: values.steps, seed: 1 })).map((g) => g.picture);
      const seen = (await judge.classify(pictures)).map(({ labels }) => labels);
      const { right, allRight, confusion } = agreement(named, asked.map(attributes), seen);
      console.log(
        `\n${count} pictures of combinations ${combinations === "seen" ? "that training has" : "left out of training"}`,
      );
      for (const a of named)
        console.log(`${a}: ${(100 * right[a]!).toFixed(1)} % right\n${confusionTable(confusion[a])}\n`);
      console.log(`all four: ${(100 * allRight!).toFixed(1)} %`);
      if (combinations === "seen") {
        mkdirSync(dirname(values.sheet), { recursive: true });
        const cells = pictures.slice(0, 48).map((picture, k) => ({ picture, label: sentences[k] }));
        await writeFile(values.sheet, await encodePng(contactSheet(cells)));
      }
    }
    await judge.release();
  } finally {
    await model.close();
  }
}
