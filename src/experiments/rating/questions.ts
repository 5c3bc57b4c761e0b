import { Random } from "../../core/index.ts";
import type { Answer, Mode } from "./answers.ts";
import type { Study, StudyCase, StudyEdit } from "./study.ts";

/** A question about the edits of one photo: one edit to score, or a left and a right one to compare. */
export interface Question {
  readonly mode: Mode;
  readonly case: StudyCase;
  readonly edits: readonly StudyEdit[];
  /** True if the same question comes earlier. */
  readonly repeat: boolean;
  /** A text that a question shares with its answers only. */
  readonly key: string;
}

/** Share of the questions that come again, to see if a rater agrees with themselves. */
const repeated = 0.1;

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value >>> 0;
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

const everyPair = <T>(items: readonly T[]): [T, T][] =>
  items.flatMap((a, i) => items.slice(i + 1).map((b): [T, T] => [a, b]));

const keyOf = (mode: Mode, name: string, methods: readonly string[], repeat: boolean): string =>
  JSON.stringify([mode, name, [...methods].sort(), repeat]);

const methodsOfAnswer = (answer: Answer): string[] =>
  answer.mode === "score" ? [answer.edit.method] : [answer.left.method, answer.right.method];

/** Returns the key of the question that an answer belongs to. */
export const answerKey = (answer: Answer): string =>
  keyOf(answer.mode, answer.case, methodsOfAnswer(answer), answer.repeat);

const question = (mode: Mode, one: StudyCase, edits: readonly StudyEdit[], repeat: boolean): Question => ({
  mode,
  case: one,
  edits,
  repeat,
  key: keyOf(
    mode,
    one.case,
    edits.map(({ method }) => method),
    repeat,
  ),
});

/** Returns all questions of a mode, each once. */
export function allQuestions({ cases }: Study, mode: Mode): Question[] {
  return cases.flatMap((one) => {
    const groups = mode === "score" ? one.edits.map((edit) => [edit]) : everyPair(one.edits);
    return groups.map((edits) => question(mode, one, edits, false));
  });
}

export interface PlanOptions {
  readonly rater: string;
  readonly seed: number;
  /** Most questions, without those that come again. Default all. */
  readonly limit?: number;
}

/**
 * Questions of one rater, in their order. Rater and seed decide the order and the sides. A tenth of the questions comes again
 * half a session later, with left and right exchanged.
 */
export function planQuestions(study: Study, mode: Mode, { rater, seed, limit }: PlanOptions): Question[] {
  const random = new Random(seed, hash(`${mode} ${rater}`));
  const once = shuffled(allQuestions(study, mode), random)
    .slice(0, limit)
    .map((asked) => ({ ...asked, edits: shuffled(asked.edits, random) }));
  const distance = Math.floor(once.length / 2);
  const firstHalf = [...once.keys()].slice(0, once.length - distance);
  const again = new Set(shuffled(firstHalf, random).slice(0, once.length < 2 ? 0 : Math.ceil(repeated * once.length)));
  return once.flatMap((asked, i) => {
    if (!again.has(i - distance)) return [asked];
    const earlier = once[i - distance];
    return [asked, question(mode, earlier.case, earlier.edits.toReversed(), true)];
  });
}
