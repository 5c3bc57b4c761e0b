import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { decodePhoto } from "../../src/image/node/index.ts";
import { startServer } from "../../src/server/node/index.ts";
import { readRecord } from "../../src/tasks/node/index.ts";
import { temporaryFolder } from "../support/files.ts";

const run = promisify(execFile);
const at = temporaryFolder();
const [, section] = /^## baret's own API\n(.*?)^## /ms.exec(readFileSync("docs/server.md", "utf8"))!;
const example = (language: string): string => new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(section)![1];

test("the examples of docs/server.md for baret's own API work: curl, JavaScript", { timeout: 240_000 }, async () => {
  // The model of this package, with fewer steps than it takes by default.
  const model = at("menagerie");
  cpSync("checkpoints/menagerie", model, { recursive: true });
  const editing = JSON.parse(readFileSync(at("menagerie/editing.json"), "utf8"));
  editing.steps = 2;
  editing.methods.baret.prepare.iterations = 1;
  writeFileSync(at("menagerie/editing.json"), JSON.stringify(editing));
  const env = { ...process.env, BARET_CACHE: at("cache") };
  process.env.BARET_CACHE = env.BARET_CACHE;
  const server = await startServer({ models: [model], folder: at("server"), threads: 1 });
  try {
    await server.ready;
    const programs = [
      ["sh", "api.sh", example("sh")],
      [process.execPath, "api.mjs", example("js")],
    ];
    for (const [program, name, text] of programs) {
      const cwd = at(name.replace(".", "-"));
      mkdirSync(cwd);
      cpSync("examples", resolve(cwd, "examples"), { recursive: true });
      writeFileSync(resolve(cwd, name), text.replaceAll("http://127.0.0.1:7878", new URL(server.url).origin));
      const { stdout } = await run(program, [name], { cwd });
      if (program === "sh") expect(stdout).toContain('"state":"done"');
      const made = resolve(cwd, "lying.png");
      const { picture } = await decodePhoto(new Uint8Array(readFileSync(made)));
      expect([picture.width, picture.height]).toEqual([128, 128]);
      expect((await readRecord(made)).settings).toMatchObject({ target: "a brown dog lying down on the grass" });
    }
  } finally {
    await server.close();
    delete process.env.BARET_CACHE;
  }
});
