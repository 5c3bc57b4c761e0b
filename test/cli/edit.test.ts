import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { baretProgram } from "../../src/cli/program.ts";
import { runCommand } from "../../src/cli/run.ts";
import { StorageError } from "../../src/core/index.ts";
import { encodePrepared } from "../../src/editing/index.ts";
import { readPrepared } from "../../src/editing/node/index.ts";
import { readPngText, readRecord } from "../../src/image/index.ts";
import { decodeImage, decodePhoto, encodePicture, encodePng } from "../../src/image/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { asOrdinaryUser, Workplace } from "../support/cli.ts";
import { fixturePath } from "../support/files.ts";

const here = new Workplace();
afterAll(here.remove);
const tiny = ["--model", fixturePath("tiny-sd1"), "--size", "64"];
const quick = [...tiny, "--steps", "4", "--iterations", "1"];
const prompt = "a dog lying down";
const file = (name: string): Buffer => readFileSync(here.path(name));
const metadata = (name: string) => JSON.parse(readPngText(file(name)).baret);

beforeAll(async () => {
  for (const [name, seed] of [
    ["photo.png", 1],
    ["other.png", 2],
  ] as const) {
    // biome-ignore format: a list
    writeFileSync(here.path(name), await encodePng(smoothPicture(seed)));
  }
});

test("edit writes a picture whose record has every setting, and --like repeats it to the byte", async () => {
  const options = ["--alpha", "0.7:0.2", "--self-steps", "0.25:0.5", "--self-layers", "1,2", "--threads", "1", "-v"];
  const made = await here.baret(["edit", "photo.png", prompt, ...quick, ...options, "-o", "out.png"]);
  expect(made.code).toBe(0);
  expect(made.stdout).toMatch(/^photo\.png \(64x64\): a dog lying down$/m);
  expect(made.stdout).toMatch(/^ {2}alpha +0\.7:0\.2$/m);
  expect(made.stdout).toMatch(/^ {2}This takes about .*seconds? and \d+ MB of memory\.$/m);
  expect(made.stdout).toMatch(
    /^Reconstruction of photo\.png: [\d.]+ dB to the VAE's round trip; [\d.]+ dB to the photo, of at most /m,
  );
  expect(made.stdout).toMatch(/^out\.png {2}a dog lying down$/m);
  expect(made.stderr).toMatch(/^invert 4\/4$/m);
  expect(made.stderr).toMatch(/^tune 4\/4 · loss \d\.\d\de[+-]\d+$/m);
  expect(made.stderr).toMatch(/^edit 4\/4$/m);
  expect(await decodeImage(here.path("out.png"))).toMatchObject({ width: 64, height: 64 });
  expect(metadata("out.png")).toEqual({
    command: "edit",
    version: expect.stringMatching(/^\d/),
    model: { name: fixturePath("tiny-sd1"), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    engine: {
      device: "cpu",
      threads: 1,
      precision: "float32",
      linear: "float32",
      onnxruntime: expect.stringMatching(/^\d/),
    },
    photo: { path: "photo.png", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    settings: {
      method: "baret",
      target: prompt,
      size: "64x64",
      fit: "crop",
      steps: 4,
      guidance: 7.5,
      inversionGuidance: 1,
      learningRate: 1e-3,
      learningRateEnd: 1,
      iterations: 1,
      earlyStop: true,
      threshold: [1e-5, 2e-5],
      warmStart: true,
      nearestStart: false,
      resetAdam: true,
      reuse: 1,
      carry: "reconstruction",
      alpha: [0.7, 0.2],
      alphaShape: "linear",
      selfSteps: [0.25, 0.5],
      crossSteps: [0, 0.6],
      selfLayers: [1, 2],
      crossLayers: [0, 1, 2, 3],
      half: "conditional",
      replace: "qk",
      referenceLatents: false,
      blendBelow: 0,
      blendStart: 0.3,
      newNoise: 0,
      seed: 0,
      editGuidance: 7.5,
      rows: "needed",
    },
    image: "edit",
  });
  const again = await here.baret(["edit", "--like", "out.png", "-o", "again.png", "--quiet"]);
  expect(again).toMatchObject({ code: 0, stdout: `again.png  ${prompt}\n` });
  expect(file("again.png")).toEqual(file("out.png"));
});

test("options given beside --like take precedence; a picture without a record or of another command is refused", async () => {
  const made = await here.baret(["edit", "other.png", "--like", "out.png", "--alpha", "1", "-o", "rigid.png"]);
  expect(made.code).toBe(0);
  const { settings, photo } = metadata("rigid.png");
  expect(photo.path).toBe("other.png");
  expect(settings).toEqual({ ...metadata("out.png").settings, alpha: [1, 1] });
  const plain = await here.inProcess(["edit", "--like", "photo.png"]);
  expect(plain).toMatchObject({ code: 1, stderr: expect.stringContaining("photo.png: has no record of its settings") });
  const other = await here.inProcess(["generate", "--like", "out.png"]);
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining("found a picture of baret edit") });
});

