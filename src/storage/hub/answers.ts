import { HUB_URL } from "@huggingface/hub";
import { formatBytes, HubError } from "../../core/index.ts";
import { Interruption, type Persistence } from "./persistence.ts";
import type { HubPlace } from "./place.ts";

/** What was asked for, as errors call it. */
export interface Subject {
  name: string;
  revision: string;
}

const instead =
  "Without a way to the hub: set HF_ENDPOINT to a mirror, or copy the model's folder here by hand and use --from FOLDER.";

/** Failures of the network that no second try mends, and the words for them. */
const lasting: Record<string, string> = {
  ENOTFOUND: "its name is not known here: this machine may not be online",
  EAI_AGAIN: "its name cannot be looked up: this machine may not be online",
  ECONNREFUSED: "the connection is refused",
  ENETUNREACH: "there is no network",
  EHOSTUNREACH: "there is no way to it",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed; NODE_EXTRA_CA_CERTS adds one to those trusted",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is self-signed; NODE_EXTRA_CA_CERTS adds one to those trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate cannot be verified; NODE_EXTRA_CA_CERTS adds one to those trusted",
};

/** The innermost cause: fetch wraps what happened. A failure at several addresses holds an error for each. */
function innermost(error: unknown): NodeJS.ErrnoException {
  const { cause, errors } = error as { cause?: unknown; errors?: unknown[] };
  const deeper = cause ?? errors?.[0];
  return deeper === undefined ? (error as NodeJS.ErrnoException) : innermost(deeper);
}

/**
 * The error for a request that no answer, or only part of one, came to. Before the hub was `reached` once, a name that
 * is not known or a connection refused is final.
 */
export function connectionError(cause: unknown, where: string, reached: boolean): HubError | Interruption {
  const { code, message } = innermost(cause);
  const known = code === undefined ? undefined : lasting[code];
  const error = new HubError(known === undefined ? "the connection broke" : "cannot be reached", {
    where,
    found: known ?? message,
    advice: instead,
    cause,
  });
  // Without a code, the request was never made: its URL is at fault.
  const isFinal = !reached && (known !== undefined || code === undefined);
  return isFinal ? error : new Interruption(error);
}

/** The error for a transfer that brought nothing, or next to nothing, in `stallMs`. */
export const stallError = (where: string, bytes: number, { stallMs, stallBytes }: Persistence): Interruption => {
  const seconds = stallMs / 1000;
  const error =
    bytes === 0
      ? new HubError(`nothing came for ${seconds} s`, { where, advice: instead })
      : new HubError(`the transfer stalled: only ${formatBytes(bytes)} came in ${seconds} s`, {
          where,
          expected: `at least ${formatBytes(stallBytes)}`,
          advice: instead,
        });
  return new Interruption(error);
};

/** `Retry-After` in milliseconds: a number of seconds, or a date. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/**
 * Turns an answer other than success into an error; an Interruption if a later try may succeed. The hub gives its reason in
 * `X-Error-Code`, which counts from whatever host it comes, since mirrors redirect to other hosts. If the caller has no
 * access, the hub answers 401 for a model that does not exist. mayBeStored: the request was for a file, which the hub may
 * keep on a storage host, at an address that expires.
 */
export function answerError(
  answer: Response,
  { name, revision }: Subject,
  place: HubPlace,
  { mayBeStored }: { mayBeStored: boolean },
): HubError | Interruption {
  const { status, headers } = answer;
  const code = headers.get("X-Error-Code");
  const message = headers.get("X-Error-Message");
  const where = name;
  const found = `HTTP ${status}${message ? `, "${message.slice(0, 200)}"` : ""}`;
  const { origin } = new URL(answer.url);
  const isElsewhere = origin !== new URL(place.endpoint).origin;
  const host = isElsewhere ? `${origin} (${place.endpoint} redirects there)` : place.endpoint;
  const token = isElsewhere ? undefined : place.token;
  const withheld = isElsewhere && place.token !== undefined;
  const refusal = (problem: string, advice: string, value = found): HubError => {
    const dropped = `HF_TOKEN was not sent to ${origin}, because it is sent only to the host of HF_ENDPOINT. If that host may have it, set HF_ENDPOINT=${origin}.`;
    return new HubError(problem, {
      where,
      found: value,
      advice: withheld ? `${advice}\n${dropped}` : advice,
      unavailable: true,
    });
  };

  if (status === 429) {
    const advice = place.token ? "Try again later." : "Try again later; HF_TOKEN raises the limit.";
    return new Interruption(
      new HubError("the hub asks for fewer requests", { where, found, advice }),
      retryAfter(headers.get("Retry-After")),
    );
  }
  // Each try gets a new address from the hub.
  const hasExpired = isElsewhere && mayBeStored && code === null;
  if (status === 408 || status >= 500 || hasExpired) {
    const error = new HubError(`${host} does not deliver`, { where, found, advice: "Try again later." });
    return new Interruption(error, retryAfter(headers.get("Retry-After")));
  }
  const page = `${HUB_URL}/${name}`;
  if (code === "GatedRepo" || status === 403) {
    const problem = "the model is given only to those who accepted its terms";
    if (withheld) return refusal(problem, `Accept the model's terms at ${page} with the account of HF_TOKEN.`);
    return token
      ? refusal(
          problem,
          `The account of HF_TOKEN has no access, or the token does not allow it. Accept the model's terms at ${page} with that account.`,
        )
      : refusal(problem, `Accept the model's terms at ${page}, make an access token there and set HF_TOKEN.`);
  }
  if (status === 401 && token && code !== "RepoNotFound") {
    return refusal(
      "HF_TOKEN is not accepted",
      "Make a new access token, or unset HF_TOKEN if the model is open to all.",
    );
  }
  if (code === "RevisionNotFound") {
    return refusal("no such revision", "--revision takes a branch, a tag or a commit.", JSON.stringify(revision));
  }
  if (code === "EntryNotFound") {
    return refusal("the hub lists a file that it does not have", "Try again later, or choose another revision.");
  }
  if ([401, 404, 410, 451].includes(status)) {
    const spelling = "Check the spelling: OWNER/NAME, upper and lower case as the hub has them.";
    return refusal(
      `no such model at ${host}, or not for everyone`,
      place.token ? spelling : `${spelling} A private model needs HF_TOKEN.`,
    );
  }
  return new HubError(`${host} refused the request`, { where, found });
}
