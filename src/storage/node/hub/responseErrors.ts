import { HUB_URL } from "@huggingface/hub";
import { formatBytes, HubError } from "../../../core/index.ts";
import type { HubAccess } from "./access.ts";
import { RetryableError, type RetryPolicy } from "./retry.ts";

/** A model of the hub at a branch, tag or commit. */
export interface ModelRevision {
  name: string;
  revision: string;
}

/** Advice if the hub cannot be reached. */
export const withoutHub =
  "If this machine cannot reach the hub, set HF_ENDPOINT to a mirror, or copy the model's folder to this machine and install it from there.";

/** Messages for network errors that a second try does not mend. */
const lasting: Record<string, string> = {
  ENOTFOUND: "the host name is unknown; this machine may be offline",
  EAI_AGAIN: "the host name cannot be looked up; this machine may be offline",
  ECONNREFUSED: "connection refused",
  ENETUNREACH: "no network",
  EHOSTUNREACH: "no route to the host",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed; NODE_EXTRA_CA_CERTS adds trusted certificates",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is self-signed; NODE_EXTRA_CA_CERTS adds trusted certificates",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate cannot be verified; NODE_EXTRA_CA_CERTS adds trusted certificates",
};

/** Returns the innermost cause of an error that fetch threw. If several addresses failed, the first one's. */
function innermost(error: unknown): NodeJS.ErrnoException {
  const { cause, errors } = error as { cause?: unknown; errors?: unknown[] };
  const deeper = cause ?? errors?.[0];
  return deeper === undefined ? (error as NodeJS.ErrnoException) : innermost(deeper);
}

/**
 * Makes the error for a request that got no response or only part of one. An unknown host name or a refused connection is
 * final if the hub has never been reached.
 */
export function connectionError(
  cause: unknown,
  where: string,
  reached: boolean,
  advice: string,
): HubError | RetryableError {
  const { code, message } = innermost(cause);
  const known = code === undefined ? undefined : lasting[code];
  const error = new HubError(known === undefined ? "the connection failed" : "cannot be reached", {
    where,
    found: known ?? message,
    advice,
    cause,
  });
  // Without a code, the request was never sent, because its URL is wrong.
  const isFinal = !reached && (known !== undefined || code === undefined);
  return isFinal ? error : new RetryableError(error);
}

/** Makes the error for a transfer that brought no bytes, or too few, in `stallMs`. */
export function stallError(
  where: string,
  bytes: number,
  { stallMs, stallBytes }: RetryPolicy,
  advice: string,
): RetryableError {
  const seconds = stallMs / 1000;
  const error =
    bytes === 0
      ? new HubError(`no data for ${seconds} s`, { where, advice })
      : new HubError(`the transfer stalled: only ${formatBytes(bytes)} in ${seconds} s`, {
          where,
          expected: `at least ${formatBytes(stallBytes)}`,
          advice,
        });
  return new RetryableError(error);
}

/** Reads `Retry-After`, a number of seconds or a date, as milliseconds from now. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/**
 * Makes the error for a response with a failing status: a RetryableError if a later try may succeed. The hub names the
 * reason in `X-Error-Code`, which counts whatever host sends it, because mirrors redirect to other hosts. Without a token,
 * the hub answers 401 for a model that does not exist. mayBeStored: the request was for a file, which the hub may keep on a
 * storage host, at an address that expires.
 */
export function responseError(
  response: Response,
  { name, revision }: ModelRevision,
  access: HubAccess,
  { mayBeStored }: { mayBeStored: boolean },
): HubError | RetryableError {
  const { status, headers } = response;
  const code = headers.get("X-Error-Code");
  const message = headers.get("X-Error-Message");
  const where = name;
  const found = `HTTP ${status}${message ? `, "${message.slice(0, 200)}"` : ""}`;
  const { origin } = new URL(response.url);
  const isElsewhere = origin !== new URL(access.endpoint).origin;
  const host = isElsewhere ? `${origin} (${access.endpoint} redirects there)` : access.endpoint;
  const token = isElsewhere ? undefined : access.token;
  const tokenDropped = isElsewhere && access.token !== undefined;
  const refuse = (problem: string, advice: string, value = found): HubError => {
    const dropped = `HF_TOKEN was not sent to ${origin}, because it is sent only to the host of HF_ENDPOINT. If that host may have it, set HF_ENDPOINT=${origin}.`;
    return new HubError(problem, {
      where,
      found: value,
      advice: tokenDropped ? `${advice}\n${dropped}` : advice,
      unavailable: true,
    });
  };

  if (status === 429) {
    const advice = access.token ? "Try again later." : "Try again later; HF_TOKEN raises the limit.";
    return new RetryableError(
      new HubError("too many requests to the hub", { where, found, advice }),
      retryAfter(headers.get("Retry-After")),
    );
  }
  // The next try gets a new address from the hub.
  const hasExpired = isElsewhere && mayBeStored && code === null;
  if (status === 408 || status >= 500 || hasExpired) {
    const error = new HubError(`${host} fails`, { where, found, advice: "Try again later." });
    return new RetryableError(error, retryAfter(headers.get("Retry-After")));
  }
  const page = `${HUB_URL}/${name}`;
  if (code === "GatedRepo" || status === 403) {
    const problem = "access is restricted to users who accepted the model's terms";
    if (tokenDropped) return refuse(problem, `Accept the model's terms at ${page} with the account of HF_TOKEN.`);
    return token
      ? refuse(
          problem,
          `The account of HF_TOKEN has no access, or the token does not permit it. Accept the model's terms at ${page} with that account.`,
        )
      : refuse(problem, `Accept the model's terms at ${page}, make an access token there and set HF_TOKEN.`);
  }
  if (status === 401 && token && code !== "RepoNotFound") {
    return refuse("HF_TOKEN is invalid", "Make a new access token, or unset HF_TOKEN if the model is public.");
  }
  if (code === "RevisionNotFound") {
    return refuse("no such revision", "A revision is a branch, a tag or a commit.", JSON.stringify(revision));
  }
  if (code === "EntryNotFound") {
    return refuse("the hub lists a file that it does not have", "Try again later, or choose another revision.");
  }
  if ([401, 404, 410, 451].includes(status)) {
    const spelling = "Check the spelling: OWNER/NAME, with upper and lower case as on the hub.";
    return refuse(
      `the model does not exist at ${host}, or is private`,
      access.token ? spelling : `${spelling} A private model needs HF_TOKEN.`,
    );
  }
  return new HubError(`${host} refused the request`, { where, found });
}
