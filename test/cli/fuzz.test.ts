import { writeFileSync } from "node:fs";
import { beforeEach, expect, test, vi } from "vitest";
import { editCommand } from "../../src/cli/edit/edit.ts";
import { applyLike } from "../../src/cli/like.ts";
import { Reporter } from "../../src/cli/print.ts";
import { version } from "../../src/core/index.ts";
import { insertPngText, readPngText } from "../../src/image/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { temporaryFolder } from "../support/files.ts";
import { survive } from "../support/survive.ts";
import { mutateJson, mutateText } from "../weights/mutate.ts";

// Applying any record of a picture succeeds or ends in a typed error.

const path = temporaryFolder()("made.png");

/** Length of the longest line on standard error. */
let longest = 0;
beforeEach(() => {
  longest = 0;
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    longest = Math.max(longest, text.length);
    return true;
  });
});

const made = {
  command: "edit",
  version,
  model: { name: "menagerie", sha256: "0".repeat(64) },
  engine: { device: "cpu", threads: 1 },
  photo: { path: "photo.png", sha256: "1".repeat(64) },
  settings: {
    sentence: "a dog",
    size: { width: 128, height: 128 },
    fit: "crop",
    steps: 20,
    guidance: 5,
    alpha: [0.8, 0.1],
    selfSteps: [0, 0.3],
    threshold: [1e-4, 1e-4],
    earlyStop: true,
    carry: "reconstruction",
    half: "conditional",
  },
};

test("a damaged record in a PNG gives options or a typed error", async () => {
  const bare = await encodePng(smoothPicture(1));
  const outcomes = await survive(2000, ["ImageError", "UsageError"], async (random) => {
    const json = JSON.stringify(made);
    const settings = random.below(4)
      ? JSON.stringify(mutateJson(made, random))
      : new TextDecoder().decode(mutateText(json, random));
    const png = insertPngText(bare, { baret: settings.replaceAll("\0", "") });
    if (random.below(4) === 0) png[random.below(png.length)] ^= 1 + random.below(255);
    writeFileSync(path, random.below(20) ? png : png.subarray(0, random.below(png.length)));
    const command = editCommand();
    command.exitOverride();
    await applyLike(command, path, new Reporter({ quiet: true }));
    for (const value of Object.values(command.opts())) expect(value).not.toBeNaN();
  });
  expect(longest).toBeLessThan(10_000);
  expect(outcomes.success).toBeGreaterThan(200);
  expect(outcomes.ImageError).toBeGreaterThan(200);
  expect(outcomes.UsageError).toBeGreaterThan(200);
});

test("reading the text of a damaged PNG succeeds or ends in ImageError", async () => {
  const png = await encodePng(smoothPicture(1), { baret: JSON.stringify(made), other: "x".repeat(300) });
  const outcomes = await survive(1000, ["ImageError"], async (random) => {
    const damaged = random.below(4) ? png.slice() : png.slice(0, random.below(png.length));
    for (let n = random.below(4); n > 0; n--) damaged[random.below(damaged.length)] = random.below(256);
    readPngText(damaged);
  });
  expect(outcomes.ImageError).toBeGreaterThan(200);
});
