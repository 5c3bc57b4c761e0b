import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect } from "vitest";
import { CheckpointError } from "../../src/core/index.ts";
import { type ByteSource, dtypeBytes, encodeSafetensors, type Folder, memorySource } from "../../src/weights/index.ts";

/** Real names and shapes of both layouts; tools/parity/keys.py wrote them. */
export interface Keys {
  config: Record<"unet" | "vae" | "text", Record<string, unknown>>;
  /** Original name -> shape. */
  original: Record<string, number[]>;
  /** diffusers name -> shape, original name, and which third of its rows. */
  parts: Record<"unet" | "vae" | "text", Record<string, [number[], string, number]>>;
}
export const keys: Record<"SD1.x" | "SD2.x", Keys> = JSON.parse(
  gunzipSync(readFileSync(new URL("fixtures/keys.json.gz", import.meta.url))).toString(),
);

export const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** A folder in memory: path -> bytes, text, or a value to write as JSON. */
export function folder(name: string, files: Record<string, Uint8Array | object | string>): Folder {
  const paths = Object.keys(files);
  return {
    name,
    list: async (path = "") => {
      const below = path ? `${path}/` : "";
      const inside = paths.filter((p) => p.startsWith(below)).map((p) => p.slice(below.length));
      const names = [...new Set(inside.map((p) => p.split("/")[0]))].sort();
      return names.map((n) => ({ name: n, kind: inside.includes(n) ? "file" : "folder" }));
    },
    open: async (path) => {
      if (!Object.hasOwn(files, path)) throw new CheckpointError("there is no such file", { where: `${name}/${path}` });
      const file = files[path];
      const bytes = file instanceof Uint8Array ? file : text(typeof file === "string" ? file : JSON.stringify(file));
      return memorySource(`${name}/${path}`, bytes);
    },
  };
}

/** A file with this safetensors header, word for word, and this many zero bytes of data. */
export function rawSafetensors(header: string | object, dataBytes = 0, claimed?: bigint): Uint8Array {
  const json = text(typeof header === "string" ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + json.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  out.set(json, 8);
  return out;
}

/**
 * A file of gigabytes of zeros with these tensors and no more memory than its header: only the header's bytes exist.
 */
export function hollow(
  name: string,
  shapes: Record<string, readonly number[]>,
  metadata?: Record<string, string>,
  dtype: "F16" | "F32" = "F16",
): ByteSource {
  let end = 0;
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  for (const [key, shape] of Object.entries(shapes)) {
    const start = end;
    end += shape.reduce((n, d) => n * d, dtypeBytes[dtype]);
    header[key] = { dtype, shape, data_offsets: [start, end] };
  }
  const bytes = rawSafetensors(header);
  return {
    name,
    size: bytes.length + end,
    read: async (offset, length) => {
      const out = new Uint8Array(length);
      out.set(bytes.subarray(offset, offset + length));
      return out;
    },
  };
}

/** A safetensors file of one float. */
export const oneFloat = (key = "x", value = 1): Uint8Array =>
  encodeSafetensors({ [key]: { dtype: "F32", shape: [1], data: Float32Array.of(value) } });

/** The CheckpointError that `work` ends in; fails where it ends otherwise. */
export async function refusal(work: Promise<unknown>): Promise<CheckpointError> {
  const outcome = await work.then(
    () => "no error",
    (error) => error,
  );
  expect(outcome).toBeInstanceOf(CheckpointError);
  return outcome;
}