test("a missing picture of --like, and one whose photo was moved, give errors with advice", async () => {
  const missing = await here.inProcess(["edit", "--like", "nothing.png"]);
  expect(missing).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("--like nothing.png: there is no such file"),
  });
  writeFileSync(here.path("here.png"), file("photo.png"));
  const made = await here.inProcess([
    "edit",
    "here.png",
    prompt,
    "--method",
    "plain",
    ...tiny,
    "--steps",
    "2",
    "-o",
    "of.png",
  ]);
  expect(made.code).toBe(0);
  renameSync(here.path("here.png"), here.path("moved.png"));
  const lost = await here.inProcess(["edit", "--like", "of.png", "-o", "again.png"]);
  expect(lost).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      "--like of.png: the photo of this picture is missing: found no file here.png.\n" +
        "If it was moved or renamed, give its path: baret edit PHOTO --like of.png\n",
    ),
  });
  const again = await here.inProcess(["edit", "moved.png", "--like", "of.png", "-o", "again.png", "--quiet"]);
  expect(again.code).toBe(0);
  expect(await decodeImage(here.path("again.png"))).toEqual(await decodeImage(here.path("of.png")));
});

test("a record of --like cannot choose a file to write, and its paths and control characters are printed visibly", async () => {
  const made = metadata("out.png");
  writeFileSync(here.path("victim.png"), "mine");
  writeFileSync(here.path("victim.safetensors"), "mine");
  const settings = {
    ...made.settings,
    target: "a dog\u001b[2J\nWarning: all is well",
    out: "victim.png",
    preview: "victim.png",
    saveInversion: "victim.safetensors",
    saveAll: true,
    json: true,
    quiet: true,
    like: "victim.png",
  };
  const baret = JSON.stringify({ ...made, settings });
  writeFileSync(here.path("forged.png"), await encodePng(smoothPicture(1), { baret }));
  const before = readdirSync(here.folder).sort();
  const again = await here.baret(["edit", "--like", "forged.png", "-o", "forged-edit.png"]);
  expect(again.code).toBe(0);
  expect(readdirSync(here.folder).sort()).toEqual([...before, "forged-edit.png"].sort());
  for (const name of ["victim.png", "victim.safetensors"]) expect(file(name).toString()).toBe("mine");
  expect(again.stdout).toContain("photo.png (64x64): a dog\\x1b[2J\\nWarning: all is well\n");
  expect(again.stdout + again.stderr).not.toContain("\u001b");
  expect(again.stderr).toContain(`forged.png was made with the model ${fixturePath("tiny-sd1")}`);
});

test.each([
  ["threads", { engine: { threads: 100_000 } }, /threads: .*100000/],
  ["steps", { settings: { steps: 1_000_000 } }, /steps: .*1000000/],
  ["size", { settings: { size: "80000x80000" } }, /size: .*80000/],
])("%s out of range in a record is refused as on the command line", async (_, forged, message) => {
  const made = metadata("out.png");
  const settings = { ...made.settings, ...("settings" in forged && forged.settings) };
  const engine = { ...made.engine, ...("engine" in forged && forged.engine) };
  const baret = JSON.stringify({ ...made, engine, settings });
  writeFileSync(here.path("large.png"), await encodePng(smoothPicture(1), { baret }));
  const { code, stderr } = await here.inProcess(["edit", "--like", "large.png", "-o", "large-edit.png"]);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(message) });
});

