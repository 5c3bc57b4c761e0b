import { z } from "zod";
import { declare, type Endpoint, type NoFields } from "../endpoint.ts";
import { busy, missing, starting, tooLarge, tooSlow, wrong, wrongType } from "../endpoints.ts";
import { img2imgSchema, optionsSchema } from "./fields.ts";
import { emptyLists } from "./lists.ts";

/** An error in the shape of AUTOMATIC1111, with the facts of this server's other APIs. */
const errorBody = z.strictObject({
  error: z.string().describe("its code"),
  detail: z.string(),
  body: z.string(),
  errors: z.string(),
  param: z.string().nullable(),
});
const failed = { about: "an error", json: errorBody };
const anything = z.unknown();
const values = z.record(z.string(), z.unknown());

/** Clients send null for a field that is not set. */
const orNull = (schema: z.ZodObject): z.ZodObject =>
  z.strictObject(
    Object.fromEntries(
      Object.entries(schema.shape).map(([name, field]) => [name, (field as z.ZodType).nullable().optional()]),
    ),
  );

const reads = (path: string, about: string, json: z.ZodType): Endpoint =>
  declare({
    method: "get",
    path: `/sdapi/v1/${path}`,
    about,
    answers: { 200: { about: "as there", json }, 503: failed },
  });

const tells = (path: string, about: string): Endpoint =>
  declare({
    method: "post",
    path: `/sdapi/v1/${path}`,
    about,
    answers: { 200: { about: "done", json: anything }, 503: failed },
  });

const takes = <B extends z.ZodType>(path: string, about: string, json: B): Endpoint<NoFields, NoFields, B> =>
  declare({
    method: "post",
    path: `/sdapi/v1/${path}`,
    about,
    json,
    answers: {
      200: { about: "as there", json: anything },
      400: { ...wrong, json: errorBody },
      404: { ...missing, json: errorBody },
      408: { ...tooSlow, json: errorBody },
      409: { about: "the edit was interrupted", json: errorBody },
      413: { ...tooLarge, json: errorBody },
      415: { ...wrongType, json: errorBody },
      429: { ...busy, json: errorBody },
      500: { about: "the edit failed by the machine's fault", json: errorBody },
      503: { ...starting, json: errorBody },
    },
  });

/** The endpoints of AUTOMATIC1111's API, for the OpenAPI document. Fields that ask for nothing are taken too. */
export const a1111Endpoints: readonly Endpoint[] = [
  takes(
    "img2img",
    "Edits a photo, as AUTOMATIC1111 does. Fields that ask for nothing may be there too.",
    orNull(img2imgSchema),
  ),
  takes("options", "Chooses the model for the client's later requests.", orNull(optionsSchema)),
  reads("options", "Tells which model was chosen.", values),
  reads("progress", "Tells how far the client's own edits are.", values),
  tells("interrupt", "Stops the client's own edits."),
  tells("skip", "Does the same."),
  tells("refresh-checkpoints", "Does nothing."),
  reads("sd-models", "Lists the models.", z.array(values)),
  reads("samplers", "Lists the samplers.", z.array(values)),
  reads("schedulers", "Lists the schedulers.", z.array(values)),
  reads("cmd-flags", "Lists nothing.", values),
  reads("embeddings", "Lists nothing.", values),
  reads("scripts", "Lists nothing.", values),
  ...emptyLists.map((name) => reads(name, "Lists nothing.", z.array(values))),
];
