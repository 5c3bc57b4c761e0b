import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Figure, Gallery, Report, Table } from "../../src/experiments/index.ts";
import { input } from "../../src/graph/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { lpips, lpipsNets } from "../../src/models/index.ts";
import { plain, writeFiles } from "../experiments/cases/files.ts";
import { drawnFile } from "../metrics/drawn.ts";
import { smoothPicture } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";

// Experiments on each layout of cases, with tiny networks in place of the real ones.

const at = temporaryFolder();
const judge = fixturePath("judge-tiny");
const quick = ["--model", fixturePath("tiny-sd1"), "--size", "64", "--threads", "1", "--set", "steps=2", "--json"];
const status = process.exitCode;

interface Ran {
  readonly jobs: number;
  readonly failed: number;
  readonly report: Report;
}
const run = async (...args: string[]): Promise<Ran> => JSON.parse(await inProcess("experiments", ...args, ...quick));
const tablesOf = ({ report }: Ran): Table[] =>
  report.sections[0].blocks.filter((block): block is Table => block.type === "table");
const cell = ({ columns, rows }: Table, row: string, column: string): string | Figure =>
  rows.find(({ cells }) => cells[0] === row)!.cells[columns.indexOf(column)];

beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", at("cache"));
  const item = (name: string, type: string, mask: readonly number[]) => ({
    image_path: `${name}.png`,
    original_prompt: "a [standing] dog",
    editing_prompt: "a [lying] dog",
    editing_instruction: "",
    editing_type_id: type,
    blended_word: "",
    mask,
  });
  await writeFiles(at("pie"), {
    // The upper half is edited; all is, so that nothing is kept.
    "mapping_file.json": { first: item("one", "5", [0, 512 * 256]), second: item("two", "9", [0, 512 * 512]) },
    "annotation_images/one.png": plain(512, 512, 90),
    "annotation_images/two.png": plain(512, 512, 160),
  });
  await writeFiles(at("ted"), {
    "input_list.json": ["lying down", "with a hat"].map((text) => ({
      img_name: "dog.png",
      target_text: `a dog ${text}`,
    })),
    "captions.json": { "dog.png": "a dog" },
    "originals/dog.png": smoothPicture(1),
  });
});
afterEach(() => {
  process.exitCode = status;
});
afterAll(() => void vi.unstubAllEnvs());

test("pie: PIE-Bench's table over the cases that have a value, and its networks", async () => {
  const args = ["pie", "--cases", at("pie"), "--methods", "plain", "--pie-clip", judge];
  const ran = await run(...args, "-o", at("pie-run"));
  expect(ran).toMatchObject({ jobs: 2, failed: 0 });
  const [all, ...groups] = tablesOf(ran);
  expect(all.columns).toEqual(["method", "edits", "PSNR, dB", "MSE", "SSIM", "CLIP, whole", "CLIP, edited part"]);
  for (const column of ["PSNR, dB", "MSE", "SSIM"]) expect(cell(all, "plain", column)).toMatchObject({ n: 1 });
  for (const column of ["CLIP, whole", "CLIP, edited part"]) {
    expect(cell(all, "plain", column)).toMatchObject({ n: 2, value: expect.any(Number) });
  }
  expect(groups[0].rows.map(({ cells }) => cells[0])).toEqual(["all", "pose", "style"]);
  expect(ran.report.facts["metric pie-clip-whole"]).toBe(
    "PIE-Bench: similarity of edit and target prompt by judge-tiny",
  );
  expect(readFileSync(at("pie-run", "tables", "values.csv"), "utf8")).toMatch(
    /^case,kind,edit,.*,pie-clip-edited\r\nfirst,pose,plain,/,
  );

  const some = await run(...args, "--kinds", "style", "-o", at("pie-style"));
  expect(some.jobs).toBe(1);
  expect(cell(tablesOf(some)[0], "plain", "CLIP, whole")).toEqual(cell(groups[3], "style", "plain"));
  await expect(run(...args, "--kinds", "nope", "-o", at("pie-none"))).rejects.toThrow(/nope.*pose/s);
});