test("wrong settings in a record are refused, all of them at once", async () => {
  const text = { ...metadata("out.png"), settings: { alpha: { start: 1 }, steps: -3, earlyStop: "no", half: "both" } };
  writeFileSync(here.path("forged.png"), await encodePng(smoothPicture(1), { baret: JSON.stringify(text) }));
  const { code, stderr } = await here.inProcess(["edit", "photo.png", prompt, "--like", "forged.png"]);
  expect(code).toBe(2);
  for (const name of ["alpha", "steps", "early-stop"]) expect(stderr).toContain(`--${name}: `);
  expect(stderr).not.toContain("half");
});

test("two photos and two prompts make four edits, with all pictures by --save-all and one JSON object", async () => {
  const args = ["edit", "photo.png", "other.png", prompt, "a cat", ...quick, "--save-all", "--json", "--quiet"];
  const made = await here.baret([...args, "-o", "many.png", "--save-inversion", "many.safetensors"]);
  expect(made.code).toBe(0);
  const result = JSON.parse(made.stdout);
  const kinds = ["reconstruction", "initial", "transition", "sheet"];
  const expected = [
    ["photo.png", prompt],
    ["photo.png", "a cat"],
    ["other.png", prompt],
    ["other.png", "a cat"],
  ].map(([path, prompt], k) => ({
    photo: { path },
    prompt,
    files: {
      edit: `many-${k + 1}.png`,
      ...Object.fromEntries(kinds.map((kind) => [kind, `many-${k + 1}-${kind}.png`])),
    },
    quality: { inversion: expect.any(Number), vae: expect.any(Number), photo: expect.any(Number) },
  }));
  expect(result.edits).toMatchObject(expected);
  for (const { files } of result.edits)
    for (const name of Object.values(files)) expect(existsSync(here.path(`${name}`))).toBe(true);
  expect(metadata("many-2-transition.png")).toMatchObject({ image: "transition", settings: { target: "a cat" } });
  const sheet = await decodeImage(here.path("many-1-sheet.png"));
  expect(sheet.width).toBeGreaterThan(5 * 64);
  expect(result.warnings).toContainEqual(expect.stringMatching(/photo\.png is unfamiliar to this model: /));

  const reused = ["edit", "many-3.safetensors", ...tiny.slice(0, 2), "--quiet"];
  expect((await here.inProcess([...reused, "-o", "reused.png"])).code).toBe(0);
  const [a, b] = [metadata("reused.png"), metadata("many-3.png")];
  expect({ fit: "crop", ...a.settings }).toEqual(b.settings);
  expect(await decodeImage(here.path("reused.png"))).toEqual(await decodeImage(here.path("many-3.png")));
});

test("a prepared photo of a method that does not prepare with the prompt takes any prompt, one at a time", async () => {
  const sdedit = ["--method", "sdedit", "--steps", "4", ...tiny, "--quiet"];
  const invert = ["invert", "photo.png", prompt, ...sdedit, "-o", "any.safetensors"];
  expect((await here.inProcess(invert)).code).toBe(0);
  const reused = ["edit", "any.safetensors", "a cat", ...tiny.slice(0, 2), "--quiet", "-o", "any.png"];
  expect((await here.inProcess(reused)).code).toBe(0);
  expect((await here.inProcess(["edit", "photo.png", "a cat", ...sdedit, "-o", "fresh.png"])).code).toBe(0);
  expect(metadata("any.png").settings.target).toBe("a cat");
  expect(await decodeImage(here.path("any.png"))).toEqual(await decodeImage(here.path("fresh.png")));
  const both = await here.inProcess([
    "edit",
    "any.safetensors",
    "a cat",
    "a bird",
    ...tiny.slice(0, 2),
    "-o",
    "both.png",
  ]);
  expect([both.code, both.stderr]).toEqual([
    2,
    expect.stringContaining("any.safetensors: a prepared photo takes one prompt at a time: found 2 prompts"),
  ]);
});

