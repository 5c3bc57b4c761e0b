import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isComplete } from "../../src/editing/index.ts";
import { readPrepared } from "../../src/editing/node/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { Workplace } from "../support/cli.ts";
import { fixturePath } from "../support/files.ts";

const here = new Workplace();
afterAll(here.remove);
const tiny = ["--model", fixturePath("tiny-sd1"), "--size", "64", "--threads", "1"];
const invert = ["invert", "photo.png", "a dog lying down", ...tiny];
const short = [...invert, "--steps", "2", "--preset", "fast"];

beforeAll(async () => {
  writeFileSync(here.path("photo.png"), await encodePng(smoothPicture(1)));
});

test("an inversion that is stopped by Ctrl-C and then killed resumes to the same bytes", async () => {
  const long = [...invert, "--steps", "12", "--iterations", "2"];
  const whole = await here.baret([...long, "-o", "whole.safetensors"]);
  expect(whole).toMatchObject({ code: 0, stdout: expect.stringMatching(/^whole\.safetensors {2}\d+ iterations$/m) });

  const stopped = await here.baret([...long, "-o", "parts.safetensors"], { interruptAt: /^invert 7\/12/m });
  expect(stopped).toMatchObject({
    code: 130,
    stdout: expect.stringContaining("parts.safetensors. Run the same command again to resume."),
  });
  expect(stopped.afterInterrupt).toBeLessThan(1000);
  expect((await readPrepared(here.path("parts.safetensors"))).progress.done).toBeGreaterThanOrEqual(6);

  const killed = await here.baret([...long, "-o", "parts.safetensors"], {
    interruptAt: /^tune 5\/12/m,
    interruptWith: "SIGKILL",
  });
  expect(killed).toMatchObject({ code: null, signal: "SIGKILL" });
  const half = await readPrepared(here.path("parts.safetensors"));
  expect(half.progress.done).toBeGreaterThanOrEqual(12 + 4);
  expect(isComplete(half)).toBe(false);
  const refused = await here.inProcess(["edit", "parts.safetensors", ...tiny.slice(0, 2)]);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("parts.safetensors: not finished") });

  const rest = await here.baret([...long, "-o", "parts.safetensors"]);
  expect(rest.code).toBe(0);
  expect(rest.stderr).not.toMatch(/^invert \d/m);
  expect(readFileSync(here.path("parts.safetensors"))).toEqual(readFileSync(here.path("whole.safetensors")));
  // A finished inversion is not computed again.
  const again = await here.baret([...long, "-o", "whole.safetensors"]);
  expect(again).toMatchObject({ code: 0, stderr: expect.not.stringMatching(/^(invert|tune) /m) });
});

test("the default output is named after the photo, and the JSON has file, settings and quality", async () => {
  const made = await here.inProcess([...short, "--iterations", "0", "--json", "--quiet"]);
  expect(made.code).toBe(0);
  expect(JSON.parse(made.stdout)).toMatchObject({
    command: "invert",
    file: "photo.inversion.safetensors",
    prompt: "a dog lying down",
    iterations: 0,
    // The threshold is that of the preset.
    settings: { steps: 2, iterations: 0, threshold: [1e-4, 1e-4], size: "64x64" },
    quality: { inversion: expect.any(Number), vae: expect.any(Number), photo: expect.any(Number) },
    // A row for each of two steps of inversion, and two for each step of the reconstruction.
    estimate: {
      seconds: [expect.any(Number), expect.any(Number)],
      memory: expect.any(Number),
      computed: { evaluations: 6, gradients: 0 },
    },
  });
});

test("a file of another prepared photo is left unchanged, and the error lists every difference", async () => {
  const before = readFileSync(here.path("photo.inversion.safetensors"));
  const made = await here.inProcess([...short, "--iterations", "1", "--guidance", "3"]);
  expect(made.code).toBe(1);
  expect(made.stderr).toMatch(/found guidance 7\.5; iterations 0, expected guidance 3; iterations 1/);
  expect(readFileSync(here.path("photo.inversion.safetensors"))).toEqual(before);
});

test("a full disk is an error and leaves no partial file", async () => {
  const made = await here.baret([...invert, "--steps", "3", "-o", "full.safetensors"], { fileLimit: 8 });
  expect(made.code).toBe(1);
  expect(made.stderr).toContain("full.safetensors: cannot be written: the file system does not allow a file");
  expect(existsSync(here.path("full.safetensors"))).toBe(false);
  expect(readdirSync(here.folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});
