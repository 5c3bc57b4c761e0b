// A report such as a run makes, with invented figures, and its pictures from the Menagerie.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Random } from "../../../src/core/index.ts";
import type { Block, Figure, GalleryRow, Report, Section } from "../../../src/experiments/index.ts";
import { encodePng } from "../../../src/image/node/index.ts";
import { PAIR_KINDS, render, tuningPairs } from "../../../src/world/index.ts";

const methods = ["baret", "direct", "null-text", "masactrl", "sine", "sdedit"] as const;

/** A pair of each kind, then others. */
const pairsOf = (count: number) => {
  const all = tuningPairs();
  const first = PAIR_KINDS.flatMap((kind) => all.find((pair) => pair.kind === kind) ?? []);
  return [...first, ...all.filter((pair) => !first.includes(pair))].slice(0, count);
};

/** Draws the pictures of `sampleReport(count)`. The one of its failed edit is missing, as in a run. */
export async function drawSample(folder: string, count: number, size = 96): Promise<void> {
  for (const { name, before, after } of pairsOf(count)) {
    const [photo, truth] = [render(before, size), render(after, size)];
    const other = render({ ...after, viewSeed: before.viewSeed + 1 }, size);
    const pictures = { [`cases/${name}/photo.png`]: photo, [`cases/${name}/truth.png`]: truth };
    for (const method of methods) pictures[`edits/${name}/${method}-0.png`] = method === "baret" ? truth : other;
    for (const [file, picture] of Object.entries(pictures)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), await encodePng(picture));
    }
  }
}

function gallery(count: number, caption: string): Block {
  const rows = pairsOf(count).map(({ name, kind, target }, k): GalleryRow => {
    const edits = methods.map((method) => {
      const failed = k === 1 && method === "sine";
      return {
        role: "edit" as const,
        method,
        label: method,
        file: failed ? undefined : `edits/${name}/${method}-0.png`,
        note: failed ? "failed: the model computed NaN at step 12" : `${(24 + k).toFixed(1)} dB to the truth`,
      };
    });
    const fixed = (role: "photo" | "truth", label: string) => ({ role, label, file: `cases/${name}/${role}.png` });
    return {
      case: name,
      kind,
      title: target,
      pictures: [fixed("photo", "photo"), ...edits, fixed("truth", "true result")],
    };
  });
  return { type: "gallery", caption, rows };
}

function sections(count: number): Section[] {
  const random = new Random(5);
  const figure = (value: number, spread: number, unit = "", digits = 1, n = 50): Figure =>
    n < 10 ? { value, n, unit, digits } : { value, low: value - spread, high: value + spread, n, unit, digits };
  const paper = "Invented for a test.";
  return [
    {
      name: "table1",
      title: "Time of preparing and editing",
      paper:
        "BARET prepares a photo in 16 s, null-text inversion in about a minute, both on an A100. Only null-text inversion makes no non-rigid edit.",
      measured: "The order is the same. Figures of this sample are invented.",
      agreement: "agrees",
      command: "npx baret experiments table1 --limit 50",
      blocks: [
        {
          type: "table",
          caption: "Seconds and predictions of the U-Net for each method",
          columns: ["method", "prepare", "edit", "predictions", "poses done", "several changes done"],
          rows: methods.map((method, k) => ({
            method,
            cells: [
              method,
              method === "sdedit" ? "–" : figure(4 + 3 * k, 0.4, "s"),
              figure(1.2 + k / 5, 0.1, "s"),
              figure(100 + 50 * k, 0, "", 0),
              figure(90 - 9 * k, 8, "%", 0, 36),
              figure(80 - 7 * k, 0, "%", 0, 6),
            ],
          })),
        },
      ],
    },
    {
      name: "fig6",
      title: "Methods side by side",
      paper,
      measured: "What a reader sees in the pictures below.",
      agreement: "partly agrees",
      command: "npx baret experiments fig6",
      blocks: [
        gallery(Math.min(count, 7), "An edit of each kind by each method"),
        { type: "text", text: "The sine edit of one case failed, and is left out of all figures." },
      ],
    },
    {
      name: "fig7",
      title: "Convergence of the two inversions",
      paper,
      measured: "Both converge.",
      agreement: "differs",
      command: "npx baret experiments fig7",
      blocks: [
        {
          type: "chart",
          caption: "Loss against iterations",
          mark: "line",
          x: { label: "iterations" },
          y: { label: "loss", isLogarithmic: true },
          series: ["baret", "null-text"].map((method, k) => ({
            name: k === 0 ? "target-text inversion" : "null-text inversion",
            method,
            points: Array.from({ length: 80 }, (_, i) => {
              const y = (0.02 / (1 + i / (6 + 14 * k))) * random.between(0.95, 1.05);
              return { x: 5 * i, y, low: y * 0.8, high: y * 1.25, n: 50 };
            }),
          })),
        },
      ],
    },
    {
      name: "fig8",
      title: "Objective scores of all methods",
      paper,
      measured: "The order of the first two is the same.",
      agreement: "cannot be told",
      command: "npx baret experiments fig8",
      blocks: [
        {
          type: "chart",
          caption: "Kept content and likeness to the prompt, with 95 % bootstrap intervals",
          mark: "scatter",
          x: { label: "1 − distance to the photo" },
          y: { label: "CLIPScore" },
          series: methods.map((method, k) => {
            const y = 0.73 - 0.02 * k;
            return {
              name: method,
              method,
              points: [
                {
                  x: 0.6 + 0.03 * ((k * 2) % 5),
                  y,
                  low: y - 0.01,
                  high: y + 0.012,
                  n: 50,
                  label: method,
                  isMarked: k === 0,
                },
              ],
            };
          }),
        },
        {
          type: "chart",
          caption: "Share of pairs done, by kind of edit",
          mark: "bar",
          x: { label: "kind of edit", ticks: PAIR_KINDS },
          y: { label: "done, %" },
          series: methods.slice(0, 3).map((method, k) => ({
            name: method,
            method,
            points: PAIR_KINDS.map((_, x) => {
              const y = Math.max(4, 95 - 12 * k - 5 * x);
              return { x, y, low: Math.max(0, y - 9), high: Math.min(100, y + 7), n: 12 };
            }),
          })),
        },
      ],
    },
    {
      name: "truth",
      title: "All methods on pairs with known results",
      paper: "No such figure.",
      measured: "BARET's edits are nearest to the true results.",
      agreement: "cannot be told",
      command: "npx baret experiments truth",
      blocks: [
        {
          type: "table",
          caption: "PSNR to the true result, by kind of edit",
          columns: ["kind", ...methods],
          rows: PAIR_KINDS.map((kind, r) => ({
            kind,
            cells: [
              kind,
              ...methods.map(
                (_, k): Figure =>
                  kind === "style" && k === 4
                    ? { n: 0, digits: 1 }
                    : figure(26 - k - r / 3, 0.8, "dB", 1, r === 3 ? 4 : 12),
              ),
            ],
          })),
        },
        gallery(count, "All pairs"),
      ],
    },
  ];
}

/** A report of `count` cases, at most 60. */
export const sampleReport = (count: number): Report => ({
  title: "Experiments of the BARET paper on the Menagerie",
  facts: {
    model: "menagerie (sha256 0123456789ab)",
    cases: `${count} tuning pairs`,
    seed: "0",
    machine: "2 cores, x86-64",
    versions: "baret 0.1.0, onnxruntime 1.30.0",
  },
  times: { date: "2026-11-28", "time of the run": "14 min 3 s" },
  sections: sections(count),
});
