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
 * The error that an answer other than success stands for. The hub says what it means in `X-Error-Code`; to those who
 * are not known to it, it answers 401 for a model that does not exist.
 */
export function answerError(answer: Response, { name, revision }: Subject, place: HubPlace): HubError | Interruption {
  const { status, headers } = answer;
  const code = headers.get("X-Error-Code");
  const said = headers.get("X-Error-Message");
  const where = name;
  const found = `HTTP ${status}${said ? `, "${said.slice(0, 200)}"` : ""}`;
  const page = `${HUB_URL}/${name}`;

  if (status === 429) {
    const advice = place.token ? "Try again later." : "Try again later; HF_TOKEN raises the limit.";
    return new Interruption(
      new HubError("the hub asks for fewer requests", { where, found, advice }),
      retryAfter(headers.get("Retry-After")),
    );
  }
  // A storage host that the hub sends us to; its addresses expire, and are made anew for each try.
  const elsewhere = new URL(answer.url).origin !== new URL(place.endpoint).origin;
  if (status === 408 || status >= 500 || elsewhere) {
    const host = elsewhere ? new URL(answer.url).host : place.endpoint;
    const error = new HubError(`${host} does not deliver`, { where, found, advice: "Try again later." });
    return new Interruption(error, retryAfter(headers.get("Retry-After")));
  }
  if (code === "GatedRepo" || status === 403) {
    const advice = place.token
      ? `The account of HF_TOKEN has no access, or the token does not allow it. Accept the model's terms at ${page} with that account.`
      : `Accept the model's terms at ${page}, make an access token there and set HF_TOKEN.`;
    return new HubError("the model is given only to those who accepted its terms", {
      where,
      found,
      advice,
      unavailable: true,
    });
  }
  if (status === 401 && place.token && code !== "RepoNotFound") {
    const advice = "Make a new access token, or unset HF_TOKEN if the model is open to all.";
    return new HubError("HF_TOKEN is not accepted", { where, found, advice, unavailable: true });
  }
  if (code === "RevisionNotFound") {
    const advice = "--revision takes a branch, a tag or a commit.";
    return new HubError("no such revision", { where, found: JSON.stringify(revision), advice, unavailable: true });
  }
  if (code === "EntryNotFound") return new HubError("a file is gone", { where, found, unavailable: true });
  if ([401, 404, 410, 451].includes(status)) {
    const advice = `Check the spelling: OWNER/NAME, upper and lower case as the hub has them.${place.token ? "" : " A private model needs HF_TOKEN."}`;
    return new HubError(`no such model at ${place.endpoint}, or not for everyone`, {
      where,
      found,
      advice,
      unavailable: true,
    });
  }
  return new HubError(`${place.endpoint} refused the request`, { where, found });
}
