import { expect, test } from "vitest";
import { CheckpointError, GraphError, Random } from "../../src/core/index.ts";
import {
  type ByteSource,
  encodeSafetensors,
  memorySource,
  readInts,
  readSafetensors,
  readTensor,
  reshaped,
  viewRows,
} from "../../src/weights/index.ts";
import { rawSafetensors as file, refusal, text } from "./helpers.ts";

const read = (bytes: Uint8Array) => readSafetensors(memorySource("x.safetensors", bytes));
const entry = (dtype: string, shape: unknown, from: number, to: number) => ({ dtype, shape, data_offsets: [from, to] });

test("a written file is read back, whatever the dtypes and the order", async () => {
  const f32 = Float32Array.of(1.5, -0, Number.NaN, 3e38, 1e-45, -7);
  const bytes = encodeSafetensors(
    {
      bytes: { dtype: "U8", shape: [3], data: Uint8Array.of(0, 128, 255) },
      numbers: { dtype: "F32", shape: [2, 3], data: f32 },
      wide: { dtype: "I64", shape: [2], data: BigInt64Array.of(-5n, 49407n) },
      scalar: { dtype: "I32", shape: [], data: Int32Array.of(-9) },
      none: { dtype: "F16", shape: [0, 4], data: new Uint16Array() },
      __proto__name: { dtype: "BF16", shape: [1], data: Uint16Array.of(0xc000) },
    },
    { made: "by a test" },
  );
  const { tensors, metadata } = await read(bytes);
  expect(metadata).toEqual({ made: "by a test" });
  expect([...tensors.keys()].sort()).toEqual(["__proto__name", "bytes", "none", "numbers", "scalar", "wide"]);
  expect(await readTensor(tensors.get("numbers")!)).toEqual({ shape: [2, 3], data: f32 });
  expect(await readInts(tensors.get("bytes")!)).toEqual({ shape: [3], data: Int32Array.of(0, 128, 255) });
  expect(await readInts(tensors.get("wide")!)).toEqual({ shape: [2], data: Int32Array.of(-5, 49407) });
  expect(await readInts(tensors.get("scalar")!)).toEqual({ shape: [], data: Int32Array.of(-9) });
  expect(await readTensor(tensors.get("none")!)).toEqual({ shape: [0, 4], data: new Float32Array() });
  expect((await readTensor(tensors.get("__proto__name")!)).data[0]).toBe(-2);
  for (const ref of tensors.values()) expect(ref.offset % (ref.dtype === "I64" ? 8 : 1)).toBe(0);
});

test("every F16 and every BF16 number is read exactly", async () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const all = { dtype: "F16", shape: [65536], data: bits } as const;
  const { tensors } = await read(encodeSafetensors({ half: all, brain: { ...all, dtype: "BF16" } }));
  const half = (await readTensor(tensors.get("half")!)).data;
  const brain = (await readTensor(tensors.get("brain")!)).data;
  const view = new DataView(new ArrayBuffer(4));
  const expected = (i: number) => {
    // A half is a float with a narrower exponent: shift the fraction into place and rescale by 2^112.
    const [exponent, fraction] = [(i >> 10) & 31, i & 1023];
    view.setUint32(0, ((i & 0x8000) << 16) | (exponent << 23) | (fraction << 13));
    if (exponent < 31) return view.getFloat32(0) * 2 ** 112;
    return fraction ? Number.NaN : i & 0x8000 ? -Infinity : Infinity;
  };
  const exact = (i: number) => {
    view.setUint32(0, i << 16);
    return Object.is(brain[i], view.getFloat32(0)) && Object.is(half[i], expected(i));
  };
  expect([...bits].filter((i) => !exact(i))).toEqual([]);
});

test("a view reads its part of the tensor", async () => {
  const data = Float32Array.from({ length: 12 }, (_, i) => i);
  const { tensors } = await read(encodeSafetensors({ w: { dtype: "F32", shape: [6, 2, 1, 1], data } }));
  const middle = viewRows(reshaped(tensors.get("w")!, [6, 2]), 2, 4);
  expect(await readTensor(middle)).toEqual({ shape: [2, 2], data: Float32Array.of(4, 5, 6, 7) });
  expect(() => viewRows(middle, 1, 3)).toThrow(GraphError);
  expect(() => reshaped(middle, [5])).toThrow(GraphError);
});

