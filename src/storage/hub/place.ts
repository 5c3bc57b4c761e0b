import { HUB_URL } from "@huggingface/hub";
import { UsageError } from "../../core/index.ts";

/** Which hub, and as whom. */
export interface HubPlace {
  /** URL without a slash at its end. */
  readonly endpoint: string;
  readonly token?: string;
}

/**
 * The hub that HF_ENDPOINT names, or the public one, with HF_TOKEN. Throws UsageError where one of them cannot be used;
 * secrets are not repeated in it.
 */
export function hubPlace(env: NodeJS.ProcessEnv = process.env): HubPlace {
  const endpoint = (env.HF_ENDPOINT?.trim() || HUB_URL).replace(/\/+$/, "");
  const { protocol, username } = URL.canParse(endpoint) ? new URL(endpoint) : { protocol: "", username: "" };
  if (!/^https?:$/.test(protocol) || username !== "") {
    throw new UsageError("not a hub's address", {
      where: "HF_ENDPOINT",
      found: username === "" ? JSON.stringify(endpoint) : "a URL with a user's name in it",
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