test("a prepared photo of another model or prompt, a damaged file, and options of preparing are refused", async () => {
  writeFileSync(here.path("short.safetensors"), file("many-1.safetensors").subarray(0, 5000));
  writeFileSync(here.path("weights.safetensors"), readFileSync(`${fixturePath("tiny-sd1")}/unet/diffusion_pytorch_model.safetensors`)); // biome-ignore format: one call
  const inversion = await readPrepared(here.path("many-1.safetensors"));
  const timesteps = inversion.timesteps.map((t) => t + 1);
  writeFileSync(here.path("later.safetensors"), await encodePrepared({ ...inversion, timesteps }));
  const model = tiny.slice(0, 2);
  const cases: [string[], number, string][] = [
    [["many-1.safetensors", "--model", fixturePath("tiny-sd2")], 1, "prepared from another model"],
    [["many-1.safetensors", "--save-inversion", "copy.safetensors", ...model], 2, "--save-inversion: saves a photo that this command prepares"], // biome-ignore format: one case
    [["many-1.safetensors", "a bird", ...model], 1, `prepared from another prompt: found "${prompt}"`],
    [
      ["many-1.safetensors", "--steps", "7", "--no-early-stop", ...model],
      2,
      "--steps, --early-stop: applies to preparing a photo",
    ],
    [["later.safetensors", ...model], 1, `does not fit the model ${model[1]}\n  timesteps.0: found ${timesteps[0]}`],
    [["short.safetensors", ...model], 1, "Prepare the photo again."],
    [["weights.safetensors", ...model], 1, "a safetensors file, but not of a prepared photo"],
    [["nothing.safetensors", ...model], 1, "the file cannot be read: there is no such file or folder"],
  ];
  for (const [args, code, message] of cases) {
    const made = await here.inProcess(["edit", ...args, "-o", "refused.png"]);
    expect({ code: made.code, stderr: made.stderr }).toEqual({ code, stderr: expect.stringContaining(message) });
  }
  expect(existsSync(here.path("refused.png"))).toBe(false);
});

test("every picture of a folder is edited, each with its place in the batch; other formats give one warning", async () => {
  mkdirSync(here.path("album"));
  for (const name of ["b.png", "a.PNG", ".hidden.png"]) writeFileSync(here.path("album", name), file("photo.png"));
  for (const name of ["notes.pdf", "c.heic", "list.txt"]) writeFileSync(here.path("album", name), "not a picture");
  const plain = [...tiny, "--method", "plain", "--steps", "2"];
  const made = await here.inProcess(["edit", "album", "a drawing", ...plain, "-o", "album-{photo}.png"]);
  expect(made.code).toBe(0);
  expect(made.stdout.match(/^\[.*$/gm)).toEqual(["[1/2] album-a.png  a drawing", "[2/2] album-b.png  a drawing"]);
  expect(made.stderr.match(/^Warning: .*skipped.*$/gm)).toEqual([
    "Warning: album: skipped c.heic, notes.pdf, which are not PNG, JPEG, WebP, TIFF, AVIF or GIF",
  ]);
  expect(await decodeImage(here.path("album-b.png"))).toEqual(await decodeImage(here.path("album-a.png")));
});

test("a folder without pictures, and one without read permission, are refused", async () => {
  mkdirSync(here.path("papers"));
  writeFileSync(here.path("papers", "notes.pdf"), "%PDF-");
  const none = await here.inProcess(["edit", "papers", prompt, ...tiny]);
  expect(none).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("papers: a folder without pictures: found notes.pdf, expected PNG, JPEG"),
  });
  mkdirSync(here.path("secret"), { mode: 0o300 });
  const edit = ["edit", here.path("secret"), prompt, ...tiny, "-o", here.path("secret.png")];
  const secret = asOrdinaryUser(async () => runCommand(await baretProgram(edit), edit));
  await expect(secret).rejects.toThrow(StorageError);
  await expect(secret).rejects.toThrow(`${here.path("secret")}: the folder cannot be read: permission denied`);
});

/** Returns a PNG whose header claims another size. */
function claimedSize(width: number, height: number, png: Buffer): Buffer {
  const claimed = Buffer.from(png);
  claimed.writeUInt32BE(width, 16);
  claimed.writeUInt32BE(height, 20);
  claimed.writeUInt32BE(crc32(claimed.subarray(12, 29)), 29);
  return claimed;
}

