import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { editCommand } from "../../src/cli/edit/index.ts";
import { applyLike } from "../../src/cli/like.ts";
import { Reporter } from "../../src/cli/print.ts";
import { version } from "../../src/core/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { temporaryFolder } from "../support/files.ts";

const path = temporaryFolder()("made.png");

test("the record of an older version sets options under their present names", async () => {
  const record = {
    command: "edit",
    version,
    model: { name: "menagerie", sha256: "0".repeat(64) },
    engine: { device: "cpu", threads: 1 },
    settings: { sentence: "a dog", selfLevels: [1, 2], crossLevels: [0] },
  };
  writeFileSync(path, await encodePng(smoothPicture(1), { baret: JSON.stringify(record) }));
  const command = editCommand();
  const { settings } = await applyLike(command, path, new Reporter({ quiet: true }));
  expect(settings.target).toBe("a dog");
  expect(command.opts()).toMatchObject({
    selfLayers: [1, 2],
    crossLayers: [0],
    precision: "float32",
    linear: "float32",
  });
});
