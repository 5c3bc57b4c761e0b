/** Edits pairs whose true result is known along a method's strip, and scores every edit. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Model } from "../../diffusion/index.ts";
import { edit, type Method } from "../../editing/index.ts";
import { planPrepared, prepareStored } from "../../editing/node/index.ts";
import { contactSheet } from "../../image/index.ts";
import { encodePng } from "../../image/node/index.ts";
import { foundChanges, psnr, requestedChanges } from "../../metrics/index.ts";
import type { Judge } from "../../metrics/node/index.ts";
import { clipScorer } from "../../tasks/node/index.ts";
import { attributes, type Pair, renderPair } from "../../world/index.ts";
import type { ScoredStrip, ScorerName, StripPoint } from "../strip.ts";

/**
 * Makes the whole strip of each pair, except those that are in `out` already. Figures and sheets stay there. Returns them in
 * the order of the pairs.
 */
export async function measureStrips(
  method: Method,
  model: Model,
  judge: Judge,
  pairs: readonly Pair[],
  out: string,
): Promise<ScoredStrip[]> {
  mkdirSync(out, { recursive: true });
  const log = join(out, "strips.jsonl");
  const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : [];
  const made = new Map(lines.map((line) => JSON.parse(line) as ScoredStrip).map((strip) => [strip.name, strip]));
  for (const [k, pair] of pairs.entries()) {
    if (made.has(pair.name)) continue;
    const began = performance.now();
    const strip = await stripOf(method, model, judge, pair, out);
    await appendFile(log, `${JSON.stringify(strip)}\n`);
    made.set(pair.name, strip);
    console.error(`${k + 1}/${pairs.length} ${pair.name} ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }
  return pairs.map(({ name }) => made.get(name)!);
}

async function stripOf(method: Method, model: Model, judge: Judge, pair: Pair, out: string): Promise<ScoredStrip> {
  const { before, after, mask } = renderPair(pair, model.editing.size.height);
  const input = { target: pair.target, source: method.needs.caption === "unused" ? undefined : pair.source };
  const prepared = await prepareStored(method, model, before, await planPrepared(method, model, before, input), {});
  const clip = clipScorer(judge.clip, pair.target);
  const { choice } = await edit(method, model, prepared, { strength: "auto" }, { scorer: clip, wholeStrip: true });
  const { photo, tried } = choice!;
  const edits = tried.map((one) => one.edit);
  const named = (scores: Readonly<Record<string, number>>): Record<ScorerName, number> => {
    const { [clip.name]: byClip, ...others } = scores;
    return { clip: byClip, noise: Object.values(others)[0] };
  };

  const [was, is] = [attributes(pair.before), attributes(pair.after)];
  const requested = requestedChanges(Object.keys(judge.attributes) as (keyof typeof is)[], was, is);
  const verdicts = await judge.classify(edits.map(({ picture }) => picture));
  const points = tried.map(({ keep, scores }, k): StripPoint => {
    const { picture } = edits[k];
    return {
      keep,
      done: foundChanges(requested, verdicts[k].labels, is).length === requested.length,
      kept: psnr(picture, before, mask),
      truth: psnr(picture, after),
      scores: named(scores),
    };
  });
  const cells = [
    { picture: before, label: pair.name },
    ...points.map(({ keep }, k) => ({ picture: edits[k].picture, label: `keep ${keep}` })),
    { picture: after, label: pair.target },
  ];
  const sheet = contactSheet(cells, { columns: cells.length });
  await writeFile(join(out, `${pair.name}.png`), await encodePng(sheet));
  return {
    name: pair.name,
    kind: pair.kind,
    heldOut: pair.heldOut,
    photo: named(photo),
    points,
  };
}