test("photos that cannot be read are listed at once; a photo of one pixel and a prompt of 500 words give warnings", async () => {
  writeFileSync(here.path("huge.png"), claimedSize(20_000, 20_000, file("photo.png")));
  writeFileSync(here.path("notes.jpg"), "not a picture at all");
  writeFileSync(here.path("cut.png"), file("photo.png").subarray(0, 300));
  writeFileSync(here.path("dot.png"), await encodePng({ width: 1, height: 1, data: Uint8Array.of(200, 100, 50) }));
  const photos = ["huge.png", "notes.jpg", "cut.png", "none.webp", "dot.png"];
  const bad = await here.inProcess(["edit", ...photos, prompt, ...quick]);
  expect(bad.code).toBe(1);
  expect(bad.stderr).toContain("ImageError: 4 photos cannot be read");
  expect(bad.stderr).toContain("huge.png: too many pixels: found 20000x20000 = 400000000, expected at most 100000000");
  expect(bad.stderr).toContain("none.webp: cannot be read: there is no such file or folder");
  for (const name of ["notes.jpg", "cut.png"]) expect(bad.stderr).toContain(`  ${name}: `);
  const words = Array.from({ length: 500 }, (_, k) => `dog${k}`).join(" ");
  const dot = await here.inProcess(["edit", "dot.png", words, ...quick, "-o", "dot-edit.png"]);
  expect(dot.code).toBe(0);
  expect(dot.stderr).toMatch(/^Warning: dot\.png is smaller than the size to work at and was enlarged: 1x1 to 64x64$/m);
  expect(metadata("dot-edit.png").settings.target).toBe(words);
  // The words cut off are listed before the work begins.
  expect(dot.stderr.indexOf("Cut off: ")).toBeGreaterThan(0);
  expect(dot.stderr.indexOf("Cut off: ")).toBeLessThan(dot.stderr.indexOf("invert 1/4"));
});

test("a pipe or a device as photo, --like or prepared photo is refused at once", async () => {
  execFileSync("mkfifo", [here.path("pipe.png"), here.path("pipe.safetensors")]);
  symlinkSync("/dev/zero", here.path("zero.png"));
  const cases: [string[], string][] = [
    [["pipe.png", prompt], "pipe.png: cannot be read: it is a pipe, not a regular file"],
    [["zero.png", prompt], "zero.png: cannot be read: it is a device, not a regular file"],
    [["--like", "pipe.png"], "pipe.png: cannot be read: it is a pipe, not a regular file"],
    [["--like", "zero.png"], "zero.png: cannot be read: it is a device, not a regular file"],
    [["pipe.safetensors"], "pipe.safetensors: the file cannot be read: it is a pipe, not a regular file"],
  ];
  for (const [args, message] of cases) {
    const made = await here.inProcess(["edit", ...args, ...tiny.slice(0, 2), "-o", "strange.png"]);
    expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 1, stderr: expect.stringContaining(message) });
  }
  expect(existsSync(here.path("strange.png"))).toBe(false);
});

test("settings that do not fit the model are refused before any work", async () => {
  const cases: [string[], string][] = [
    [["--self-layers", "7"], "--self-layers: there is no such attention site: found level 7, expected some of"],
    [["--learning-rate", "0"], '--learning-rate: found "0"'],
    [[" "], "a prompt is empty: expected what the edited photo shows, in quotes"],
    [["--size", "60x64"], "--size: a picture's side must be a positive multiple of the VAE's factor: found 60x64"],
  ];
  for (const [args, message] of cases) {
    const made = await here.inProcess(["edit", "photo.png", "a dog", ...quick, ...args, "-o", "wrong.png"]);
    expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
    expect(made.stderr).not.toContain("invert");
  }
});

test("an output never replaces an input", async () => {
  writeFileSync(here.path("out-2.png"), file("photo.png"));
  const made = await here.inProcess([
    "edit",
    "out-2.png",
    prompt,
    "a cat",
    ...quick,
    "--save-inversion",
    "i.safetensors",
  ]);
  expect(made).toMatchObject({ code: 2, stdout: "" });
  expect(made.stderr).toContain("--out: out-2.png would replace out-2.png, which is read");
  expect(file("out-2.png")).toEqual(file("photo.png"));
});

