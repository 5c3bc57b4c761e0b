import { HUB_URL } from "@huggingface/hub";
import { UsageError } from "../../../core/index.ts";

/** Address of a model hub, and the token to use there. */
export interface HubAccess {
  /** URL without a slash at its end. */
  readonly endpoint: string;
  readonly token?: string;
}

/**
 * Reads HF_ENDPOINT (default: the public hub) and HF_TOKEN. Throws UsageError if one of them cannot be used. The message
 * never repeats a secret.
 */
export function hubAccess(env: NodeJS.ProcessEnv = process.env): HubAccess {
  const endpoint = (env.HF_ENDPOINT?.trim() || HUB_URL).replace(/\/+$/, "");
  const { protocol, username } = URL.canParse(endpoint) ? new URL(endpoint) : { protocol: "", username: "" };
  if (!/^https?:$/.test(protocol) || username !== "") {
    throw new UsageError("not the address of a model hub", {
      where: "HF_ENDPOINT",
      found: username === "" ? JSON.stringify(endpoint) : "a URL that contains a user name",
      expected: "https://HOST",
    });
  }
  const token = env.HF_TOKEN?.trim();
  if (!token) return { endpoint };
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError("not an access token", { where: "HF_TOKEN", expected: "printable characters without spaces" });
  }
  return { endpoint, token };
}
