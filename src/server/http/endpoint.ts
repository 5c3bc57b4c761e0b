import type { Context, Hono } from "hono";
import { z } from "zod";
import { refusal } from "../../http/index.ts";
import { checked } from "../checked.ts";
import { RequestError } from "../errors.ts";
import type { ServerEnv } from "./access.ts";
import { readJson, textProblem } from "./body.ts";

/** Content of an endpoint's answer: JSON of a schema, another type, or either; undefined: nothing. */
export interface Answer {
  readonly about: string;
  readonly json?: z.ZodType;
  readonly type?: string;
}

/** The fields of a form. */
export interface Form {
  readonly schema: z.ZodObject;
  /** Names of a file; one of them is needed. */
  readonly files: readonly string[];
  /** Pattern of the names of other fields. */
  readonly more: string;
}

type Fields = z.ZodObject;
export type NoFields = z.ZodObject<Record<never, never>>;

/** One endpoint of the native API. It is declared once: its checks and its part of the OpenAPI document come from here. */
export interface Endpoint<P extends Fields = Fields, Q extends Fields = Fields, B extends z.ZodType = z.ZodType> {
  readonly method: "get" | "post" | "delete";
  /** As OpenAPI writes it: "/api/v1/jobs/{id}". */
  readonly path: string;
  readonly about: string;
  readonly params?: P;
  /** Schemas of values, not of texts: numbers and lists are read from their texts. */
  readonly query?: Q;
  /** Headers that it reads, for the document alone. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: B;
  /** Types of a body that is not JSON, which the handler reads. */
  readonly raw?: readonly string[];
  /** A body of type multipart/form-data, which the handler reads: for the document alone. */
  readonly form?: Form;
  readonly answers: Readonly<Record<number, Answer>>;
}

export interface Given<P, Q, B> {
  readonly c: Context<ServerEnv>;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly client: string;
}

export const declare = <P extends Fields = NoFields, Q extends Fields = NoFields, B extends z.ZodType = z.ZodUndefined>(
  endpoint: Endpoint<P, Q, B>,
): Endpoint<P, Q, B> => endpoint;

const none = z.strictObject({});

/** Adds an endpoint to an app. Its handler gets checked values only: every wrong field is refused at once. */
export function addEndpoint<P extends Fields, Q extends Fields, B extends z.ZodType>(
  app: Hono<ServerEnv>,
  { method, path, params, query, json }: Endpoint<P, Q, B>,
  handle: (given: Given<z.output<P>, z.output<Q>, z.output<B>>) => Response | Promise<Response>,
): void {
  app.on(method.toUpperCase(), path.replaceAll(/\{(\w+)\}/g, ":$1"), async (c) => {
    const given: Given<z.output<P>, z.output<Q>, z.output<B>> = {
      c,
      params: checked(params ?? none, c.req.param() as Record<string, unknown>) as z.output<P>,
      query: checked(query ?? none, queryOf(c, query)) as z.output<Q>,
      body: (json ? checked(json, await readJson(c.req.raw)) : undefined) as z.output<B>,
      client: c.get("client"),
    };
    return handle(given);
  });
}

/** Refuses other methods on the paths of some endpoints. */
export function refuseOtherMethods(app: Hono<ServerEnv>, endpoints: readonly Endpoint[]): void {
  const paths = new Map<string, string[]>();
  for (const { method, path } of endpoints) paths.set(path, [...(paths.get(path) ?? []), method.toUpperCase()]);
  for (const [path, methods] of paths) {
    const allowed = [...methods, ...(methods.includes("GET") ? ["HEAD"] : [])].join(", ");
    app.all(path.replaceAll(/\{(\w+)\}/g, ":$1"), () =>
      refusal(405, `this address takes ${allowed}`, "method_not_allowed", { headers: { Allow: allowed } }),
    );
  }
}

/** Reads the values of a query from their texts, as its schema says: whole numbers, lists with commas, switches. */
function queryOf(c: Context, query: Fields | undefined): Record<string, unknown> {
  const texts = c.req.queries();
  return Object.fromEntries(
    Object.entries(texts).map(([name, [text, ...more]]): [string, unknown] => {
      const problem = textProblem(`${name}${text}`);
      if (problem) throw new RequestError([{ field: "query", message: `the query has ${problem}` }]);
      if (more.length > 0) throw new RequestError([{ field: name, message: `${name}: given more than once` }]);
      return [name, readValue(query?.shape[name] as z.ZodType | undefined, text)];
    }),
  );
}

function readValue(schema: z.ZodType | undefined, text: string): unknown {
  let inner = schema;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault) inner = inner.unwrap() as z.ZodType;
  if (inner instanceof z.ZodNumber) return /^\d{1,16}$/.test(text) ? Number(text) : text;
  if (inner instanceof z.ZodArray) return text.split(",");
  return text;
}
