import type { Failure } from "../../src/server/client/failure.ts";
import { BackendError } from "./backend.ts";
import { capital } from "./view/words.ts";

/** Returns a failure as the studio shows it. The first line of its message is the problem, the rest is advice. */
export function errorOf({ code, message, where, problems, retryAfter }: Failure): BackendError {
  const [problem, ...advice] = message.split("\n");
  // A name stays as it is.
  return new BackendError(where && problem.startsWith(where) ? problem : capital(problem), {
    code,
    ...(where && { where }),
    ...(advice.length > 0 && { advice: advice.join("\n") }),
    ...(retryAfter && { retryAfter }),
    ...(problems && { problems }),
  });
}
