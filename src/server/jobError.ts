import { BaretError } from "../core/index.ts";
import type { JobError } from "./api/index.ts";

/** Returns an error as a job and its clients hold it. folder: a folder of this machine, which the texts then lack. */
export function jobErrorOf(error: unknown, folder?: string): JobError {
  const clean = (text: string): string => (folder === undefined ? text : text.replaceAll(`${folder}/`, ""));
  const message = clean(error instanceof Error ? error.message : String(error));
  if (!(error instanceof BaretError)) return { code: "unexpected", message };
  const facts = (["where", "found", "expected", "advice"] as const).flatMap((name) => {
    const text = error.details[name];
    return text === undefined ? [] : [[name, clean(text)]];
  });
  return { code: error.code, message, ...Object.fromEntries(facts) };
}

/** Codes of faults of the machine: another attempt, or another machine, may succeed. */
const faults = new Set(["engine", "resident", "storage"]);

/** Tells if another attempt of a job that ended with this error may succeed. */
export const mayRetry = ({ code }: JobError): boolean => faults.has(code);
