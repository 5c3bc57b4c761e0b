import { z } from "zod";
import { declare, type Endpoint } from "../endpoint.ts";
import { busy, errorBody, missing, starting, tooLarge, tooSlow, wrong, wrongType } from "../endpoints.ts";
import { formSchema } from "./fields.ts";

const model = z.strictObject({
  id: z.string(),
  object: z.literal("model"),
  created: z.int(),
  owned_by: z.string(),
});

const images = z.looseObject({
  created: z.int(),
  data: z.array(z.strictObject({ b64_json: z.string() })),
  output_format: z.string(),
  size: z.string(),
});

/** The endpoints of OpenAI's API, for the OpenAPI document. */
export const openaiEndpoints: readonly Endpoint[] = [
  declare({
    method: "post",
    path: "/v1/images/edits",
    about: "Edits a photo, as OpenAI's API does. An option of the method is baret[NAME].",
    form: { schema: formSchema, files: ["image", "image[]"], more: "^baret\\[" },
    answers: {
      200: { about: "the edits, or server-sent events if `stream` is true", json: images, type: "text/event-stream" },
      400: wrong,
      404: missing,
      408: tooSlow,
      409: { about: "the edit was cancelled", json: errorBody },
      413: tooLarge,
      415: wrongType,
      429: busy,
      500: { about: "the edit failed by the machine's fault", json: errorBody },
      503: starting,
    },
  }),
  declare({
    method: "get",
    path: "/v1/models",
    about: "Lists the models, as OpenAI's API does.",
    answers: {
      200: { about: "the models", json: z.strictObject({ object: z.literal("list"), data: z.array(model) }) },
      503: starting,
    },
  }),
  declare({
    method: "get",
    path: "/v1/models/{id}",
    about: "Shows a model, as OpenAI's API does.",
    params: z.strictObject({ id: z.string().min(1) }),
    answers: { 200: { about: "the model", json: model }, 400: wrong, 404: missing, 503: starting },
  }),
];
