import { expect, onTestFinished, test, vi } from "vitest";
import { reportWork } from "../../src/cli/workerLines.ts";
import type { Job } from "../../src/server/index.ts";

const job: Job = {
  id: "0123456789abcdef0123456789abcdef",
  request: {
    ...{ kind: "edit", photo: "0".repeat(64), target: "a dog", fit: "crop", priority: "interactive" },
    ...{ options: {}, images: ["edit"], strip: false, previews: false, model: "menagerie", method: "sdedit" },
  } as Job["request"],
  state: "failed",
  created: "2026-11-28T20:54:01.739Z",
  attempts: 3,
};

test("a line about a failed attempt promises no other one: the queue may have none left", () => {
  const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  onTestFinished(() => written.mockRestore());
  const error = { code: "storage", message: "the disk is full." };
  reportWork({ type: "failed", job, error, isRetried: true }, {});
  reportWork({ type: "failed", job, error: { code: "usage", message: "wrong." }, isRetried: false }, {});
  const lines = written.mock.calls.map(([text]) => `${text}`).join("");
  expect(lines).toMatch(/01234567 edit sdedit: failed, to be tried again if attempts are left: the disk is full\./);
  expect(lines).toMatch(/01234567 edit sdedit: failed: wrong\./);
});
