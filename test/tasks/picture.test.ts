import { mkdirSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { expect, test } from "vitest";
import { ImageError } from "../../src/core/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { readRecord, writePicture } from "../../src/tasks/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";

const at = temporaryFolder();
const folder = at();
writeFileSync(at("photo.png"), "");

test("paths in a record are relative to the picture's folder, and are found from any working folder", async () => {
  const home = process.cwd();
  mkdirSync(at("pictures/deep"), { recursive: true });
  const model = { name: relative(folder, fixturePath("tiny-sd1")), sha256: "m" };
  const made = {
    command: "edit",
    version: "1",
    engine: { device: "cpu", threads: 1, precision: "float32", linear: "float32" },
    settings: {},
  };
  try {
    process.chdir(folder);
    const written = { ...made, model, photo: { path: "photo.png", sha256: "p" } };
    await writePicture("pictures/out.png", smoothPicture(1), written);
    await writePicture("named.png", smoothPicture(1), { ...made, model: { name: "menagerie", sha256: "m" } });
    await writePicture("pictures/moved.png", smoothPicture(1), { ...written, photo: { path: "pictures/gone.png", sha256: "p" } }); // biome-ignore format: one call
    process.chdir(at("pictures/deep"));
    expect(await readRecord("../out.png")).toEqual({
      ...made,
      model: { name: relative(process.cwd(), fixturePath("tiny-sd1")), sha256: "m" },
      photo: { path: "../../photo.png", sha256: "p" },
    });
    expect((await readRecord("../../named.png")).model.name).toBe("menagerie");
    writeFileSync("gone.png", "");
    expect((await readRecord("../moved.png")).photo?.path).toBe("gone.png");
  } finally {
    process.chdir(home);
  }
});

const png = async (name: string, settings: string): Promise<string> => {
  writeFileSync(at(name), await encodePng(smoothPicture(1), { baret: settings }));
  return at(name);
};
test("a picture without a record is refused in words that need no knowledge of records", async () => {
  writeFileSync(at("plain.png"), await encodePng(smoothPicture(1)));
  await expect(readRecord(at("plain.png"))).rejects.toThrow(
    /plain\.png: has no record of its settings\.\nGive a picture that baret wrote and that no other program has changed\.$/,
  );
});

test.each([
  ["deep nesting", `{"settings":${"[".repeat(1e5)}${"]".repeat(1e5)}}`, /nested too deeply: found 33 levels/],
  ["an object for a text", '{"command":{"toString":1}}', /\n {2}command: found {"toString":1}, expected string/],
  ["no settings", "[]", /\n {2}baret: found \[\], expected object/],
  ["text that is not JSON", "{", /not JSON/],
  ["a key twice", '{"command":"edit","command":"edit"}', /names a key twice: "command"/],
])("a record with %s is refused", async (name, settings, reason) => {
  const read = readRecord(await png(`${name}.png`, settings));
  await expect(read).rejects.toThrow(ImageError);
  await expect(read).rejects.toThrow(`${name}.png: has no record of its settings`);
  await expect(read).rejects.toThrow(reason);
});
