import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { CancelledError, type Progress, StorageError } from "../../../src/core/index.ts";
import { readReport, writeReport } from "../../../src/experiments/node/index.ts";
import { pagePicture, sideOf } from "../../../src/experiments/node/report/pictures.ts";
import { decodeImage } from "../../../src/image/node/index.ts";
import { asOrdinaryUser } from "../../support/cli.ts";
import { temporaryFolder } from "../../support/files.ts";
import { drawSample, sampleReport } from "./sample.ts";

const folder = temporaryFolder();
const report = sampleReport(3);
beforeAll(() => drawSample(folder("run"), 3, 32));

/** A run with the sample's pictures. */
function run(name: string): string {
  cpSync(folder("run"), folder(name), { recursive: true });
  return folder(name);
}

describe("writing a report", () => {
  test("gives page, JSON, tables and sheets; equal reports give equal bytes", async () => {
    const [first, second] = [run("a"), run("b")];
    const seen: Progress[] = [];
    const written = await writeReport(first, report, { onProgress: (progress) => seen.push(progress) });
    await writeReport(second, report);
    expect(written.missing).toEqual([]);
    expect(written.files).toEqual(
      expect.arrayContaining(["report.html", "report.json", "tables/fig8-chart-2.csv", "sheets/fig6-gallery-1.png"]),
    );
    for (const file of written.files)
      expect(readFileSync(`${second}/${file}`), file).toEqual(readFileSync(`${first}/${file}`));
    expect(await readReport(first)).toEqual(JSON.parse(JSON.stringify(report)));
    expect((await decodeImage(`${first}/sheets/fig6-gallery-1.png`)).width).toBe(8 * 256 + 9 * 8);
    expect(seen.at(-1)).toMatchObject({ done: 23, total: 23 });
  });

  test("the page's policy has the hashes of its script and style, and neither ends its element early", () => {
    const page = readFileSync(folder("a", "report.html"), "utf8");
    for (const name of ["script", "style"]) {
      const [, text] = new RegExp(`<${name}>([^]*?)</${name}>`).exec(page)!;
      const hash = createHash("sha256").update(text).digest("base64");
      expect(page).toContain(`${name}-src &#39;sha256-${hash}&#39;`);
      expect(text).toBe(readFileSync(`dist/experiments/report/web/page.${name === "script" ? "js" : "css"}`, "utf8"));
    }
  });

  test("missing and damaged pictures are listed, and the report is still written", async () => {
    const place = run("c");
    const [lost, damaged] = [
      `edits/${report.sections[1].name === "fig6" ? "tuning-000" : ""}/baret-0.png`,
      "cases/tuning-000/photo.png",
    ];
    rmSync(`${place}/${lost}`);
    writeFileSync(`${place}/${damaged}`, "no picture");
    const { missing } = await writeReport(place, report);
    expect(missing.toSorted()).toEqual([damaged, lost].toSorted());
    expect(readFileSync(`${place}/report.html`, "utf8")).toContain("the picture is not in the folder of the run");
  });

  test("a cancelled one leaves the old report as it was", async () => {
    const place = run("d");
    writeFileSync(`${place}/report.html`, "old");
    const work = new AbortController();
    const onProgress = ({ done }: Progress): void => {
      if (done === 5) work.abort();
    };
    await expect(writeReport(place, report, { signal: work.signal, onProgress })).rejects.toThrow(CancelledError);
    expect(readFileSync(`${place}/report.html`, "utf8")).toBe("old");
    expect(readdirSync(place).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("a folder that cannot be written is refused before any picture is read", async () => {
    const place = folder("locked");
    mkdirSync(place, { mode: 0o555 });
    const seen: Progress[] = [];
    const writing = asOrdinaryUser(() => writeReport(place, report, { onProgress: (one) => seen.push(one) }));
    await expect(writing).rejects.toThrow(StorageError);
    expect(seen).toEqual([]);
  });

  test("pictures shrink to the page's size, those with words in them less, and small ones keep theirs", async () => {
    const [side, more] = [sideOf("edit"), sideOf("other")];
    expect(more).toBeGreaterThan(side);
    const grey = (width: number, height: number) => ({
      width,
      height,
      data: new Uint8Array(3 * width * height).fill(99),
    });
    expect(await pagePicture(grey(768, 512), side)).toMatchObject({ width: side, height: 256 });
    expect(await pagePicture(grey(2000, 1), more)).toMatchObject({ width: more, height: 1 });
    expect(await pagePicture(grey(128, 64), side)).toMatchObject({ width: 128, height: 64 });
  });
});

describe("reading a report", () => {
  test("works from the folder and from the file", async () => {
    expect(await readReport(folder("a", "report.json"))).toEqual(await readReport(folder("a")));
  });

  test("a missing one names the file and what to do", async () => {
    await expect(readReport(folder("nothing"))).rejects.toThrow(StorageError);
    await expect(readReport(folder("run"))).rejects.toThrow(
      /run\/report.json: cannot be read: .*\nName the folder of a run/,
    );
    expect(existsSync(folder("run", "report.json"))).toBe(false);
  });
});
