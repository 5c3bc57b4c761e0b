import type { Mode } from "../answers.ts";
import type { ShownError, ShownState, Totals } from "../shown.ts";

/** The server refused a request, or could not be reached. */
export class ServerError extends Error {
  /** HTTP status. 0 if there was no answer. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function post<T>(path: string, body: object): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => {
    throw new ServerError(
      0,
      "The server does not answer. All answers until now are saved. Start it again, then try again.",
    );
  });
  const value: T | ShownError = await response.json();
  if (response.ok) return value as T;
  throw new ServerError(response.status, (value as ShownError).error.message);
}

/** A rater in one mode. */
export interface Rater {
  readonly rater: string;
  readonly mode: Mode;
}

export const totalsOf = (rater: string): Promise<Totals> => post("/api/totals", { rater });
export const nextOf = (who: Rater): Promise<ShownState> => post("/api/next", who);
export const undoOf = (who: Rater): Promise<ShownState> => post("/api/undo", who);
export const answerOf = (who: Rater, id: string, answer: string | number): Promise<ShownState> =>
  post("/api/answer", { ...who, id, answer });
