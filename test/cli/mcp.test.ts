import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import sharp from "sharp";
import { afterAll, afterEach, expect, test } from "vitest";
import { readRecord } from "../../src/tasks/node/index.ts";
import { Workplace } from "../support/cli.ts";

const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const example = "examples/dog.png";
const prompt = "a brown dog lying down on the grass";

const work = new Workplace();
copyFileSync(example, work.path("dog.png"));
writeFileSync(work.path("text.png"), "not a picture");
mkdirSync(work.path("allowed"));
mkdirSync(work.path("secret"));
copyFileSync(example, work.path("allowed/dog.png"));
copyFileSync(example, work.path("secret/dog.png"));
symlinkSync(work.path("secret"), work.path("allowed/way"));
symlinkSync(work.path("secret/dog.png"), work.path("allowed/link.png"));
symlinkSync(work.path("secret/new.png"), work.path("allowed/dangling.png"));
afterAll(work.remove);

const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

/** Starts `baret mcp` as assistants do, with the official client. */
async function started(...args: string[]): Promise<Client> {
  const client = new Client({ name: "test", version: "1" });
  const env = { PATH: `${process.env.PATH}`, BARET_CACHE: work.path("cache") };
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [program, "mcp", ...args], cwd: work.folder, env }),
  );
  clients.push(client);
  return client;
}

type Called = Awaited<ReturnType<Client["callTool"]>>;

const textOf = ({ content }: Called): string => content.map((part) => ("text" in part ? part.text : "")).join("\n");

const edit = (client: Client, input: Record<string, unknown>, options?: Parameters<Client["callTool"]>[1]) =>
  client.callTool({ name: "edit_image", arguments: input }, options);

/** Quick settings: SDEdit with few steps. */
const quick = { method: "sdedit", options: { steps: 4, strength: 0.5 } };

test("an assistant finds one tool, edits a photo, sees a small copy, and hears of progress", async () => {
  const client = await started();
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toEqual(["edit_image"]);
  expect(tools[0].inputSchema.required).toEqual(["photo", "prompt", "output"]);
  const messages: (string | undefined)[] = [];
  const input = { photo: "dog.png", prompt, output: "lying.png", ...quick };
  const called = await edit(client, input, { onprogress: ({ message }) => void messages.push(message) });
  expect(called.isError, textOf(called)).toBeFalsy();
  expect(called.structuredContent).toMatchObject({
    path: expect.stringMatching(/lying\.png$/),
    settings: { steps: 4 },
  });
  const [image] = called.content.filter((part) => part.type === "image");
  const { width, format } = await sharp(Buffer.from(image.data, "base64")).metadata();
  expect({ width, format }).toEqual({ width: 128, format: "webp" });
  expect((await readRecord(work.path("lying.png"))).settings).toMatchObject({
    target: prompt,
    method: "sdedit",
    strength: 0.5,
  });
  expect(messages.length).toBeGreaterThan(0);
  expect(messages[0]).toMatch(/^\w+: \d+ of \d+$/);

  // The model is loaded: the second edit makes the picture that the command line makes.
  const same = await work.inProcess([
    "edit",
    "dog.png",
    prompt,
    "--method",
    "sdedit",
    "--steps",
    "4",
    "--strength",
    "0.5",
    "-o",
    "cli.png",
  ]);
  expect(same.code, same.stderr).toBe(0);
  const pixels = (name: string) =>
    sharp(readFileSync(work.path(name)))
      .raw()
      .toBuffer();
  expect(await pixels("lying.png")).toEqual(await pixels("cli.png"));
});

test("mistakes are errors of the tool that say what to do, and no file is made or replaced", async () => {
  const client = await started();
  const before = readdirSync(work.folder);
  const refused = async (input: Record<string, unknown>): Promise<string> => {
    const called = await edit(client, { photo: "dog.png", prompt, output: "new.png", ...input });
    expect(called.isError).toBe(true);
    return textOf(called);
  };
  expect(await refused({ photo: "cat.png" })).toContain("there is no such file");
  expect(await refused({ photo: "text.png" })).toContain("ImageError");
  expect(await refused({ output: "dog.png" })).toContain("Files are never replaced");
  expect(await refused({ output: "new.txt" })).toContain(".png, .jpg or .webp");
  expect(await refused({ method: "magic" })).toContain("masactrl");
  expect(await refused({ keep: 2 })).toContain("0..1");
  expect(await refused({ method: "direct" })).toContain("caption");
  expect(await refused({ options: { stepz: 3 } })).toContain("stepz");
  expect(await refused({ method: "sdedit", options: { steps: -1 } })).toContain("steps");
  expect(readdirSync(work.folder)).toEqual(before);
});

test("nothing outside the allowed folders is read, written or told of, by no path and no link", async () => {
  const client = await started("--folder", "allowed");
  const refusal = "not in a folder that this server may use";
  for (const photo of [
    "../dog.png",
    work.path("dog.png"),
    "way/dog.png",
    "link.png",
    "/etc/passwd",
    "../none.png",
    "way/none.png",
    "../allowed/../dog.png",
  ]) {
    const called = await edit(client, { photo, prompt, output: "x.png" });
    expect(called.isError).toBe(true);
    expect(textOf(called), photo).toContain(refusal);
  }
  for (const output of ["../x.png", work.path("x.png"), "way/x.png", "../secret/x.png"]) {
    expect(textOf(await edit(client, { photo: "dog.png", prompt, output })), output).toContain(refusal);
  }
  expect(textOf(await edit(client, { photo: "dog.png", prompt, output: "dangling.png" }))).toContain("never replaced");
  expect(readdirSync(work.path("secret"))).toEqual(["dog.png"]);
  const called = await edit(client, { photo: "dog.png", prompt, output: "made.png", ...quick });
  expect(called.isError, textOf(called)).toBeFalsy();
  expect(existsSync(work.path("allowed/made.png"))).toBe(true);
});

test("a cancelled edit ends and writes nothing; the next one runs", async () => {
  const client = await started();
  const left = new AbortController();
  const input = { photo: "dog.png", prompt, output: "cancelled.png", options: { steps: 50 } };
  const editing = edit(client, input, { signal: left.signal, onprogress: () => left.abort() });
  await expect(editing).rejects.toThrow();
  const next = await edit(client, { photo: "dog.png", prompt, output: "next.png", ...quick });
  expect(next.isError, textOf(next)).toBeFalsy();
  expect(existsSync(work.path("cancelled.png"))).toBe(false);
});

test("the server ends when its standard input is closed", async () => {
  const ended = await work.baret(["mcp"]);
  expect(ended).toMatchObject({ code: 0, stdout: "", stderr: "" });
  const wrong = await work.baret(["mcp", "--folder", "none"]);
  expect(wrong.code).not.toBe(0);
  expect(wrong.stderr).toContain("--folder none");
});
