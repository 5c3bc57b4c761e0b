import type { MiddlewareHandler } from "hono";
import { cut } from "../core/index.ts";
import { refusal } from "./refusal.ts";

/** Sites from which a browser may ask: this page itself, and the address bar. */
const ownSites = ["same-origin", "none"];

export interface GuardOptions {
  /** Tells if the server answers under a name, as the header Host has it: "localhost:8080". */
  readonly isOwnHost: (host: string) => boolean;
  /** Origins of other sites whose pages may ask, such as "https://example.org". Default: none. */
  readonly origins?: readonly string[];
  /** Advice for the person who starts the server: how to allow a name, and how to allow a site. */
  readonly advice?: { readonly host: string; readonly origin: string };
}

/**
 * Refuses requests that the server's own page would not make. A page of another site may send requests to this machine: its
 * browser then says so in Sec-Fetch-Site or Origin. A name of another site may lead to this machine: then Host is that name,
 * and Origin agrees with it, so Host is checked first. A link of another site may open a page: that changes nothing.
 */
export const guard =
  ({ isOwnHost, origins = [], advice }: GuardOptions): MiddlewareHandler =>
  async (c, next) => {
    const host = c.req.header("host") ?? "";
    if (!isOwnHost(host)) return refusal(403, lines(foreignHost(host), advice?.host), "foreign_host");
    const site = c.req.header("sec-fetch-site");
    const origin = c.req.header("origin");
    if (origin !== undefined && origins.includes(origin)) return next();
    const isOwnOrigin = origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
    const isLink =
      c.req.method === "GET" &&
      c.req.header("sec-fetch-mode") === "navigate" &&
      c.req.header("sec-fetch-dest") === "document";
    if (!isOwnOrigin || (site !== undefined && !ownSites.includes(site) && !isLink)) {
      return refusal(403, lines(foreignPage(origin), advice?.origin), "foreign_page");
    }
    return next();
  };

const foreignHost = (host: string): string =>
  `this server answers only under its own address: found ${JSON.stringify(cut(host, 80))}`;

const foreignPage = (origin: string | undefined): string =>
  `a page of another site asked${origin === undefined ? "" : `: found ${JSON.stringify(cut(origin, 80))}`}`;

const lines = (problem: string, advice?: string): string => (advice === undefined ? problem : `${problem}.\n${advice}`);

const literal = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\])$/;
const hostHeader = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)(:\d{1,5})?$/;

/**
 * Returns a test for Host: "localhost", the given names, and any address in digits, which no name of another site can be.
 * Ports do not matter: a forwarded port differs.
 */
export function ownHosts(names: readonly string[] = []): (host: string) => boolean {
  const own = new Set(["localhost", ...names.map((name) => name.toLowerCase())]);
  return (host) => {
    const name = hostHeader.exec(host.toLowerCase())?.[1];
    return name !== undefined && (own.has(name) || literal.test(name));
  };
}