test("tedbench: likeness by LPIPS and CLIPScore, and all metrics with their networks", async () => {
  const trunk = drawnFile(lpips(lpipsNets.squeeze, input("pixels", [2, 3, 64, 64])), (name) => /^features/.test(name));
  writeFileSync(at("squeeze.safetensors"), trunk);
  const networks = [
    "--lpips",
    `squeeze=${at("squeeze.safetensors")},${fixturePath("perceptual/squeeze.pth")}`,
    "--clip",
    judge,
  ];
  const args = ["tedbench", "--cases", at("ted"), "--methods", "baret,plain", ...networks];
  const ran = await run(...args, "--jobs", "2", "-o", at("ted-run"));
  expect(ran).toMatchObject({ jobs: 4, failed: 0 });
  const [means, differences, all] = tablesOf(ran);
  expect(means.columns).toEqual(["method", "edits", "kept, dB", "1 − lpips-squeeze", "clip-score-prefix"]);
  expect(cell(means, "baret", "1 − lpips-squeeze")).toMatchObject({ n: 2, value: expect.any(Number) });
  expect(cell(differences, "plain", "clip-score-prefix")).toMatchObject({ n: 2, value: expect.any(Number) });
  const scores = ["clip-cosine ↑", "clip-score ↑", "clip-cosine-prefix ↑", "clip-score-prefix ↑"];
  expect(all.columns.slice(2)).toEqual(["photo-psnr, dB ↑", "photo-ssim ↑", ...scores, "lpips-squeeze ↓"]);
  for (const column of all.columns.slice(2)) expect(cell(all, "plain", column)).toMatchObject({ n: 2 });
  expect(ran.report.facts).toMatchObject({
    "metric lpips-squeeze": "LPIPS v0.1 with squeezenet1_1, to the photo",
    "metric clip-cosine": "Cosine of edit and target prompt by judge-tiny",
    "hashes of the metrics' networks": expect.stringMatching(/^clip [\da-f]{16}, lpips-squeeze [\da-f]{16}$/),
  });
  const page = readFileSync(at("ted-run", "report.html"), "utf8");
  expect(page).toContain("LPIPS v0.1 with squeezenet1_1, to the photo");
  expect(ran.report.sections[0].command).toContain(" --jobs 2 ");
});

test("fig3: a sheet of attention maps for the reconstruction, the caption and the transition of each photo", async () => {
  const { jobs, failed, report } = await run(
    "fig3",
    "--cases",
    at("ted"),
    "--methods",
    "baret,null-text",
    "--limit",
    "1",
    "-o",
    at("maps"),
  );
  expect({ jobs, failed }).toEqual({ jobs: 1, failed: 0 });
  const { rows } = report.sections[0].blocks[0] as Gallery;
  expect(rows.map(({ title }) => title)).toEqual(["a dog with a hat"]);
  for (const { title, pictures } of rows) {
    expect(pictures.map(({ note }) => note)).toEqual([undefined, title, "a dog", title]);
    for (const { file } of pictures) expect(existsSync(at("maps", file!))).toBe(true);
  }
});

test("--tuned-limit: cases of a method that tunes weights, a quarter without it", async () => {
  // Figure 1 has BARET's edits alone, so nothing is tuned here.
  const args = ["fig1", "--cases", at("ted"), "--methods", "baret,imagic", "-o", at("tuned")];
  expect((await run(...args)).report.facts["cases of methods that tune weights"]).toBe("imagic 1");
  expect((await run(...args, "--tuned-limit", "2")).report.facts["cases of methods that tune weights"]).toBe(
    "imagic 2",
  );
});

test("--retry: what failed is done again only with it", async () => {
  const png = await encodePng(smoothPicture(2));
  await writeFiles(at("broken"), {
    "cases.json": { cases: [{ photo: "bad.png", target: "a dog" }] },
    "bad.png": png.subarray(0, png.length - 200),
  });
  const args = ["fig6", "--cases", at("broken"), "--methods", "plain", "-o", at("failed")];
  expect(await run(...args)).toMatchObject({ jobs: 1, failed: 1 });
  writeFileSync(at("broken", "bad.png"), png);
  expect(await run(...args)).toMatchObject({ jobs: 1, failed: 1 });
  expect(await run(...args, "--retry")).toMatchObject({ jobs: 1, failed: 0 });
});

test("--structure-pixels is one of two", async () => {
  const args = ["fig6", "--cases", at("ted"), "-o", at("refused"), "--dino", at("none.safetensors")];
  await expect(run(...args, "--structure-pixels", "half")).rejects.toThrow(
    /--structure-pixels.*half.*pie-bench, imagenet/s,
  );
  await expect(run(...args, "--structure-pixels", "imagenet")).rejects.toThrow(/none\.safetensors/);
});
