import { z } from "zod";
import { optionsOf } from "../../src/core/index.ts";
import { methods, schemaOf } from "../../src/editing/index.ts";
import type { Capabilities } from "../../src/server/api/index.ts";

/** Returns what a server with the Menagerie tells: the real methods, and the defaults of a model. */
export const capabilitiesWith = (defaults: Record<string, Record<string, unknown>> = {}): Capabilities => ({
  version: "0.0.0",
  models: [
    { name: "menagerie", sha256: "0".repeat(64), size: { width: 128, height: 128 }, defaults, hasJudge: true },
    { name: "sd1.5", sha256: "1".repeat(64), size: { width: 512, height: 512 }, defaults: {}, hasJudge: false },
  ],
  methods: methods().map((method) => ({
    name: method.name,
    title: method.title,
    paper: method.paper,
    caption: method.needs.caption,
    randomSeed: method.needs.randomSeed,
    weightGradients: method.needs.weightGradients,
    pictures: { ...method.pictures },
    presets: Object.keys(method.presets ?? {}),
    hasStrip: method.strip !== undefined,
    options: (["prepare", "edit"] as const).flatMap((of) =>
      optionsOf(schemaOf(method, of)).map(
        ({ name, about, expected, schema, isFile, usual = false, unset, ...option }) => ({
          name,
          about,
          of,
          expected,
          schema: z.toJSONSchema(schema, { unrepresentable: "any", io: "input" }),
          isFile,
          isUsual: usual,
          ...(option.default !== undefined && { default: option.default }),
          ...(unset !== undefined && { unset }),
        }),
      ),
    ),
  })),
  limits: { photoBytes: 1e8, photoPixels: 1e8, queuedJobs: 100 },
  ready: true,
});
