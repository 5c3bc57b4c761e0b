import { convertPicture } from "../../image/node/index.ts";
import { a1111App, a1111Endpoints } from "../http/a1111/index.ts";
import type { Dialect } from "../http/app.ts";
import type { DialectOptions } from "../http/dialect.ts";
import { openaiApp, openaiEndpoints } from "../http/openai/index.ts";
import { Interests, type InterestsOptions } from "../http/waiting/index.ts";
import { readForm } from "./readForm.ts";

/** graceMs: time for tests, until a client that left loses its job. */
export type ServerDialectsOptions = Omit<DialectOptions, "readForm" | "convert" | "interests"> &
  Pick<InterestsOptions, "graceMs">;

/** Returns the APIs of other programs over a service, for `serverApp`. */
export function serverDialects(options: ServerDialectsOptions): Dialect[] {
  const whole = { ...options, interests: new Interests(options), convert: convertPicture, readForm };
  return [
    { path: "/v1", app: openaiApp(whole), endpoints: openaiEndpoints },
    { path: "/sdapi/v1", app: a1111App(whole), endpoints: a1111Endpoints },
  ];
}
