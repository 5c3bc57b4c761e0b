import { describe, expect, test } from "vitest";
import type { Picture } from "../../../src/core/index.ts";
import type { Report, Section } from "../../../src/experiments/index.ts";
import type { PageAssets } from "../../../src/experiments/report/page/document.ts";
import { html, scriptJson } from "../../../src/experiments/report/page/html.ts";
import type { PagePicture } from "../../../src/experiments/report/page/pictures.ts";
import { reportPage } from "../../../src/experiments/report/page/reportPage.ts";
import { gallerySheets, ROWS_ON_SHEET } from "../../../src/experiments/report/sheets.ts";
import { sampleReport } from "./sample.ts";

const asset = { text: "/* nothing */", hash: "aGFzaA==" };
const assets: PageAssets = { script: asset, style: asset };
const pictures = (report: Report): Map<string, PagePicture> =>
  new Map(
    report.sections
      .flatMap(({ blocks }) => blocks.flatMap((block) => (block.type === "gallery" ? block.rows : [])))
      .flatMap((row) => row.pictures.flatMap(({ file }) => file ?? []))
      .map((file) => [file, { uri: `data:image/webp;base64,${btoa(file)}`, width: 8, height: 8 }]),
  );
const page = (report: Report, shown = pictures(report)): string => reportPage(report, shown, assets);
const count = (text: string, part: string): number => text.split(part).length - 1;

const section = (more: Partial<Section>): Report => {
  const [first] = sampleReport(1).sections;
  return { title: "t", facts: {}, times: {}, sections: [{ ...first, blocks: [], ...more }] };
};

/** Every text of a value, replaced. */
function everyText<T>(value: T, replace: (text: string, key: string) => string, key = ""): T {
  if (typeof value === "string") return replace(value, key) as T;
  if (Array.isArray(value)) return value.map((one) => everyText(one, replace, key)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, everyText(one, replace, name)])) as T;
}

describe("hostile text", () => {
  const attack = `</script></style><img src=x onerror=alert(1)>"'><svg onload=alert(1)>&amp;`;

  test("a template escapes what is not its own, in elements and in attributes", () => {
    expect(html`<p title="${attack}">${attack}${[1, html`<br>`, undefined, false]}</p>`.text).toBe(
      `<p title="${attack.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;")}">` +
        `${html`${attack}`.text}1<br></p>`,
    );
    expect(scriptJson(JSON.stringify(attack)).text).not.toContain("<");
    expect(JSON.parse(scriptJson(JSON.stringify(attack)).text)).toBe(attack);
  });

  test("in every text of a report it adds no element, and stays the same text in the JSON", () => {
    const words = ["type", "role", "agreement", "mark"];
    const report = sampleReport(3);
    const hostile = everyText(report, (text, key) => (words.includes(key) ? text : `${text}${attack}`));
    const [plain, attacked] = [page(report), page(hostile)];
    const tags = (text: string): string[] => text.match(/<\/?[a-z][^\s>]*/g) ?? [];
    expect(tags(attacked)).toEqual(tags(plain));
    const [, json] = /<script type="application\/json" id="report">(.*?)<\/script>/s.exec(attacked)!;
    const { times: _, ...lasting } = hostile;
    expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(lasting)));
  });
});

