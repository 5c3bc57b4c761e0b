import type { MiddlewareHandler } from "hono";

/** Sites from which a browser may ask: this page itself, and the address bar. */
const ownSites = ["same-origin", "none"];

/**
 * Refuses requests that the page itself would not make. A page of another site may send requests to this machine: its browser
 * then says so in Sec-Fetch-Site or Origin. A name of another site may lead to this machine: then Host is that name.
 */
export const guard =
  (isOwnHost: (host: string) => boolean): MiddlewareHandler =>
  async (c, next) => {
    const host = c.req.header("host") ?? "";
    if (!isOwnHost(host)) return refusal(403, "this server answers only under its own address");
    const site = c.req.header("sec-fetch-site");
    const origin = c.req.header("origin");
    if ((site && !ownSites.includes(site)) || (origin && origin !== `http://${host}`)) {
      return refusal(403, "a page of another site asked");
    }
    const isJson = /^application\/json(;|$)/.test(c.req.header("content-type") ?? "");
    if (c.req.method === "POST" && !isJson) return refusal(415, "the request is not JSON");
    return next();
  };

/** Makes the answer to a request that is refused. */
export const refusal = (status: number, message: string): Response =>
  Response.json({ error: { code: "refused", message } }, { status });
