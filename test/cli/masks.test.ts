import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Picture } from "../../src/core/index.ts";
import { decodeImage, encodePng } from "../../src/image/node/index.ts";
import { readRecord } from "../../src/tasks/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";

// Options that name files: they are read, recorded by path and hash, and found again by --like.

const at = temporaryFolder();
const half = (isWhite: (x: number, y: number) => boolean): Picture => ({
  width: 64,
  height: 64,
  data: Uint8Array.from({ length: 3 * 64 * 64 }, (_, k) => {
    const place = Math.floor(k / 3);
    return isWhite(place % 64, Math.floor(place / 64)) ? 255 : 0;
  }),
});

beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", at("cache"));
  mkdirSync(at("work"));
  writeFileSync(at("work", "photo.png"), await encodePng(smoothPicture(1)));
  writeFileSync(at("work", "left.png"), await encodePng(half((x) => x < 32)));
  writeFileSync(at("work", "top.png"), await encodePng(half((_, y) => y < 32)));
});
afterAll(() => {
  vi.unstubAllEnvs();
});

const edit = (...args: string[]): Promise<string> =>
  inProcess(
    ...[
      "edit",
      at("work", "photo.png"),
      "a dog lying down",
      "--method",
      "masactrl",
      "--model",
      fixturePath("tiny-sd1"),
    ],
    ...["--size", "64", "--threads", "1", "--steps", "3", "--step", "1", ...args],
  );

test("masks are printed and recorded by path and hash, and --like repeats the edit after the folder has moved", async () => {
  const masks = ["--source-mask", at("work", "left.png"), "--target-mask", at("work", "top.png")];
  const out = at("work", "masked.png");
  const printed = await edit(...masks, "-o", out);
  expect(printed).toContain(`source-mask ${at("work", "left.png")}, target-mask ${at("work", "top.png")}`);
  const { settings } = await readRecord(out);
  const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/);
  expect(settings).toMatchObject({
    sourceMask: { path: at("work", "left.png"), sha256 },
    targetMask: { path: at("work", "top.png"), sha256 },
  });
  await edit("-o", at("work", "plain.png"));
  expect(readFileSync(out)).not.toEqual(readFileSync(at("work", "plain.png")));

  const before = process.cwd();
  process.chdir(at("work"));
  try {
    const relative = ["--source-mask", "left.png", "--target-mask", "top.png", "-o", "relative.png"];
    await inProcess(
      ...["edit", "photo.png", "a dog lying down", "--method", "masactrl", "--model", fixturePath("tiny-sd1")],
      ...["--size", "64", "--threads", "1", "--steps", "3", "--step", "1", ...relative],
    );
  } finally {
    process.chdir(before);
  }
  renameSync(at("work"), at("moved"));
  await inProcess("edit", "--like", at("moved", "relative.png"), "-o", at("moved", "again.png"));
  // The records differ: "again" was made with absolute paths.
  expect(await decodeImage(at("moved", "again.png"))).toEqual(await decodeImage(at("moved", "relative.png")));
  writeFileSync(at("moved", "left.png"), await encodePng(half((x) => x < 16)));
  const changed = await inProcess(
    ...["edit", "--like", at("moved", "relative.png"), "--json", "-o", at("moved", "changed.png")],
  );
  expect(JSON.parse(changed).warnings).toContainEqual(expect.stringMatching(/left\.png has changed since/));
  renameSync(at("moved"), at("work"));
});

test("an output must not replace a mask", async () => {
  const mask = at("work", "top.png");
  await expect(edit("--source-mask", mask, "--target-mask", mask, "-o", mask)).rejects.toThrow(
    /--out: .*top\.png would replace .*top\.png, which is read/,
  );
});
