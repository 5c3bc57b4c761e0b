import { z } from "zod";
import { oneOf, whole } from "../../core/index.ts";
import type { Study } from "./study.ts";

/** score: one edit, from 1 to 5. pairs: two edits of one photo, which is better. */
export const modes = ["score", "pairs"] as const;
export type Mode = (typeof modes)[number];

/** bad: both edits are bad. */
export const choices = ["left", "right", "tie", "bad"] as const;
export type Choice = (typeof choices)[number];

/** Schema of a rater's name. It is part of a file's name, and upper and lower case are the same. */
export const raterSchema = z
  .string({ error: "expected a name" })
  .transform((name) => name.trim().normalize("NFC").toLowerCase())
  .refine((name) => /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]{0,39}$/u.test(name), {
    error: "expected 1 to 40 letters, digits, - and _",
  });

const picture = z.strictObject({ method: z.string(), file: z.string() });
const common = {
  case: z.string(),
  /** True if the rater answered the same question before. */
  repeat: z.boolean(),
  /** When the answer was saved, and how long the rater took. */
  time: z.string(),
  seconds: z.number().optional(),
};

export const scoreSchema = whole(1, 5);
export const choiceSchema = oneOf(choices);

const scoreAnswer = z.strictObject({ mode: z.literal("score"), edit: picture, score: scoreSchema, ...common });
const pairAnswer = z.strictObject({
  mode: z.literal("pairs"),
  left: picture,
  right: picture,
  choice: choiceSchema,
  ...common,
});

/** A line of a rater's file: an answer, or the withdrawal of the last answer of a mode. */
export const lineSchema = z.union([scoreAnswer, pairAnswer, z.strictObject({ undo: oneOf(modes), time: z.string() })]);

export type ScoreAnswer = z.infer<typeof scoreAnswer>;
export type PairAnswer = z.infer<typeof pairAnswer>;
export type Answer = ScoreAnswer | PairAnswer;
/** An answer with the name of its rater. */
export type ByRater<A extends Answer> = A & { readonly rater: string };
export type AnswerLine = z.infer<typeof lineSchema>;

/** A rater's file. */
export interface RaterFile {
  readonly answers: readonly Answer[];
  /** Number of lines that are no answer. A killed process may leave one. */
  readonly broken: number;
}

function parsedLine(text: string): AnswerLine | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Reads the text of a rater's file: one JSON object a line. */
export function readAnswers(text: string): RaterFile {
  const texts = text.split("\n").filter(Boolean);
  const lines = texts.map(parsedLine).filter((line) => line !== undefined);
  const answers: Answer[] = [];
  for (const line of lines) {
    if (!("undo" in line)) answers.push(line);
    else {
      const last = answers.findLastIndex(({ mode }) => mode === line.undo);
      if (last >= 0) answers.splice(last, 1);
    }
  }
  return { answers, broken: texts.length - lines.length };
}

/** Keeps answers about pictures that the study still has: an edit that was made anew under another name has no answers yet. */
export function answersTo({ cases }: Study, answers: readonly Answer[]): Answer[] {
  const files = new Map(cases.map((one) => [one.case, new Map(one.edits.map(({ method, file }) => [method, file]))]));
  return answers.filter((answer) => {
    const pictures = answer.mode === "score" ? [answer.edit] : [answer.left, answer.right];
    return pictures.every(({ method, file }) => files.get(answer.case)?.get(method) === file);
  });
}
