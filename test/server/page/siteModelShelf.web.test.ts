import { expect, test } from "vitest";
import type { Progress } from "../../../src/core/index.ts";
import type { LoadedModel, LoadWork } from "../../../src/server/page/index.ts";
import { type ModelToOpen, SiteModelShelf } from "../../../src/server/web/models.ts";

const chosen = {
  runsOf: () => ({ device: "cpu", precision: "float32" }),
  checkpoint: async () => undefined,
};
const pieces = { bytesOf: () => 0 };

test("programs that are read again for a later job tell that job, not the one for which the model was opened", async () => {
  let told: LoadWork["onProgress"] | undefined;
  const open = async (_: ModelToOpen, { onProgress }: LoadWork) => {
    told = onProgress;
    return { model: {} } as LoadedModel;
  };
  const shelf = new SiteModelShelf({ version: "1", models: [] }, pieces as never, chosen as never, open);
  const heard: Progress[][] = [[], []];
  const work = (job: number): LoadWork => ({
    readPicture: async () => new Uint8Array(),
    onProgress: (progress) => void heard[job].push(progress),
    signal: new AbortController().signal,
  });
  const reading = (done: number): Progress => ({ phase: "read weights", done, total: 2, unit: "bytes" });
  await shelf.load("mine", work(0));
  told!(reading(1));
  await shelf.load("mine", work(1));
  told!(reading(2));
  expect(heard).toEqual([[reading(1)], [reading(2)]]);
});
