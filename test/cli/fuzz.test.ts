import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterAll, expect, test, vi } from "vitest";
import { editCommand } from "../../src/cli/edit/index.ts";
import { repeat } from "../../src/cli/like.ts";
import { Voice } from "../../src/cli/print.ts";
import type { Random } from "../../src/core/index.ts";
import { insertPngText } from "../../src/image/index.ts";
import { encodePng } from "../../src/image/node.ts";
import { smoothPicture } from "../support/baret.ts";
import { survive } from "../support/survive.ts";
import { mutateJson, mutateText } from "../weights/mutate.ts";

// Whatever a picture says of what made it, --like repeats it or ends in an error that says what is wrong.

const folder = mkdtempSync(join(tmpdir(), "baret-like-"));
const path = join(folder, "made.png");
vi.spyOn(process.stderr, "write").mockReturnValue(true);
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const made = {
  command: "edit",
  version: "0.0.1",
  model: { name: "../models/tiny", prediction: "epsilon", variant: "fp16", sha256: "0".repeat(64) },
  engine: { device: "cpu", threads: 2 },
  photo: { path: "photo.png", sha256: "1".repeat(64) },
  settings: {
    target: "a dog lying down",
    steps: 20,
    alpha: [0.8, 0.1],
    selfSteps: [0, 0.3],
    threshold: [1e-4, 1e-4],
    size: { width: 128, height: 64 },
    earlyStop: false,
    fit: "pad",
  },
};
const bare = insertPngText(await encodePng(smoothPicture(1)), {});
const header = 33;

/** The PNG with a chunk after its header, whatever the chunk holds. */
function withChunk(type: string, data: Uint8Array): Uint8Array {
  const named = Buffer.concat([Buffer.from(type), data]);
  const [length, crc] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  crc.writeUInt32BE(crc32(named));
  return Buffer.concat([bare.subarray(0, header), length, named, crc, bare.subarray(header)]);
}

function damaged(random: Random): Uint8Array {
  const isJson = random.below(3) > 0;
  const json = isJson ? Buffer.from(JSON.stringify(mutateJson(made, random)) ?? "") : mutateText(JSON.stringify(made), random); // biome-ignore format: one choice
  const start = random.below(8)
    ? "baret\0\0\0\0\0"
    : random.pick(["baret\0\x01\0\0\0", "baret\0", "baret", "\0", "baret\0\0\0en"]);
  const png = random.below(4)
    ? withChunk("iTXt", Buffer.concat([Buffer.from(start, "latin1"), json]))
    : withChunk("tEXt", Buffer.concat([Buffer.from("baret\0"), json]));
  if (random.below(10)) return png;
  const flipped = png.slice();
  for (let n = 1 + random.below(3); n > 0; n--) flipped[random.below(flipped.length)] ^= 1 + random.below(255);
  return random.below(2) ? flipped : png.slice(0, random.below(png.length));
}

test("a picture's settings, down to the options of a command", async () => {
  const outcomes = await survive(1500, ["ImageError", "UsageError"], async (random) => {
    writeFileSync(path, damaged(random));
    await repeat(editCommand(), path, new Voice({ quiet: true }));
  });
  expect(outcomes.success).toBeGreaterThan(100);
  expect(outcomes.ImageError).toBeGreaterThan(300);
  expect(outcomes.UsageError).toBeGreaterThan(50);
});
