import type { JobError } from "../api/index.ts";

/** A refusal of a server, a failed job, or a server that does not answer. */
export interface Failure extends JobError {
  /** All fields that are wrong, if fields are. */
  readonly problems?: readonly { readonly field: string; readonly message: string }[];
  /** Seconds after which to try again. */
  readonly retryAfter?: number;
}

/** Code of a server that does not answer. The other codes are the server's. */
export const unreachable = "unreachable";

/** A refusal as servers write it, in the form of OpenAI's API. */
interface Refusal {
  readonly error?: {
    readonly message?: string;
    readonly param?: string | null;
    readonly code?: string | null;
    readonly problems?: readonly { readonly param: string; readonly message: string }[];
  };
}

/** Reads the answer to a request that a server refused. Another program's answer has no such form. */
export async function refusalIn(response: Response): Promise<Failure> {
  const { error } = (await response.json().catch(() => ({}))) as Refusal;
  const retryAfter = Number(response.headers.get("retry-after"));
  return {
    code: error?.code ?? `http_${response.status}`,
    message: error?.message ?? `no baret server answered at ${response.url}: found status ${response.status}`,
    ...(error?.param && { where: error.param }),
    ...(error?.problems && { problems: error.problems.map(({ param, message }) => ({ field: param, message })) }),
    ...(retryAfter > 0 && { retryAfter }),
  };
}
