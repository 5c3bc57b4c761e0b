import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import { BaretError, listed, oneOf, problemsOf, UsageError } from "../../../core/index.ts";
import { guard, pageHeaders, refusal } from "../../../http/index.ts";
import { modes, raterSchema } from "../../rating/index.ts";
import { ratingDocument } from "./document.ts";
import type { Sessions } from "./sessions.ts";

/** The longest request is an answer: three names and a word. */
const MAX_BODY_BYTES = 4096;

export interface AppOptions {
  readonly sessions: Sessions;
  /** If given, the only rater. */
  readonly rater?: string;
  /** Script and style sheet of the page. */
  readonly assets: { readonly script: string; readonly style: string };
  /** Reads a picture of the study, by its path there, as a PNG without any text in it. */
  readonly picture: (path: string) => Promise<Uint8Array<ArrayBuffer>>;
  readonly isOwnHost: (host: string) => boolean;
}

const mode = oneOf(modes);
const who = { rater: raterSchema };
const bodies = {
  totals: z.strictObject(who),
  next: z.strictObject({ ...who, mode }),
  answer: z.strictObject({ ...who, mode, id: z.string().max(100), answer: z.unknown().optional() }),
};

/** Returns the rating page and its interface. Answers nobody but the page, and tells it no method and no file. */
export function ratingApp({ sessions, rater: onlyRater, assets, picture, isOwnHost }: AppOptions): Hono {
  const app = new Hono();
  app.use(pageHeaders());
  app.use(async (c, next) => {
    await next();
    c.header("Cache-Control", "no-store");
  });
  app.use(guard({ isOwnHost }));
  app.use(async (c, next) => {
    const isJson = /^application\/json(;|$)/.test(c.req.header("content-type") ?? "");
    return c.req.method === "POST" && !isJson ? refusal(415, "the request is not JSON") : next();
  });
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: () => refusal(413, "the request is too long") }));

  const read = async <T extends { rater: string }>(c: Context, schema: z.ZodType<T>): Promise<T> => {
    const json: unknown = await c.req.json().catch(() => undefined);
    const { data, error } = schema.safeParse(json);
    if (!data) throw new UsageError(`request\n${listed(problemsOf(error!, json, "body"))}`);
    if (onlyRater === undefined || data.rater === onlyRater) return data;
    throw new UsageError("rater", { found: data.rater, expected: onlyRater });
  };

  const title = sessions.study.title ?? "Rating of edits";
  app.get("/", (c) => c.html(ratingDocument({ title, rater: onlyRater })));
  app.get("/page.js", (c) => c.body(assets.script, 200, { "Content-Type": "text/javascript; charset=utf-8" }));
  app.get("/page.css", (c) => c.body(assets.style, 200, { "Content-Type": "text/css; charset=utf-8" }));
  app.get("/picture/:id", async (c) => {
    const path = sessions.picture(c.req.param("id"));
    if (path === undefined) return refusal(404, "no such picture");
    return c.body(await picture(path), 200, { "Content-Type": "image/png" });
  });
  app.post("/api/totals", async (c) => {
    const { rater } = await read(c, bodies.totals);
    return c.json(await sessions.totals(rater));
  });
  app.post("/api/next", async (c) => {
    const { rater, mode } = await read(c, bodies.next);
    return c.json(await sessions.next(rater, mode));
  });
  app.post("/api/answer", async (c) => {
    const { rater, mode, id, answer } = await read(c, bodies.answer);
    const state = await sessions.answer(rater, mode, id, answer);
    return state ? c.json(state) : refusal(409, "this is not the current question");
  });
  app.post("/api/undo", async (c) => {
    const { rater, mode } = await read(c, bodies.next);
    return c.json(await sessions.undo(rater, mode));
  });
  app.notFound(() => refusal(404, "there is nothing here"));
  app.onError((error) => {
    if (error instanceof HTTPException) return error.getResponse();
    if (!(error instanceof BaretError)) return refusal(500, "the server failed; its terminal says more");
    const { code, category, message } = error;
    return refusal(category === "usage" ? 400 : 500, message, code);
  });
  return app;
}
