import { z } from "zod";
import { job, jobEvent, jobRequest } from "../api/index.ts";
import type { Answer, Endpoint, Form } from "./endpoint.ts";
import { errorBody } from "./endpoints.ts";

/** Schemas that the document names. The others stand where they are used. */
const named = new Map<z.ZodType, string>([
  [job, "Job"],
  [jobEvent, "JobEvent"],
  [jobRequest, "JobRequest"],
  [errorBody, "Error"],
]);

type Json = Record<string, unknown>;

/** Returns a schema as JSON Schema. io: as clients send it, or as the server sends it. */
function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema, ...json } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
  return json;
}

const referTo = (schema: z.ZodType, io: "input" | "output"): Json => {
  const name = named.get(schema);
  return name ? { $ref: `#/components/schemas/${name}` } : schemaOf(schema, io);
};

function answerOf({ about, json, type }: Answer): Json {
  const types = type?.split(", ") ?? [];
  const content = {
    ...(json && { "application/json": { schema: referTo(json, "output") } }),
    ...Object.fromEntries(types.map((one) => [one, { schema: one === "text/plain" ? { type: "string" } : {} }])),
  };
  return { description: about, ...((json || types.length > 0) && { content }) };
}

function parametersOf({ params, query, headers = {} }: Endpoint): Json[] {
  const fields = (place: "path" | "query", schema: z.ZodObject | undefined): Json[] =>
    Object.entries(schema?.shape ?? {}).map(([name, field]) => {
      const { description, ...json } = schemaOf(field as z.ZodType, "input");
      const isList = json.type === "array";
      return {
        name,
        in: place,
        required: place === "path",
        ...(description !== undefined && { description }),
        schema: json,
        ...(isList && { style: "form", explode: false }),
      };
    });
  const ofHeaders = Object.entries(headers).map(([name, description]) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string" },
  }));
  return [...fields("path", params), ...fields("query", query), ...ofHeaders];
}

function formOf({ schema, files, more }: Form): Json {
  const file = { type: "string", contentMediaType: "application/octet-stream", format: "binary" };
  const json = schemaOf(schema, "input");
  const named = Object.fromEntries(files.map((name) => [name, file]));
  return {
    ...json,
    properties: { ...(json.properties as Json), ...named },
    patternProperties: { [more]: { type: "string" } },
    anyOf: files.map((name) => ({ required: [name] })),
  };
}

function bodyOf({ json, raw, form }: Endpoint): Json | undefined {
  if (form) return { required: true, content: { "multipart/form-data": { schema: formOf(form) } } };
  if (json) return { required: true, content: { "application/json": { schema: referTo(json, "input") } } };
  if (!raw) return undefined;
  return { required: true, content: Object.fromEntries(raw.map((type) => [type, { schema: {} }])) };
}

/** Errors that any endpoint may answer. */
const always: Readonly<Record<number, Answer>> = {
  401: { about: "the token is missing or wrong", json: errorBody },
  403: { about: "a page or a name of another site asked", json: errorBody },
  405: { about: "the address takes other methods", json: errorBody },
};

/** Makes the OpenAPI document of some endpoints. */
export function openApi(endpoints: readonly Endpoint[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const endpoint of endpoints) {
    const { method, path, about, answers } = endpoint;
    const body = bodyOf(endpoint);
    const all = Object.entries({ ...always, ...answers }).map(([status, answer]) => [status, answerOf(answer)]);
    paths[path] = {
      ...paths[path],
      [method]: {
        summary: about,
        parameters: parametersOf(endpoint),
        ...(body && { requestBody: body }),
        responses: Object.fromEntries(all),
      },
    };
  }
  const schemas = Object.fromEntries(
    [...named].map(([schema, name]) => [name, schemaOf(schema, schema === jobRequest ? "input" : "output")]),
  );
  return {
    openapi: "3.1.0",
    info: {
      title: "baret",
      version,
      description:
        "Edits photos from a target prompt alone. The addresses under /v1 and /sdapi/v1 are those of other programs.",
      license: { name: "Apache-2.0" },
    },
    paths,
    components: {
      schemas,
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "of a server that has a token" },
        page: { type: "apiKey", in: "cookie", name: "baret", description: "of the studio's page" },
      },
    },
    security: [{}, { token: [] }, { page: [] }],
  };
}
