import { z } from "zod";
import { CheckpointError, StorageError, type Tensor } from "../core/index.ts";
import { type ByteSource, encodeSafetensors, parseJson, readSafetensors, readTensor } from "../weights/index.ts";
import { type Inversion, isComplete, type Origin } from "./inversion.ts";
import { carries } from "./options.ts";

const format = "baret inversion";
const version = "1";

const count = z.int().nonnegative();
const header = z.strictObject({
  target: z.string(),
  size: z.strictObject({ width: z.int().positive(), height: z.int().positive() }),
  settings: z.strictObject({
    steps: z.int().positive().max(100_000),
    guidance: z.number(),
    inversionPrompt: z.string(),
    inversionGuidance: z.number(),
    learningRate: z.number(),
    learningRateEnd: z.number(),
    iterations: count.max(1000),
    earlyStop: z.boolean(),
    threshold: z.strictObject({ first: z.number(), growth: z.number() }),
    warmStart: z.boolean(),
    resetAdam: z.boolean(),
    carry: z.enum(carries),
  }),
  origin: z.strictObject({
    model: z.string(),
    picture: z.string(),
    device: z.string(),
    threads: z.int().positive(),
    versions: z.record(z.string(), z.string()),
  }),
  timesteps: z.array(count),
  done: z.strictObject({ inverted: count, tuned: count }),
});

/** The arrays of an inversion under the names they have in its file. */
const arrays = ({ inverted, embeddings, reconstruction, trace, moments }: Inversion): Record<string, Tensor> => ({
  inverted,
  embeddings,
  reconstruction,
  loss: trace.loss,
  gradient_rms: trace.gradientRms,
  moments,
});

/**
 * An inversion as one safetensors file: arrays as F32, everything else as JSON in the header. No clock and no path: the
 * same inversion gives the same bytes.
 */
export function encodeInversion(inversion: Inversion): Uint8Array {
  const { target, size, settings, origin, timesteps, done } = inversion;
  const tensors = Object.entries(arrays(inversion)).map(([name, { shape, data }]) => [
    name,
    { dtype: "F32" as const, shape, data },
  ]);
  // The schema's order of keys, whatever order they were put together in.
  const inversionJson = JSON.stringify(header.parse({ target, size, settings, origin, timesteps, done }));
  return encodeSafetensors(Object.fromEntries(tensors), { format, version, inversion: inversionJson });
}

/** Reads an inversion file, finished or not. Throws StorageError where it is none, damaged, or of another version. */
export async function decodeInversion(source: ByteSource): Promise<Inversion> {
  const where = source.name;
  const file = await readSafetensors(source).catch((cause: unknown) => {
    if (!(cause instanceof CheckpointError)) throw cause;
    throw new StorageError("not an inversion file, or a damaged one", { where, found: cause.message, cause });
  });
  const { metadata } = file;
  if (metadata.format !== format) {
    throw new StorageError("a safetensors file, but not an inversion", { where, expected: `format "${format}"` });
  }
  if (metadata.version !== version) {
    throw new StorageError("an inversion file of another version of baret", {
      where,
      found: `${metadata.version}`,
      expected: version,
      advice: "Invert the photo again.",
    });
  }
  const parsed = header.safeParse(parseHeader(metadata.inversion, where));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new StorageError(`the inversion file's header is damaged\n  ${problems.join("\n  ")}`, { where });
  }
  const read = async (name: string): Promise<Tensor> => {
    const ref = file.tensors.get(name);
    if (!ref) throw new StorageError("the inversion file is not complete", { where, expected: `a tensor "${name}"` });
    return readTensor(ref);
  };
  const inversion: Inversion = {
    ...parsed.data,
    inverted: await read("inverted"),
    embeddings: await read("embeddings"),
    reconstruction: await read("reconstruction"),
    trace: { loss: await read("loss"), gradientRms: await read("gradient_rms") },
    moments: await read("moments"),
  };
  checkShapes(inversion, where);
  return inversion;
}

function parseHeader(text: string | undefined, where: string): unknown {
  try {
    return parseJson(new TextEncoder().encode(text ?? ""), where);
  } catch (cause) {
    throw new StorageError("the inversion file's header is damaged", { where, cause });
  }
}

/** Throws StorageError where the arrays' shapes do not fit the settings. */
function checkShapes(inversion: Inversion, where: string): void {
  const { steps, iterations } = inversion.settings;
  const [, ...latent] = inversion.inverted.shape;
  const [, ...embedding] = inversion.embeddings.shape;
  const expected: Record<string, number[]> = {
    inverted: [steps + 1, ...latent],
    embeddings: [steps, ...embedding],
    reconstruction: [steps + 1, ...latent],
    loss: [steps, iterations + 1],
    gradient_rms: [steps, iterations],
    moments: [2, ...embedding],
  };
  const problems = Object.entries(arrays(inversion))
    .filter(([name, { shape }]) => `${shape}` !== `${expected[name]}`)
    .map(([name, { shape }]) => `"${name}" [${shape.join(", ")}], expected [${expected[name].join(", ")}]`);
  const { done, timesteps } = inversion;
  if (latent.length !== 3 || embedding.length !== 2)
    problems.push("latents [C, h, w] and embeddings [L, D] have other ranks");
  if (done.inverted > steps || done.tuned > steps)
    problems.push(`${done.inverted} and ${done.tuned} of ${steps} steps`);
  if (timesteps.length !== steps) problems.push(`${timesteps.length} timesteps for ${steps} steps`);
  if (problems.length > 0)
    throw new StorageError(`the inversion file does not fit itself\n  ${problems.join("\n  ")}`, { where });
}

/** What an inversion is about to be used with. */
export interface Use extends Partial<Pick<Origin, "model" | "picture">> {
  readonly target?: string;
}

/** Throws StorageError where an inversion is not finished, or belongs to another model, photo or sentence. */
export function requireInversionOf(inversion: Inversion, use: Use, where?: string): void {
  if (!isComplete(inversion)) {
    const { done, settings } = inversion;
    throw new StorageError("this inversion is not finished", {
      where,
      found: `${done.inverted} steps inverted, ${done.tuned} tuned`,
      expected: `${settings.steps} of each`,
      advice: "Run `baret invert` with the same photo, sentence and file to go on with it.",
    });
  }
  const found = { model: inversion.origin.model, picture: inversion.origin.picture, target: inversion.target };
  const words = { model: "model", picture: "photo", target: "sentence" };
  for (const key of ["model", "picture", "target"] as const) {
    if (use[key] === undefined || use[key] === found[key]) continue;
    throw new StorageError(`this inversion belongs to another ${words[key]}`, {
      where,
      found: key === "target" ? JSON.stringify(found[key]) : found[key].slice(0, 16),
      expected: key === "target" ? JSON.stringify(use[key]) : use[key].slice(0, 16),
      advice: "Every photo, sentence and model needs an inversion of its own: run `baret invert`.",
    });
  }
}