test("data that does not fill its shape is refused", () => {
  const data = new Float32Array(3);
  expect(() => encodeSafetensors({ w: { dtype: "F32", shape: [4], data } })).toThrow(/"w".*12 bytes, expected 16/s);
  expect(() => encodeSafetensors({ __metadata__: { dtype: "F32", shape: [3], data } })).toThrow(GraphError);
});

test("an integer past 32 bits is refused", async () => {
  const big = { dtype: "I64", shape: [2], data: BigInt64Array.of(1n, 2n ** 40n) } as const;
  const { tensors } = await read(encodeSafetensors({ big }));
  expect((await refusal(readInts(tensors.get("big")!))).message).toMatch(/"big"\[1\].*1099511627776/);
  expect((await refusal(readTensor(tensors.get("big")!))).message).toMatch(/"big": dtype: found I64, expected F32/);
});

const w = entry("F32", [2], 0, 8);
test.each<[string, Uint8Array, RegExp]>([
  ["an empty file", new Uint8Array(), /too short for a safetensors file: found 0 bytes/],
  [
    "a file cut in its header",
    file({ w }, 8).subarray(0, 30),
    /truncated within its header: found 30 bytes, expected more than \d\d/,
  ],
  ["a file cut in its data", file({ w }, 4), /truncated: found \d+ bytes, expected \d+/],
  ["a header longer than the file", file({ w }, 8, 1_000n), /truncated within its header: .*expected more than 1008/],
  ["a header of 2^64 − 1 bytes", file({ w }, 8, 2n ** 64n - 1n), /not a safetensors file: found first bytes ff ff/],
  ["a header that is not JSON", file("{not json}"), /header: not JSON, at position 1\.$/],
  ["a header with secrets in it", file("password"), /header: not JSON\.$/],
  ["a header that ends early", file('{"password"'), /header: not JSON(, at position 11|, end of JSON input)?\.$/],
  ["a header that is not UTF-8", file("{}").fill(0xff, 8), /not UTF-8/],
  ["a header that is a list", file("[]"), /not a JSON object/],
  [
    "a deeply nested header",
    file(`{"w":${"[".repeat(100_000)}`),
    /nested too deeply: found 5 levels at position 8, expected at most 4/,
  ],
  ["a tensor named twice", file(`{"w":${JSON.stringify(w)},"\\u0077":${JSON.stringify(w)}}`, 8), /a key twice: "w"/],
  ["an entry that is no object", file({ w: 3 }), /"w": not an object/],
  ["an unknown field", file({ w: { ...w, strides: [1] } }, 8), /"w": unknown field "strides"/],
  ["an unknown dtype", file({ w: entry("F31", [2], 0, 8) }, 8), /"w": dtype "F31" is not known/],
  ["a dtype that objects have", file({ w: entry("toString", [2], 0, 8) }, 8), /dtype "toString" is not known/],
  ["a dtype that does not fit", file({ w: entry("F16", [2], 0, 8) }, 8), /found 8 bytes, expected 4 for F16 \[2\]/],
  ["a negative dimension", file({ w: entry("F32", [-2, -1], 0, 8) }, 8), /shape \[-2,-1\] is not a shape/],
  ["a fraction of a row", file({ w: entry("F32", [0.5, 4], 0, 8) }, 8), /is not a shape/],
  ["a shape that overflows", file({ w: entry("U8", [2 ** 31, 2 ** 31, 4], 0, 0) }), /expected 18446744073709552000/],
  ["a shape of too many axes", file({ w: entry("F32", new Array(99).fill(1), 0, 4) }, 4), /is not a shape/],
  ["a missing shape", file({ w: { dtype: "F32", data_offsets: [0, 8] } }, 8), /shape nothing is not a shape/],
  ["offsets backwards", file({ w: entry("F32", [2], 8, 0) }, 8), /data_offsets \[8,0\] are not a range/],
  ["offsets before the data", file({ w: entry("F32", [2], -8, 0) }, 8), /are not a range/],
  ["offsets past the file", file({ w: entry("F32", [2 ** 40], 0, 2 ** 42) }, 8), /truncated/],
  ["overlapping tensors", file({ w, v: entry("F32", [2], 4, 12) }, 12), /"v": overlaps the tensor before it by 4/],
  ["a tensor inside another", file({ w, v: entry("F32", [1], 0, 4) }, 8), /"w": overlaps the tensor before it by 4/],
  ["a hole", file({ w, v: entry("F32", [2], 12, 20) }, 20), /"v": a hole of 4 bytes before it/],
  ["bytes after the end", file({ w }, 11), /3 bytes after the last tensor/],
  ["metadata that is no text", file({ __metadata__: { a: 1 }, w }, 8), /"__metadata__": not an object of strings/],
])("%s is refused with the reason and the file's name", async (_, bytes, message) => {
  const error = await refusal(read(bytes));
  expect(error.message).toMatch(message);
  expect(error.message).toContain("x.safetensors");
  expect(error.category).toBe("model");
});

