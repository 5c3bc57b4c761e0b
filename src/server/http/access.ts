import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { timingSafeEqual } from "hono/utils/buffer";
import { refusal } from "../../http/index.ts";

/** Values that the server keeps with a request: who asks. */
export interface ServerEnv {
  Variables: { client: string };
}

/** Returns who asks, for limits, fairness and lists. */
export const clientOf = (c: Context): string => (c as Context<ServerEnv>).get("client");

export interface AccessOptions {
  /** If given, nobody is served without it. */
  readonly token?: string;
  /** Returns the network address of the client. */
  readonly addressOf: (c: Context) => string;
}

const COOKIE = "baret";
/** 400 days, the longest that browsers keep a cookie. */
const COOKIE_SECONDS = 400 * 24 * 3600;
const name = /^[0-9a-f]{32}$/;

/** Paths that are served without a token: the studio's page and files, which have no secrets, and signs of life. */
const openPaths = /^\/($|index\.html$|assets\/|favicon\.ico$|health$|api\/v1\/session$)/;

const advice = 'Send "Authorization: Bearer TOKEN", or open the address that "baret serve" printed.';

/**
 * Finds out who asks, and refuses those who lack the token. A page is known by a random cookie, which browsers send with no
 * request of another site; a program by its network address. With a token, the cookie is signed by it.
 */
export class Access {
  private readonly options: AccessOptions;

  constructor(options: AccessOptions) {
    this.options = options;
  }

  readonly middleware: MiddlewareHandler<ServerEnv> = async (c, next) => {
    const { token, addressOf } = this.options;
    const page = await this.pageOf(c);
    if (token !== undefined && page === undefined && !openPaths.test(c.req.path)) {
      if (!(await isToken(c.req.header("authorization"), token))) return unauthorized();
    }
    c.set("client", page ?? `address:${addressOf(c)}`);
    return next();
  };

  /** POST /api/v1/session: gives a page its cookie. With a token, the page must send it. */
  readonly openSession = async (c: Context<ServerEnv>): Promise<Response> => {
    const { token } = this.options;
    const page = await this.pageOf(c);
    if (page !== undefined) return c.body(null, 204);
    if (token !== undefined && !(await isToken(c.req.header("authorization"), token))) return unauthorized();
    const id = hex(crypto.getRandomValues(new Uint8Array(16)));
    setCookie(c, COOKIE, token === undefined ? id : `${id}.${await signature(id, token)}`, {
      httpOnly: true,
      sameSite: "Strict",
      path: "/",
      maxAge: COOKIE_SECONDS,
    });
    return c.body(null, 204);
  };

  /** Returns the name of a page by its cookie. Undefined if it has none, or one that the token did not sign. */
  private async pageOf(c: Context): Promise<string | undefined> {
    const { token } = this.options;
    const [id, signed, ...rest] = (getCookie(c, COOKIE) ?? "").split(".");
    if (!name.test(id) || rest.length > 0) return undefined;
    if (token === undefined) return `page:${id}`;
    return (await timingSafeEqual(signed ?? "", await signature(id, token))) ? `page:${id}` : undefined;
  }
}

const unauthorized = (): Response =>
  refusal(401, `this server needs its token.\n${advice}`, "invalid_token", {
    headers: { "WWW-Authenticate": 'Bearer realm="baret"' },
  });

/** Tells if a header has the token: as "Bearer TOKEN", or as the password of "Basic", which some clients can do only. */
async function isToken(header: string | undefined, token: string): Promise<boolean> {
  const [, scheme, value] = /^(bearer|basic) +(\S+)$/i.exec(header ?? "") ?? [];
  const given = scheme?.toLowerCase() === "basic" ? passwordIn(value) : value;
  // Compares hashes, so that the time tells nothing about the token.
  return timingSafeEqual(given ?? "", token);
}

function passwordIn(credentials: string): string | undefined {
  try {
    const text = atob(credentials);
    return text.slice(text.indexOf(":") + 1);
  } catch {
    return undefined;
  }
}

async function signature(id: string, token: string): Promise<string> {
  const bytes = new TextEncoder();
  const key = await crypto.subtle.importKey("raw", bytes.encode(token), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return hex(new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes.encode(`baret page ${id}`))));
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
