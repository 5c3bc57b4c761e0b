/** `npm run bench -- memory [--only TEXT]`: estimated and measured memory of programs, over random weights. */
import { noise } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { compile, type Node, withBatch } from "../../src/graph/index.ts";
import { decode, readVaeConfig } from "../../src/models/index.ts";
import type { Feeds, LoadOptions } from "../../src/runtime/index.ts";
import { estimateMemory, processTreeMemory, startEngine } from "../../src/runtime/node.ts";
import { readOptions, text } from "../options.ts";
import { forward, lossAndGradient, menagerie, sd15, sd15Vae } from "../random/graphs.ts";
import { randomWeights } from "../random/weights.ts";

interface Case {
  name: string;
  weights: string;
  outputs: Record<string, Node>;
  batch?: number;
  load?: Pick<LoadOptions, "level" | "prepack">;
}

const small = { level: "all", prepack: true } as const;
const decoding = { picture: decode(readVaeConfig(sd15Vae), g.input("latent", [1, 4, 64, 64])) };
const cases: Case[] = [
  { name: "Menagerie forward, 6 rows", weights: "menagerie", outputs: forward(menagerie), batch: 6, load: small },
  { name: "Menagerie forward, 6 rows, weights mapped", weights: "menagerie", outputs: forward(menagerie), batch: 6 },
  { name: "Menagerie loss and gradient", weights: "menagerie", outputs: lossAndGradient(menagerie), load: small },
  { name: "SD1.5 forward, 1 row", weights: "sd15", outputs: forward(sd15) },
  { name: "SD1.5 forward, 6 rows", weights: "sd15", outputs: forward(sd15), batch: 6 },
  { name: "SD1.5 loss and gradient, 1 row", weights: "sd15", outputs: lossAndGradient(sd15) },
  { name: "SD1.5 VAE decoding 512x512, weights mapped", weights: "sd15-vae", outputs: decoding },
  { name: "SD1.5 VAE decoding 512x512", weights: "sd15-vae", outputs: decoding, load: small },
];

/** The most memory (Pss) that a process holds while `work` runs, looked at every 25 ms. */
async function highest(pid: () => number | undefined, work: () => Promise<void>): Promise<number> {
  let peak = 0;
  const look = (): void => {
    const now = pid();
    if (now !== undefined) peak = Math.max(peak, processTreeMemory(now)!.pss);
  };
  const timer = setInterval(look, 25);
  try {
    await work();
    look();
  } finally {
    clearInterval(timer);
  }
  return peak;
}

const about = "Estimated and measured memory of programs, over random weights.";
const options = { only: text("TEXT", "only programs whose name contains this", "") };

export async function main(args: readonly string[]): Promise<void> {
  const { only } = readOptions("memory", about, options, args);
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
  console.log(
    "| program | estimated MB | measured MB | estimate/measured | process, operations, mapped, copied, activations, transfer |",
  );
  console.log("|---|---|---|---|---|");
  for (const { name, weights, outputs, batch = 1, load } of cases.filter((c) => c.name.includes(only))) {
    const program = compile(outputs, { name, bind: await randomWeights(weights, Object.values(outputs)) });
    const { total, ...parts } = estimateMemory(program, { batch, ...load });
    const feeds: Feeds = Object.fromEntries(
      program.inputs.map((input, i) => [input.name, noise(withBatch(input.shape, batch), i)]),
    );
    const engine = await startEngine();
    const peak = await highest(
      () => engine.pid,
      async () => {
        const session = await engine.load(program, load);
        for (let i = 0; i < 3; i++) await session.run(feeds);
      },
    );
    await engine.close();
    const each = Object.values(parts).map(megabytes).join(", ");
    console.log(`| ${name} | ${megabytes(total)} | ${megabytes(peak)} | ${(total / peak).toFixed(2)} | ${each} |`);
  }
}