/** A file of `size` bytes, all zero but for the first ones. */
function vast(name: string, size: number, start: Uint8Array): ByteSource {
  return {
    name,
    size,
    read: async (offset, length) => {
      if (length > 1e6) throw new Error("reads far too much");
      const bytes = new Uint8Array(length);
      bytes.set(start.subarray(offset, offset + length));
      return bytes;
    },
  };
}

test("a header may have as many bytes as the safetensors library reads, and no more", async () => {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, 100_000_001n, true);
  expect((await refusal(readSafetensors(vast("x.safetensors", 1e9, length)))).message).toMatch(
    /x\.safetensors: the safetensors header is too long: found 100000001 bytes, expected at most 100000000/,
  );
  const workflow = "x".repeat(20 << 20);
  const { metadata, tensors } = await read(file({ __metadata__: { workflow }, w }, 8));
  expect([metadata.workflow.length, [...tensors.keys()]]).toEqual([20 << 20, ["w"]]);
});

const ascii = (start: string) => Uint8Array.from(start, (character) => character.charCodeAt(0));
const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"6c".repeat(32)}\nsize 4265146304\n`;
const page =
  "<!DOCTYPE html>\n<html lang=en><head><title>Sign in – hub</title></head><body>Please log in</body></html>";
test.each<[string, Uint8Array, RegExp]>([
  ["a Git LFS pointer", text(pointer), /: this is a Git LFS pointer, .* real file of 4\.27 GB\.\nRun `git lfs pull`/],
  [
    "a torn Git LFS pointer",
    text(pointer.slice(0, 60)),
    /: this is a Git LFS pointer, a placeholder for the real file\./,
  ],
  [
    "a web page",
    text(page),
    /: this is a web page, titled "Sign in – hub", in place of the file\.\n.* sign in or accept/,
  ],
  [
    "a web page without a title",
    text("\n <html><body>404</body></html>"),
    /: this is a web page in place of the file\./,
  ],
  ["an XML message", text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), /: this is a web page/],
  [
    "a server's JSON",
    text('{"error":"Repository not found"}'),
    /: this is text, beginning with "{\\"error\\":.*\nDownload/,
  ],
  ["a server's message", text("Access to model is restricted."), /: this is text, beginning with "Access to model is/],
  ["a zip pickle", ascii("PK\x03\x04\0\0\x08\x08...."), /Python pickle/],
  ["a bare pickle", ascii("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20"), /Python pickle/],
  ["GGUF", ascii("GGUF\x03\0\0\0"), /this is a GGUF file, whose weights are quantised/],
  ["Keras", ascii("\x89HDF\r\n\x1a\n"), /this is an HDF5 file/],
  ["gzip", ascii("\x1f\x8b\x08\0\x99\0\0\x01\0\0"), /this is a gzip archive\.\nUnpack it/],
])("%s in place of weights is named, with advice what to do", async (_, content, message) => {
  const { message: found } = await refusal(read(content));
  expect(found).toMatch(message);
  expect(found.length).toBeLessThan(400);
});

test("a header's length may have the first bytes of another format", async () => {
  for (const length of [0x088b1fn, 0x010280n]) {
    const { tensors } = await read(
      file(`${JSON.stringify({ w })}${" ".repeat(Number(length) - JSON.stringify({ w }).length)}`, 8),
    );
    expect([...tensors.keys()]).toEqual(["w"]);
  }
});

test("all problems of a header are listed at once", async () => {
  const header = { a: entry("F31", [1], 0, 4), b: entry("F32", [-1], 0, 4), c: 7 };
  const { message } = await refusal(read(file(header, 4)));
  for (const part of [/"a": dtype/, /"b": shape/, /"c": not an object/]) expect(message).toMatch(part);
});

test("a mutated file is read or refused with CheckpointError", async () => {
  const random = new Random(7);
  const good = encodeSafetensors(
    {
      a: { dtype: "F32", shape: [2, 3], data: new Float32Array(6) },
      b: { dtype: "F16", shape: [4], data: new Uint16Array(4) },
      c: { dtype: "U8", shape: [5], data: new Uint8Array(5) },
    },
    { format: "pt" },
  );
  const scraps = ['"', "{", "}", "[", "]", ",", ":", "-", "9", "1e400", "null", "\\u0000", '"a"', '"F64"', "[[", "0.5"];
  const outcomes = { valid: 0, refused: 0 };
  for (let i = 0; i < 6000; i++) {
    const bytes = [...good];
    for (let n = 1 + random.below(3); n > 0; n--) {
      const at = random.below(random.below(3) ? 8 + 240 : bytes.length);
      const kind = random.below(4);
      if (kind === 0) bytes[at] = random.below(256);
      else if (kind === 1) bytes.splice(at, 1 + random.below(8));
      else if (kind === 2)
        bytes.splice(at, random.below(2), ...new TextEncoder().encode(scraps[random.below(scraps.length)]));
      else bytes.length = Math.max(0, bytes.length - random.below(64));
    }
    const outcome = await read(Uint8Array.from(bytes)).catch((error) => error);
    if (outcome instanceof Error) {
      expect(outcome).toBeInstanceOf(CheckpointError);
      outcomes.refused++;
    } else {
      for (const ref of outcome.tensors.values()) expect(ref.offset + ref.length).toBeLessThanOrEqual(bytes.length);
      outcomes.valid++;
    }
  }
  expect(outcomes.valid).toBeGreaterThan(50);
  expect(outcomes.refused).toBeGreaterThan(3000);
});

test("a Node Buffer gives the same numbers as other bytes", async () => {
  const bytes = encodeSafetensors({
    i64: { dtype: "I64", shape: [2], data: BigInt64Array.of(-5n, 49407n) },
    f32: { dtype: "F32", shape: [2], data: Float32Array.of(1.5, -7) },
    i32: { dtype: "I32", shape: [2], data: Int32Array.of(-9, 3) },
    f16: { dtype: "F16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
    bf16: { dtype: "BF16", shape: [2], data: Uint16Array.of(0x3f80, 0xc000) },
    u8: { dtype: "U8", shape: [2], data: Uint8Array.of(0, 255) },
  });
  const numbers = async (source: Uint8Array) => {
    const { tensors } = await read(source);
    const entries = [...tensors].map(async ([name, ref]) => [
      name,
      /f/.test(name) ? await readTensor(ref) : await readInts(ref),
    ]);
    return Object.fromEntries(await Promise.all(entries));
  };
  // Small ones lie in a pool that all share, at any place.
  const buffers = [Buffer.from(bytes), Buffer.from(bytes), Buffer.concat([Buffer.of(1), bytes]).subarray(1)];
  for (const buffer of buffers) expect(await numbers(buffer)).toEqual(await numbers(bytes));
});
