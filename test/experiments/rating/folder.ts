import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Picture, Random } from "../../../src/core/index.ts";
import type { ShownState } from "../../../src/experiments/rating/shown.ts";
import type { Study } from "../../../src/experiments/rating/study.ts";
import { encodePng } from "../../../src/image/node/index.ts";

export const methodNames = ["zebra-method", "walrus-method", "yak-method"];

/** A picture of one random colour for each of 4×4 fields. */
export function fields(seed: number, side = 32): Picture {
  const random = new Random(seed);
  const colours = Array.from({ length: 48 }, () => random.below(256));
  const at = (k: number): number => {
    const [x, y] = [Math.floor(k / 3) % side, Math.floor(k / 3 / side)];
    return colours[3 * (4 * Math.floor((4 * y) / side) + Math.floor((4 * x) / side)) + (k % 3)];
  };
  return { width: side, height: side, data: Uint8Array.from({ length: 3 * side * side }, (_, k) => at(k)) };
}

/** Writes a folder with rating.json and its pictures, which name their method in their text. */
export async function writeStudy(folder: string, cases: number, methods = methodNames): Promise<Study> {
  const study: Study = {
    title: "Edits to rate",
    cases: Array.from({ length: cases }, (_, c) => ({
      case: `case-${c}`,
      kind: "pose",
      target: `a dog lying down, number ${c}`,
      photo: `cases/case-${c}/photo.png`,
      edits: methods.map((method) => ({ method, file: `edits/case-${c}/${method}-0f.png` })),
    })),
  };
  const write = async (path: string, seed: number, text: Record<string, string>): Promise<void> => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), await encodePng(fields(seed), text));
  };
  for (const [c, { photo, edits }] of study.cases.entries()) {
    await write(photo, 100 * c, {});
    for (const [k, { method, file }] of edits.entries()) await write(file, 100 * c + k + 1, { baret: method });
  }
  writeFileSync(join(folder, "rating.json"), JSON.stringify(study));
  return study;
}

/** Lines of a rater's file. */
export const linesOf = (folder: string, rater: string): Record<string, unknown>[] =>
  readFileSync(join(folder, "ratings", `${rater}.jsonl`), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

export interface Reply {
  readonly status: number;
  readonly value: ShownState & { error?: { code: string; message: string } };
}

/** Asks the server as its page does. */
export async function ask(
  url: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(new URL(`/api/${path}`, url), {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, value: (await response.json()) as Reply["value"] };
}

/** Answers `count` questions of a rater, the first choice always. Returns the last state. */
export async function answerSome(
  url: string,
  rater: string,
  mode: "score" | "pairs",
  count: number,
): Promise<ShownState> {
  let { value } = await ask(url, "next", { rater, mode });
  for (let k = 0; k < count; k++) {
    const answer = mode === "score" ? 1 : "left";
    ({ value } = await ask(url, "answer", { rater, mode, id: value.question!.id, answer }));
  }
  return value;
}