test("outputs in a folder without write permission are refused before photo and model are opened", async () => {
  mkdirSync(here.path("closed"), { mode: 0o555 });
  const edit = ["edit", "none.png", prompt, "--model", "none"];
  const [closed, open] = [here.path("closed"), here.path("open.png")];
  for (const output of [
    ["-o", `${closed}/out.png`],
    ["-o", open, "--save-inversion", `${closed}/i.safetensors`],
    ["-o", open, "--preview", `${closed}/p.png`],
  ]) {
    await expect(
      asOrdinaryUser(async () => runCommand(await baretProgram([...edit, ...output]), [...edit, ...output])),
    ).rejects.toThrow(`${output.at(-1)}: cannot be written: permission denied`);
  }
});

test("JPEG and WebP have a record too, and --like repeats a JPEG to the byte", async () => {
  for (const out of ["made.jpg", "made.webp"]) {
    const made = await here.inProcess(["edit", "photo.png", prompt, ...quick, "--quality", "80", "-o", out]);
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining(`${out}  ${prompt}`) });
    expect(JSON.parse(readRecord(file(out)) ?? "null").settings).toMatchObject({ target: prompt });
  }
  const again = await here.inProcess(["edit", "--like", "made.jpg", "--quality", "80", "-o", "again.jpg", "--quiet"]);
  expect(again.code).toBe(0);
  expect(file("again.jpg")).toEqual(file("made.jpg"));
});

test("--fit paste and --fit whole give the photo's own size, and transparency is kept", async () => {
  const [width, height] = [160, 96];
  const red = { width, height, data: Uint8Array.from({ length: 3 * width * height }, (_, k) => (k % 3 ? 30 : 200)) };
  const alpha = { width, height, data: new Uint8Array(width * height).fill(255).fill(0, 0, width) };
  writeFileSync(here.path("wide.png"), await encodePicture(red, { alpha }));
  const made = await here.inProcess(["edit", "wide.png", prompt, ...quick, "--fit", "paste", "-o", "pasted.png"]);
  expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining("pasted back into the photo") });
  const { picture, alpha: kept } = await decodePhoto(here.path("pasted.png"));
  expect([picture.width, picture.height]).toEqual([width, height]);
  expect(kept?.data).toEqual(alpha.data);
  // Below the transparent row, the pixels left of the square are unchanged.
  expect([...picture.data.subarray(3 * width, 3 * width + 6)]).toEqual([200, 30, 30, 200, 30, 30]);
  expect(metadata("pasted.png").settings.fit).toBe("paste");
  const whole = await here.inProcess(["edit", "wide.png", prompt, ...quick, "--fit", "whole", "-o", "whole.webp"]);
  expect(whole.code).toBe(0);
  expect(await decodeImage(here.path("whole.webp"))).toMatchObject({ width, height });
});

test("an edit stopped by Ctrl-C resumes, and --preview shows it while it is computed", async () => {
  const long = ["edit", "other.png", prompt, ...tiny, "--steps", "10", "--iterations", "3", "-o", "long.png"];
  const stopped = await here.baret(long, { interruptAt: /^tune 5\/10/m });
  expect(stopped).toMatchObject({ code: 130, signal: null });
  expect(stopped.afterInterrupt).toBeLessThan(1000);
  expect(stopped.stderr).toMatch(/^Stopped\.$/m);
  expect(stopped.stdout).toMatch(/^The finished steps are in the cache\. Run the same command again to resume\.$/m);
  const resumed = await here.baret([...long, "--preview", "forming.png"]);
  expect(resumed.code).toBe(0);
  expect(resumed.stderr).not.toMatch(/^invert \d/m);
  expect(Number(resumed.stderr.match(/^tune (\d+)/m)?.[1])).toBeGreaterThan(5);
  expect(await decodeImage(here.path("forming.png"))).toMatchObject({ width: 64, height: 64 });
  expect(readdirSync(here.path("cache")).filter((name) => name.startsWith("tmp."))).toEqual([]);
});
