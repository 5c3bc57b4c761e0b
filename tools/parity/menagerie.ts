/** Compares the engine on the Menagerie's trained weights with the references of menagerie.py, which runs this. */
import { type IntTensor, row, type Tensor } from "../../src/core/index.ts";
import { type Model, openPredictor, sample } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import * as g from "../../src/graph/index.ts";
import type { Judge } from "../../src/metrics/index.ts";
import { loadJudge } from "../../src/metrics/node/index.ts";
import { decode } from "../../src/models/index.ts";
import { DiskCache, openPackageFile } from "../../src/storage/node/index.ts";
import { CLIP_MERGES, type ClipTokenizer, loadTokenizer } from "../../src/text/index.ts";
import { pictures, type References, readReferences, relativeError, tell, worst } from "./compare.ts";

/** One forward; a loop of 20 steps. */
const oneForward = 1e-4;
const loop = 1e-3;

/** Number of prompts whose ids differ from those expected, [n, L]. */
const unlike = (tokenizer: ClipTokenizer, sentences: readonly string[], expected: IntTensor): number =>
  sentences.filter((sentence, i) => {
    const { ids } = tokenizer.encode(sentence);
    const [from, to] = [i * tokenizer.maxLength, (i + 1) * tokenizer.maxLength];
    return ids.data.join() !== expected.data.subarray(from, to).join();
  }).length;

const rowsOf = (x: Tensor): Tensor[] => Array.from({ length: x.shape[0] }, (_, i) => row(x, i));

/** Entry i of the first axis, without that axis. */
const entry = (x: Tensor, i: number): Tensor => ({ shape: x.shape.slice(1), data: row(x, i).data });

async function compareTextEncoder(model: Model, { metadata, values, ints }: References): Promise<void> {
  const sentences = JSON.parse(metadata.sentences) as string[];
  const tokenizer = await loadTokenizer(model.checkpoint.tokenizer, { shipped: () => openPackageFile(CLIP_MERGES) });
  const wrong = unlike(tokenizer, sentences, ints.ids);
  tell({ what: `tokenizer: sentences of ${sentences.length} with other ids`, value: wrong, most: 0 });
  const captions = JSON.parse(metadata.captions) as string[];
  const hidden = (await model.embed(captions)).map((e) => e.tensor);
  const errors = hidden.map((x, i) => relativeError(x, row(values.hidden, i)));
  tell({ what: `text encoder, ${captions.length} captions`, value: worst(errors), most: oneForward });
}

async function compareUNet(model: Model, { values, ints }: References): Promise<void> {
  const [, h, w] = values.noisy.shape.slice(2);
  const predictor = await openPredictor(model, { height: h * model.factor, width: w * model.factor });
  for (const [k, t] of [...ints.timesteps.data].entries()) {
    const latents = rowsOf(entry(values.noisy, k));
    const given = latents.map((latent, i) => ({ latent, context: row(values.hidden, 2 * k + i) }));
    const expected = entry(values.eps, k);
    const together = relativeError(await predictor.predict(given, t), expected);
    const alone = relativeError(await predictor.predict(given.slice(0, 1), t), row(expected, 0));
    tell({ what: `U-Net at timestep ${t}, batch of 2`, value: together, most: oneForward });
    tell({ what: `U-Net at timestep ${t}, batch of 1`, value: alone, most: oneForward });
  }
}

async function compareVae(model: Model, { values, ints }: References): Promise<void> {
  const shown = pictures(ints.shown);
  const encoded: number[] = [];
  for (const [i, picture] of shown.entries()) {
    encoded.push(relativeError(await model.encode(picture), row(values.latent, i)));
  }
  tell({ what: `VAE encoder, ${shown.length} pictures`, value: worst(encoded), most: oneForward });

  const [, ...shape] = values.latent.shape;
  const latent = g.input("latent", [1, ...shape]);
  const graph = () => ({ picture: decode(model.vae, g.div(latent, model.vae.scalingFactor)) });
  const decoder = await model.programs.open("vae", "decoder, in numbers", graph);
  const decoded: number[] = [];
  for (const [i, latent] of rowsOf(values.latent).entries()) {
    const { picture } = await decoder.run({ latent });
    decoded.push(relativeError(picture, row(values.decoded, i)));
  }
  tell({ what: `VAE decoder, ${shown.length} latents`, value: worst(decoded), most: oneForward });
}

