/** Edits cases whose true result is known along a method's strip, and scores every edit. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Model, modelHash } from "../../diffusion/index.ts";
import { edit, type Method, planPrepared, prepareStored } from "../../editing/index.ts";
import { contactSheet } from "../../image/index.ts";
import { encodePng } from "../../image/node/index.ts";
import type { Judge } from "../../metrics/index.ts";
import { clipScorer } from "../../tasks/index.ts";
import type { Case } from "../cases/case.ts";
import type { ScoredStrip, ScorerName, StripPoint } from "../strip.ts";
import { truthScores } from "../truthScore.ts";

/**
 * Makes the whole strip of each case, except those that `out` has already of this method and this model. Figures and sheets
 * stay there. Returns them in the order of the cases.
 */
export async function measureStrips(
  method: Method,
  model: Model,
  judge: Judge,
  cases: readonly Case[],
  out: string,
): Promise<ScoredStrip[]> {
  mkdirSync(out, { recursive: true });
  const log = join(out, "strips.jsonl");
  const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : [];
  const of = `${method.name} ${await modelHash(model)}`;
  const known = lines.map((line) => JSON.parse(line) as ScoredStrip & { of?: string }).filter((line) => line.of === of);
  const made = new Map<string, ScoredStrip>(known.map((strip) => [strip.name, strip]));
  for (const [k, one] of cases.entries()) {
    if (made.has(one.name)) continue;
    const began = performance.now();
    const strip = await stripOf(method, model, judge, one, out);
    await appendFile(log, `${JSON.stringify({ ...strip, of })}\n`);
    made.set(one.name, strip);
    console.error(`${k + 1}/${cases.length} ${one.name} ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }
  return cases.map(({ name }) => made.get(name)!);
}

async function stripOf(method: Method, model: Model, judge: Judge, one: Case, out: string): Promise<ScoredStrip> {
  const { name, kind, heldOut, target } = one;
  const pictures = await one.pictures(model.workingSize());
  const { photo, truth = photo } = pictures;
  const input = { target, source: method.needs.caption === "unused" ? undefined : one.source };
  const prepared = await prepareStored(method, model, photo, await planPrepared(method, model, photo, input));
  const clip = clipScorer(judge.clip, target);
  const { choice } = await edit(method, model, prepared, { strength: "auto" }, { scorer: clip, wholeStrip: true });
  const { tried } = choice!;
  const named = (scores: Readonly<Record<string, number>>): Record<ScorerName, number> => {
    const { [clip.name]: byClip, ...others } = scores;
    return { clip: byClip, noise: Object.values(others)[0] };
  };
  const found = await truthScores(
    judge,
    one,
    pictures,
    tried.map(({ edit: { picture } }) => picture),
  );
  const points = tried.map(({ keep, scores }, k): StripPoint => ({ keep, ...found[k], scores: named(scores) }));
  const cells = [
    { picture: photo, label: name },
    ...tried.map(({ keep, edit: { picture } }) => ({ picture, label: `keep ${keep}` })),
    { picture: truth, label: target },
  ];
  const sheet = contactSheet(cells, { columns: cells.length });
  await writeFile(join(out, `${name}.png`), await encodePng(sheet));
  return { name, kind, heldOut: heldOut === true, photo: named(choice!.photo), points };
}
