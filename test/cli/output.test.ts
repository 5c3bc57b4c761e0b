import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkOutputs, readMetadata, writePicture } from "../../src/cli/output.ts";
import { ImageError, StorageError, UsageError } from "../../src/core/index.ts";
import { encodePng } from "../../src/image/node.ts";
import { smoothPicture } from "../support/baret.ts";
import { fixtureModel } from "../support/cli.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "baret-output-")));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
writeFileSync(at("photo.png"), "");
symlinkSync(at("photo.png"), at("link.png"));
symlinkSync(folder, at("here"));
const out = (path: string, option = "--out") => ({ option, path });

test("outputs that would replace an input or each other are refused, whatever they are called, all at once", async () => {
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

test("a picture tells where its photo and its model are from its own folder, wherever it is read from", async () => {
  const home = process.cwd();
  mkdirSync(at("pictures/deep"), { recursive: true });
  const model = { name: relative(folder, fixtureModel("tiny-sd1")), sha256: "m" };
  const made = { command: "edit", version: "1", engine: { device: "cpu", threads: 1 }, settings: {} };
  try {
    process.chdir(folder);
    const written = { ...made, model, photo: { path: "photo.png", sha256: "p" } };
    await writePicture("pictures/out.png", smoothPicture(1), written);
    await writePicture("named.png", smoothPicture(1), { ...made, model: { name: "menagerie", sha256: "m" } });
    await writePicture("pictures/moved.png", smoothPicture(1), { ...written, photo: { path: "pictures/gone.png", sha256: "p" } }); // biome-ignore format: one call
    process.chdir(at("pictures/deep"));
    expect(await readMetadata("../out.png")).toEqual({
      ...made,
      model: { name: relative(process.cwd(), fixtureModel("tiny-sd1")), sha256: "m" },
      photo: { path: "../../photo.png", sha256: "p" },
    });
    expect((await readMetadata("../../named.png")).model.name).toBe("menagerie");
    writeFileSync("gone.png", "");
    expect((await readMetadata("../moved.png")).photo?.path).toBe("gone.png");
  } finally {
    process.chdir(home);
  }
});

test("outputs beside the inputs, and over files that nobody reads, are welcome; those without a folder are not", async () => {
  writeFileSync(at("old.png"), "");
  await checkOutputs([out(at("old.png")), out(at("fresh.png"))], [at("photo.png"), at("missing.png")]);
  await expect(checkOutputs([out(at("none/a.png"))], [])).rejects.toThrow(StorageError);
});

const png = async (name: string, settings: string): Promise<string> => {
  writeFileSync(at(name), await encodePng(smoothPicture(1), { baret: settings }));
  return at(name);
};
test.each([
  ["deep nesting", `{"settings":${"[".repeat(1e5)}${"]".repeat(1e5)}}`, /nested too deeply: found 33 levels/],
  ["objects for words", '{"command":{"toString":1}}', /\n {2}command: found {"toString":1}, expected string/],
  ["no settings", "[]", /\n {2}baret: found \[\], expected object/],
  ["something that is no JSON", "{", /not JSON/],
  ["a key twice", '{"command":"edit","command":"edit"}', /names a key twice: "command"/],
])("a picture that tells of %s does not tell what made it", async (name, settings, reason) => {
  const read = readMetadata(await png(`${name}.png`, settings));
  await expect(read).rejects.toThrow(ImageError);
  await expect(read).rejects.toThrow(`${name}.png: does not tell what made it`);
  await expect(read).rejects.toThrow(reason);
});
