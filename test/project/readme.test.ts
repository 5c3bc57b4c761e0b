import { spawn } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { transform } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LocalHub, readFiles } from "../support/hub.ts";
import { packedWhole, root } from "../support/packed.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");
const blocks = (language: string, page: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map((match) => match[1]);

/** The commands of the README, one a line, without those that install and that run this test. */
const commands = blocks("sh", readme)
  .flatMap((block) => block.trim().split("\n"))
  .map((line) => line.replace(/^npm ci && /, ""))
  .filter((line) => line !== "npm test");

/** A copy of the built checkout with its node_modules, and a local hub whose sd1.5 is a tiny model. */
const copy = mkdtempSync(join(tmpdir(), "baret-readme-"));
let hub: LocalHub;
beforeAll(async () => {
  for (const name of [...packedWhole, "package.json", "examples"])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  // The commands run as they are written, but the model that they use makes smaller pictures, in fewer steps and iterations, and
  // does not choose its strength: test/cli/strength.test.ts has that.
  const path = join(copy, "checkpoints/menagerie/editing.json");
  const editing = JSON.parse(readFileSync(path, "utf8"));
  Object.assign(editing, { steps: 2, size: 64 });
  editing.methods.baret.prepare.iterations = 1;
  editing.methods.baret.edit.strength = "fixed";
  writeFileSync(path, JSON.stringify(editing));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  copyFileSync(join(copy, "examples/dog.png"), join(copy, "photo.jpg"));
  hub = await new LocalHub({
    "stable-diffusion-v1-5/stable-diffusion-v1-5": {
      revisions: { main: readFiles(join(root, "test/fixtures/tiny-sd1")) },
    },
  }).start();
});
afterAll(async () => {
  await hub.stop();
  rmSync(copy, { recursive: true, force: true });
});

async function run(command: string, args: readonly string[]): Promise<{ code: number | null; err: string }> {
  const env = {
    ...process.env,
    HF_ENDPOINT: hub.endpoint,
    BARET_CACHE: join(copy, "cache"),
    HF_HOME: join(copy, "hf"),
    // The first `npx baret` in a checkout would build it again, by the script "prepare".
    npm_config_ignore_scripts: "true",
  };
  const child = spawn(command, args, { cwd: copy, env, stdio: ["ignore", "ignore", "pipe"] });
  const exit = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const [err, code] = await Promise.all([text(child.stderr), exit]);
  return { code, err };
}

test("the README's commands work, in their order", { timeout: 900_000 }, async () => {
  expect(commands.length).toBeGreaterThan(8);
  for (const command of commands) {
    const { code, err } = await run("/bin/sh", ["-c", command]);
    expect(code, `${command}\n${err}`).toBe(0);
    const out = /-o (\S+)/.exec(command)?.[1];
    if (out) expect(existsSync(join(copy, out)), command).toBe(true);
  }
});

/** Blocks of other languages, or with more than "ts" after the fence, are not run. */
const programs = ["README.md", "docs/architecture.md", "docs/attention.md"].flatMap((page) =>
  blocks("ts", readFileSync(join(root, page), "utf8")).map((code, i) => ({ name: `${page}, program ${i + 1}`, code })),
);

test.each(programs)("$name works", { timeout: 300_000 }, async ({ code }) => {
  writeFileSync(join(copy, "program.mjs"), (await transform(code, { loader: "ts" })).code);
  const { code: status, err } = await run(process.execPath, ["program.mjs"]);
  expect(status, err).toBe(0);
});
