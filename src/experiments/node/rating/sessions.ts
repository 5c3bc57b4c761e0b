import { createHmac, randomBytes } from "node:crypto";
import type { z } from "zod";
import { listed, problemsOf, UsageError } from "../../../core/index.ts";
import { appendLine } from "../../../storage/node/index.ts";
import {
  type Answer,
  answerKey,
  answersTo,
  choiceSchema,
  type Mode,
  planQuestions,
  type Question,
  type ShownQuestion,
  type ShownState,
  type Study,
  scoreSchema,
  type Totals,
} from "../../rating/index.ts";
import { raterPath, readRater } from "./raterFiles.ts";

interface Session {
  readonly rater: string;
  /** In the order of the file, without withdrawn ones. */
  readonly answers: Answer[];
  /** Keys of the answered questions. */
  readonly answered: Set<string>;
  readonly plans: Readonly<Record<Mode, readonly Question[]>>;
  /** When the current question of a mode was first shown. */
  readonly shown: Map<string, number>;
  /** Resolves after the last change of the answers. */
  turn: Promise<unknown>;
}

export interface SessionOptions {
  readonly seed: number;
  /** Most questions of each mode. Default all. */
  readonly limit?: number;
}

/** Most raters of one server, so that a program that invents names does not fill the memory. */
const MAX_RATERS = 500;

/** The raters of one study: what each is asked next, and their answers on the disk. */
export class Sessions {
  readonly study: Study;
  private readonly folder: string;
  private readonly options: SessionOptions;
  private readonly secret = randomBytes(32);
  private readonly sessions = new Map<string, Promise<Session>>();
  private readonly pictures = new Map<string, string>();

  constructor(folder: string, study: Study, options: SessionOptions) {
    this.folder = folder;
    this.study = study;
    this.options = options;
  }

  /** Number of questions and of answers in each mode. Throws UsageError, StorageError. */
  async totals(rater: string): Promise<Totals> {
    const session = await this.session(rater);
    const of = (mode: Mode) => {
      const { done, total } = this.state(session, mode);
      return { done, total };
    };
    return { score: of("score"), pairs: of("pairs") };
  }

  /** Returns what to ask next. Throws UsageError, StorageError. */
  async next(rater: string, mode: Mode): Promise<ShownState> {
    return this.state(await this.session(rater), mode);
  }

  /**
   * Saves the answer to the current question: a score, or a choice. Returns what to ask next, or undefined if `id` is not the
   * current question. Throws UsageError if the answer does not fit the mode, StorageError if it cannot be saved.
   */
  async answer(rater: string, mode: Mode, id: string, value: unknown): Promise<ShownState | undefined> {
    const session = await this.session(rater);
    return inTurn(session, async () => {
      const question = currentOf(session, mode);
      if (!question || this.idOf(session, question, "question") !== id) return undefined;
      const began = session.shown.get(id);
      const answer = answerOf(question, value, began === undefined ? undefined : performance.now() - began);
      await appendLine(raterPath(this.folder, session.rater), JSON.stringify(answer));
      session.answers.push(answer);
      session.answered.add(question.key);
      return this.state(session, mode);
    });
  }

  /** Withdraws the last answer of a mode. Returns what to ask next. Throws UsageError, StorageError. */
  async undo(rater: string, mode: Mode): Promise<ShownState> {
    const session = await this.session(rater);
    return inTurn(session, async () => {
      if (this.state(session, mode).canUndo) {
        const line = JSON.stringify({ undo: mode, time: new Date().toISOString() });
        await appendLine(raterPath(this.folder, session.rater), line);
        const last = session.answers.findLastIndex((answer) => answer.mode === mode);
        const [withdrawn] = session.answers.splice(last, 1);
        session.answered.delete(answerKey(withdrawn));
      }
      return this.state(session, mode);
    });
  }

  /** Path of a picture in the folder of the study. Undefined if no question has shown it. */
  picture(id: string): string | undefined {
    return this.pictures.get(id);
  }

  private session(rater: string): Promise<Session> {
    const known = this.sessions.get(rater);
    if (known) return known;
    if (this.sessions.size >= MAX_RATERS) {
      throw new UsageError("too many raters", { found: `${MAX_RATERS + 1}`, advice: "Start the server again." });
    }
    const opened = this.open(rater);
    this.sessions.set(rater, opened);
    opened.catch(() => this.sessions.delete(rater));
    return opened;
  }

  private async open(rater: string): Promise<Session> {
    const { answers } = await readRater(this.folder, rater);
    const plan = (mode: Mode): Question[] => planQuestions(this.study, mode, { rater, ...this.options });
    return {
      rater,
      answers: [...answers],
      answered: new Set(answersTo(this.study, answers).map(answerKey)),
      plans: { score: plan("score"), pairs: plan("pairs") },
      shown: new Map(),
      turn: Promise.resolve(),
    };
  }

  private state(session: Session, mode: Mode): ShownState {
    const plan = session.plans[mode];
    const last = session.answers.findLast((answer) => answer.mode === mode);
    const lastKey = last && answerKey(last);
    const question = currentOf(session, mode);
    return {
      done: plan.filter(({ key }) => session.answered.has(key)).length,
      total: plan.length,
      canUndo: plan.some(({ key }) => key === lastKey),
      ...(question && { question: this.show(session, question) }),
    };
  }

  private show(session: Session, question: Question): ShownQuestion {
    const id = this.idOf(session, question, "question");
    if (!session.shown.has(id)) session.shown.set(id, performance.now());
    const shown = (role: string, file: string): string => {
      const name = this.idOf(session, question, role);
      this.pictures.set(name, file);
      return name;
    };
    return {
      mode: question.mode,
      id,
      target: question.case.target,
      photo: shown("photo", question.case.photo),
      edits: question.edits.map(({ file }, k) => shown(`edit ${k}`, file)),
    };
  }

  /** A name that only this server can make. One picture has another name in every question. */
  private idOf({ rater }: Session, question: Question, role: string): string {
    const text = JSON.stringify([rater, question.key, role]);
    return createHmac("sha256", this.secret).update(text).digest("base64url").slice(0, 22);
  }
}

/** Returns the first question of a mode without an answer. */
const currentOf = ({ plans, answered }: Session, mode: Mode): Question | undefined =>
  plans[mode].find(({ key }) => !answered.has(key));

/** Runs work after all earlier work of a session. */
function inTurn<T>(session: Session, work: () => Promise<T>): Promise<T> {
  const result = session.turn.then(work);
  session.turn = result.catch(() => undefined);
  return result;
}

function answerOf(question: Question, value: unknown, milliseconds: number | undefined): Answer {
  const common = {
    case: question.case.case,
    repeat: question.repeat,
    time: new Date().toISOString(),
    ...(milliseconds !== undefined && { seconds: Math.round(milliseconds / 100) / 10 }),
  };
  const [first, second] = question.edits;
  if (question.mode === "score") {
    return { mode: "score", edit: first, score: fitting(scoreSchema, value), ...common };
  }
  const choice = fitting(choiceSchema, value);
  return { mode: "pairs", left: first, right: second, choice, ...common };
}

function fitting<T>(schema: z.ZodType<T>, value: unknown): T {
  const { data, error } = schema.safeParse(value);
  if (data !== undefined) return data;
  throw new UsageError(listed(problemsOf(error!, value, "answer")).trim());
}