/** Samples from the reference's noise, with the engine's own embeddings. */
async function comparePainting(model: Model, { metadata, values, ints }: References): Promise<void> {
  const start = values["painted/noise"];
  const [count, , h, w] = start.shape;
  const steps = Number(metadata.steps);
  const captions = (JSON.parse(metadata.captions) as string[]).slice(0, count);
  const [empty, ...contexts] = (await model.embed(["", ...captions])).map((e) => e.tensor);
  const predictor = await openPredictor(model, { height: h * model.factor, width: w * model.factor });
  const guidance = Number(metadata.guidance);
  const latents = await sample(predictor, model.schedule(steps), { start, contexts, unconditional: empty, guidance });
  const [painted, expected] = [await model.decode(latents), pictures(ints["painted/pictures"])];
  for (const [i, caption] of captions.entries()) {
    const error = relativeError(row(latents, i), row(values["painted/latents"], i));
    const levels = painted[i].data.map((x, k) => Math.abs(x - expected[i].data[k]));
    tell({ what: `${steps} steps, "${caption}": latent`, value: error, most: loop });
    tell({ what: `${steps} steps, "${caption}": picture`, value: Math.max(...levels), unit: "grey levels", most: 1 });
  }
}

async function compareJudge(judge: Judge, { metadata, values, ints }: References): Promise<void> {
  const sentences = JSON.parse(metadata.sentences) as string[];
  const wrong = unlike(judge.clip.tokenizer, sentences, ints["judge/ids"]);
  tell({ what: `judge, tokenizer: sentences of ${sentences.length} with other ids`, value: wrong, most: 0 });
  const prompts = Object.values(judge.attributes).flatMap((own) => Object.values(own));
  const promptVectors = await judge.clip.embedTexts(prompts);
  tell({
    what: `judge, embeddings of ${prompts.length} prompts`,
    value: relativeError(promptVectors, values["judge/prompts"]),
    most: oneForward,
  });
  const shown = [...pictures(ints["judge/shown"]), ...pictures(ints["judge/odd"])];
  const pictureVectors = await judge.clip.embedPictures(shown);
  tell({
    what: `judge, embeddings of ${shown.length} pictures`,
    value: relativeError(pictureVectors, values["judge/pictures"]),
    most: oneForward,
  });

  const verdicts = await judge.classify(shown);
  const names = JSON.parse(metadata.names) as Record<string, string>[];
  const attributes = Object.keys(judge.attributes);
  const other = verdicts.flatMap(({ labels }, i) => attributes.filter((a) => labels[a] !== names[i][a]));
  tell({ what: `judge, ${attributes.length * shown.length} names: other ones`, value: other.length, most: 0 });
  const differences = attributes.flatMap((a) => {
    const expected = values[`judge/probabilities/${a}`];
    return verdicts.flatMap(({ probabilities }, i) =>
      Object.values(probabilities[a]).map((p, k) => Math.abs(p - row(expected, i).data[k])),
    );
  });
  tell({ what: "judge, largest difference of a probability", value: worst(differences), most: loop });
}

export async function main([modelPlace, judgePlace, file, folder]: string[]): Promise<void> {
  const references = await readReferences(file);
  const model = await loadModel(modelPlace, { cache: new DiskCache({ folder }), threads: 1 });
  try {
    await compareTextEncoder(model, references);
    await compareUNet(model, references);
    await compareVae(model, references);
    await comparePainting(model, references);
    const judge = await loadJudge(model.engine, judgePlace);
    await compareJudge(judge, references);
    await judge.release();
  } finally {
    await model.close();
  }
}
