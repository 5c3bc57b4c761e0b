import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CheckpointError } from "../../src/core/index.ts";
import { isLegacyTorch, memorySource, readLegacyTorch, readTensor } from "../../src/weights/index.ts";
import { drawn } from "../metrics/drawn.ts";

const at = (name: string) => new Uint8Array(readFileSync(new URL(`../fixtures/perceptual/${name}`, import.meta.url)));
const read = (bytes: Uint8Array) => readLegacyTorch(memorySource("lin.pth", bytes));

const channels = {
  alex: [64, 192, 384, 256, 256],
  vgg: [64, 128, 256, 512, 512],
  squeeze: [64, 128, 256, 384, 384, 512, 512],
};

// Made by tools/parity/perceptual.py with torch.save.
test.each(Object.entries(channels))("reads what PyTorch writes for %s, as stored", async (net, sizes) => {
  const source = memorySource(`${net}.pth`, at(`${net}.pth`));
  expect(await isLegacyTorch(source)).toBe(true);
  const tensors = await readLegacyTorch(source);
  expect([...tensors.keys()]).toEqual(sizes.map((_, k) => `lin${k}.model.1.weight`));
  for (const [k, size] of sizes.entries()) {
    const { shape, data } = await readTensor(tensors.get(`lin${k}.model.1.weight`)!);
    expect(shape).toEqual([1, size, 1, 1]);
    expect(data).toEqual(drawn(`lin${k}.model.1.weight`, shape));
  }
});

// --- the layout of the lpips package's own files, which Python 2 wrote --------------------------------------------

const text = (value: string): number[] => [0x55, value.length, ...new TextEncoder().encode(value)];
const ascii = (value: string): number[] => [...new TextEncoder().encode(value)];
const short = (value: number): number[] => [0x4d, value & 255, value >> 8];
const pickle = (...body: number[][]): number[] => [0x80, 2, ...body.flat(), 0x2e];
const global = (module: string, name: string): number[] => [0x63, ...ascii(`${module}\n${name}\n`)];
const MAGIC = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

interface Parts {
  magic?: number[];
  protocol?: number;
  dict?: number[];
  callee?: number[];
  storageType?: number[];
  strides?: number[];
  numel?: number;
  keys?: string[];
  rest?: number[];
}

/** Two tensors, [1, 2, 1, 1] of storage "9" and [1, 3, 1, 1] of storage "10". Storages are in the order of their keys as text. */
function file(parts: Parts = {}): Uint8Array {
  const { magic = MAGIC, protocol = 1001, callee = global("torch._utils", "_rebuild_tensor_v2") } = parts;
  const { storageType = global("torch", "FloatStorage"), keys = ["10", "9"], rest = [], numel = 0 } = parts;
  const tensor = (key: string, n: number): number[] => [
    ...callee,
    ...[0x28, 0x28, ...text("storage"), ...storageType, ...text(key), ...text("cuda:0"), 0x4b, n, 0x4e, 0x74, 0x51],
    ...[0x4b, 0, 0x28, 0x4b, 1, 0x4b, n + numel, 0x4b, 1, 0x4b, 1, 0x74],
    ...(parts.strides ?? [0x28, 0x4b, n + numel, 0x4b, 1, 0x4b, 1, 0x4b, 1, 0x74]),
    ...[0x89, 0x4e, 0x74, 0x52],
  ];
  const pair = (name: string, key: string, n: number): number[] => [0x5d, 0x28, ...text(name), ...tensor(key, n), 0x65];
  const metadata = [0x7d, 0x28, ...text("_metadata"), 0x7d, 0x75, 0x62];
  const dict = parts.dict ?? [
    ...global("collections", "OrderedDict"),
    ...[0x5d, 0x28, ...pair("lin0", "9", 2), ...pair("lin1", "10", 3), 0x65, 0x85, 0x52],
    ...metadata,
  ];
  const storage = (values: number[]): number[] => [
    ...new Uint8Array(BigInt64Array.of(BigInt(values.length)).buffer),
    ...new Uint8Array(Float32Array.from(values).buffer),
  ];
  return Uint8Array.from([
    ...pickle(magic),
    ...pickle(short(protocol)),
    ...pickle([0x7d, 0x28, ...text("little_endian"), 0x88, 0x75]),
    ...pickle(dict),
    ...pickle([0x5d, 0x28], ...keys.map(text), [0x65]),
    ...storage([3, 4, 5]),
    ...storage([1, 2]),
    ...rest,
  ]);
}

test("storages are found by their key, not by their order", async () => {
  const tensors = await read(file());
  expect((await readTensor(tensors.get("lin0")!)).data).toEqual(Float32Array.of(1, 2));
  expect((await readTensor(tensors.get("lin1")!)).data).toEqual(Float32Array.of(3, 4, 5));
});

describe("anything but this layout is an error that says what it is", () => {
  test.each<[string, Parts, RegExp]>([
    ["another magic number", { magic: [0x4b, 7] }, /found 7, 1001, expected 119547037146038801333356, 1001/],
    ["another protocol", { protocol: 1002 }, /found 119547037146038801333356, 1002/],
    ["another call", { callee: global("os", "system") }, /"lin0": found a call of os\.system, expected a tensor/],
    [
      "another type",
      { storageType: global("torch", "HalfStorage") },
      /torch\.HalfStorage, expected torch\.FloatStorage/,
    ],
    ["a transposed tensor", { strides: [0x28, 0x4b, 1, 0x4b, 2, 0x74] }, /strides \[1,2\], expected \[2,1,1,1\]/],
    ["more numbers than stored", { numel: 1 }, /"lin0": needs 3 numbers, its storage has 2/],
    ["a storage that is not there", { keys: ["10", "8"] }, /"lin0": its storage "9" is not in the file/],
    ["a list of numbers", { dict: [0x5d] }, /not a state dict: found \[\], expected an OrderedDict/],
    ["an object of another class", { dict: [...global("os", "system"), 0x29, 0x52] }, /found a call of os\.system/],
    ["another opcode", { dict: [0x93] }, /more than plain data, opcode 0x93/],
    ["an instance of a class", { dict: [...global("os", "system"), 0x29, 0x81] }, /opcode 0x81/],
    ["a value that is missing", { dict: [0x52] }, /a value is missing/],
    ["an unknown memo", { dict: [0x68, 9] }, /value 9 is not known/],
    ["bytes after the end", { rest: [0, 0] }, /bytes after the last storage: found 2/],
  ])("%s", async (_, parts, message) => {
    await expect(read(file(parts))).rejects.toSatisfy(
      (error) => error instanceof CheckpointError && message.test(error.message) && error.message.includes("lin.pth"),
    );
  });

  test("a file that ends anywhere", async () => {
    const whole = file();
    for (let length = 0; length < whole.length; length++) {
      await expect(read(whole.subarray(0, length)), `${length} bytes`).rejects.toThrow(CheckpointError);
    }
  });

  test("a file with any byte changed is read or refused, and nothing else", async () => {
    const whole = at("alex.pth").subarray(0, 1500);
    const rest = at("alex.pth");
    for (let i = 0; i < whole.length; i++) {
      const changed = rest.slice();
      changed[i] ^= 0x55;
      await read(changed).catch((error) => expect(error, `byte ${i}`).toBeInstanceOf(CheckpointError));
    }
  });

  test("a long file", async () => {
    await expect(read(new Uint8Array((1 << 20) + 1))).rejects.toThrow(/too long: found 1048577 bytes/);
  });
});