describe("a report's page", () => {
  test("equal reports give equal bytes; another time changes one line", () => {
    const report = sampleReport(4);
    expect(page(report)).toBe(page(structuredClone(report)));
    const [lines, others] = [report, { ...report, times: { date: "other" } }].map((one) => page(one).split("\n"));
    expect(lines.filter((line, k) => line !== others[k])).toHaveLength(1);
    expect(lines).toHaveLength(others.length);
  });

  test("a picture is embedded once, however often it is shown", () => {
    const report = sampleReport(4);
    const shown = pictures(report);
    const text = page(report, shown);
    for (const { uri } of shown.values()) expect(count(text, uri)).toBe(1);
    const places = report.sections.flatMap(({ blocks }) =>
      blocks.flatMap((block) => (block.type === "gallery" ? block.rows.flatMap((row) => row.pictures) : [])),
    );
    expect(count(text, "<img ")).toBe(places.filter(({ file }) => file).length + 2);
    expect(count(text, "data-same=")).toBeGreaterThan(0);
    for (const [, id] of text.matchAll(/data-same="([^"]*)"/g)) expect(count(text, `id="${id}"`)).toBe(1);
  });

  test("two files with the same picture are embedded once, too", () => {
    const report = sampleReport(2);
    const same = new Map([...pictures(report).keys()].map((file) => [file, { uri: "data:x", width: 1, height: 1 }]));
    expect(count(page(report, same), "data:x")).toBe(1);
  });

  test("a failed edit and a picture that is not in the folder say so in their places", () => {
    const report = sampleReport(2);
    expect(count(page(report), "no picture")).toBe(2);
    expect(page(report)).toContain("failed: the model computed NaN at step 12");
    const files = pictures(report).size;
    expect(count(page(report, new Map()), "the picture is not in the folder of the run")).toBeGreaterThanOrEqual(files);
  });

  test("its policy allows its own script and style alone, and it names no other place", () => {
    const text = page(sampleReport(3));
    expect(text).toContain(
      "default-src &#39;none&#39;; script-src &#39;sha256-aGFzaA==&#39;; style-src &#39;sha256-aGFzaA==&#39;; img-src data:",
    );
    expect(text).not.toMatch(/ style="| on[a-z]+="|(?:src|href)="(?!data:|#)/);
  });

  test.each(["agrees", "partly agrees", "differs", "cannot be told", "no claim tested"] as const)(
    "%s stands in the contents and beside what was measured, with claim, result and command",
    (agreement) => {
      const text = page(section({ agreement, paper: "P claims", measured: "M found", command: "npx baret x" }));
      expect(count(text, `</span> ${agreement}</span>`)).toBe(2);
      for (const part of ["P claims", "M found", "<code>npx baret x</code>"]) expect(text).toContain(part);
    },
  );

  test("text between two backticks is code, and stays text", () => {
    const text = page(section({ paper: "see `a <b>` and `c`", measured: "one ` alone" }));
    expect(text).toContain("<p>see <code>a &lt;b&gt;</code> and <code>c</code></p>");
    expect(text).toContain("<p>one ` alone</p>");
  });

  test("every figure shows its interval and its n; a missing one shows that nothing was measured", () => {
    const figure = { value: 0.5, low: 0.25, high: 0.75, n: 12, digits: 2 };
    const rows = [{ cells: ["a", figure] }, { cells: ["b", { n: 0, digits: 1 }] }, { cells: ["c"] }];
    const text = page(section({ blocks: [{ type: "table", caption: "c", columns: ["x", "y"], rows }] }));
    expect(text).toContain("<b>0.50</b><small><span>0.25 to 0.75</span> <span>n = 12</span></small>");
    expect(text).toContain("<b>–</b><small><span>n = 0</span></small>");
    expect(text).toContain('<th scope="row"><bdi>c</bdi></th><td class="number"><bdi></bdi></td>');
  });

  test("without sections, or with empty blocks, it is still a page", () => {
    const empty: Section["blocks"] = [
      { type: "table", caption: "c", columns: [], rows: [] },
      { type: "gallery", caption: "g", rows: [] },
      { type: "chart", caption: "d", mark: "bar", x: { label: "" }, y: { label: "" }, series: [] },
    ];
    for (const report of [{ ...section({}), sections: [] }, section({ blocks: empty })]) {
      expect(page(report)).toMatch(/<\/html>\n$/);
      expect(page(report)).not.toMatch(/undefined|NaN|\[object/);
    }
  });

  test("a method has one colour in all charts, and filters name each kind and method once", () => {
    const text = page(sampleReport(2));
    const looks = [...text.matchAll(/class="(look\d)" data-method="null-text"/g)].map(([, look]) => look);
    expect(looks.length).toBeGreaterThan(4);
    expect(new Set(looks).size).toBe(1);
    expect(count(text, 'type="checkbox" name="method"')).toBe(6);
    expect(count(text, 'type="checkbox" name="kind"')).toBe(7);
  });
});

describe("sheets of pictures", () => {
  const grey: Picture = { width: 8, height: 8, data: new Uint8Array(3 * 64).fill(90) };
  const sheets = async (report: Report, read = async (): Promise<Picture | undefined> => grey) => {
    const found = [];
    for await (const sheet of gallerySheets(report, read)) found.push(sheet);
    return found;
  };
  const galleryOf = (rows: number, columns: number): Report => {
    const shown = { label: "a", role: "edit" as const, file: "a.png" };
    const row = (k: number) => ({ case: `${k}`, title: "t", pictures: Array(columns).fill(shown) });
    return section({
      name: "fig5",
      blocks: [{ type: "gallery", caption: "", rows: Array.from({ length: rows }, (_, k) => row(k)) }],
    });
  };

  test("every gallery has one; a long one has several", async () => {
    expect((await sheets(sampleReport(3))).map(({ name }) => name)).toEqual([
      "fig6-gallery-1.png",
      "truth-gallery-1.png",
    ]);
    const long = await sheets(galleryOf(ROWS_ON_SHEET + 1, 1));
    expect(long.map(({ name }) => name)).toEqual(["fig5-gallery-1-1.png", "fig5-gallery-1-2.png"]);
    expect(long[0].picture.height).toBeGreaterThan(10 * long[1].picture.height);
  });

  test("rows stay rows: a shorter row is filled with white, a missing picture is grey", async () => {
    const { sections, ...rest } = galleryOf(2, 3);
    const [{ blocks, ...only }] = sections;
    const [gallery] = blocks;
    if (gallery.type !== "gallery") throw new Error("the block is a gallery");
    const [first, second] = gallery.rows;
    const rows = [
      { ...first, pictures: first.pictures.slice(0, 1) },
      { ...second, pictures: [{ ...second.pictures[0], file: undefined }] },
      second,
    ];
    const report = { ...rest, sections: [{ ...only, blocks: [{ ...gallery, rows }] }] };
    const [{ picture }] = await sheets(report);
    expect(picture.width).toBe(3 * 256 + 4 * 8);
    const at = (x: number, y: number): number => picture.data[3 * (y * picture.width + x)];
    expect([at(100, 100), at(400, 100)]).toEqual([90, 255]);
    const below = Array.from({ length: picture.height }, (_, y) => at(100, y));
    expect(below).toContain(224);
  });

  test("galleries without pictures have no sheet", async () => {
    expect(await sheets(galleryOf(0, 0))).toEqual([]);
    expect(await sheets(galleryOf(2, 0))).toEqual([]);
  });
});

test("what each metric is stands folded beside the other facts, and nothing is folded without metrics", () => {
  const facts = { model: "menagerie", "metric lpips-alex": "LPIPS v0.1 with alexnet" };
  const folded =
    /<dl class="facts"><div><dt>model<\/dt>.*<details class="metrics"><summary>Metrics and their networks \(1\)<\/summary><dl class="facts"><div><dt>metric lpips-alex<\/dt><dd><bdi>LPIPS v0.1 with alexnet<\/bdi>/s;
  expect(page({ ...section({}), facts })).toMatch(folded);
  expect(page(section({}))).not.toContain('<details class="metrics">');
});
