import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkOutputs, outputName } from "../../src/cli/outputs.ts";
import { StorageError, UsageError } from "../../src/core/index.ts";
import { temporaryFolder } from "../support/files.ts";

const at = temporaryFolder();
writeFileSync(at("photo.png"), "");
symlinkSync(at("photo.png"), at("link.png"));
symlinkSync(at(), at("here"));
const out = (path: string, option = "--out") => ({ option, path });

test("outputs that would replace an input or each other are refused at once, through links too", async () => {
  const outputs = [
    out(at("photo.png")),
    out(at("link.png"), "--preview"),
    out(join(at("here"), "photo.png")),
    out(at("new.png")),
    out(join(at("here"), "new.png"), "--preview"),
    out(at("other.png")),
  ];
  const refused = checkOutputs(outputs, [at("photo.png")]);
  await expect(refused).rejects.toThrow(UsageError);
  for (const line of [
    `--out: ${at("photo.png")} would replace ${at("photo.png")}, which is read`,
    `--preview: ${at("link.png")} would replace ${at("photo.png")}, which is read`,
    `--out: ${at("here/photo.png")} would replace ${at("photo.png")}, which is read`,
    `--preview: ${at("here/new.png")} would replace what --out writes`,
  ]) {
    await expect(refused).rejects.toThrow(line);
  }
  await expect(refused).rejects.not.toThrow("other.png");
  await expect(checkOutputs([out(at("photo.png"))], [at("here/link.png")])).rejects.toThrow(/would replace/);
});

test("new files and files that are not read can be written; files in a missing folder cannot", async () => {
  writeFileSync(at("old.png"), "");
  await checkOutputs([out(at("old.png")), out(at("fresh.png"))], [at("photo.png"), at("missing.png")]);
  await expect(checkOutputs([out(at("none/a.png"))], [])).rejects.toThrow(StorageError);
});

test("outputs are named by a pattern, or numbered if there are several", () => {
  const pair = { source: "photos/My dog.JPG", prompt: "A dog, lying down!" };
  expect(outputName("o/{photo}-{prompt}.png", pair, 0, 1)).toBe("o/My dog-a-dog-lying-down.png");
  expect(outputName("{index}.png", pair, 4, 9)).toBe("5.png");
  expect(outputName("out.png", pair, 1, 3)).toBe("out-2.png");
  expect(outputName("out.png", pair, 0, 1)).toBe("out.png");
  expect(outputName("{prompt}.png", { ...pair, prompt: "../../?" }, 0, 1)).toBe("edit.png");
});
