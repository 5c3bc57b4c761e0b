/** `npm run bench -- memory [--only TEXT]` compares the estimated and the measured memory of programs with random weights. */
import { noise } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { type Binding, compile, type Node, withBatch } from "../../src/graph/index.ts";
import { decode, readClipTextConfig, readUNetConfig, readVaeConfig } from "../../src/models/index.ts";
import { type Engine, estimateMemory, type LoadOptions, type Session } from "../../src/runtime/index.ts";
import { availableMemory, processTreeMemory, startEngine } from "../../src/runtime/node/index.ts";
import { tuningStep, WeightTuning } from "../../src/tuning/index.ts";
import { readOptions, text } from "../options.ts";
import { forward, lossAndGradient, menagerie, type Size, sd15, sd15Vae } from "../random/graphs.ts";
import { randomWeights } from "../random/weights.ts";

interface Case {
  name: string;
  weights: string;
  outputs: Record<string, Node>;
  batch?: number;
  load?: Pick<LoadOptions, "level" | "prepack">;
  /** Bytes of Adam's moments, which stay in the engine beside the program. */
  beside?: number;
  /** The case is a step of fine-tuning: its weights and moments stay in the engine. */
  tune?: (engine: Engine, session: Session) => Promise<void>;
}

/** Returns a step of fine-tuning a whole U-Net with AdamW, loaded as a model loads it. */
function tuning(name: string, { config, side, tokens }: Size, batch: number): Case {
  const unet = readUNetConfig(config);
  const text = readClipTextConfig({ hidden_size: unet.blocks[0].contextDim, max_position_embeddings: tokens });
  const latent = [unet.inChannels, side, side] as const;
  const options = { networks: ["unet"], batch, weightDecay: 0.01 } as const;
  const latentShape = (): [number, number, number, number] => [1, ...latent];
  const outputs = tuningStep({ unet, text, latentShape }, { width: side, height: side }, { ...options, inPlace: true });
  const parameters = g.parametersOf(Object.values(outputs));
  const beside = [...parameters.values()].reduce((sum, { shape }) => sum + 8 * g.count(shape), 0);
  const tune = async (engine: Engine, session: Session): Promise<void> => {
    const shapes = new Map([...parameters].map(([weight, { shape }]) => [weight, shape as number[]]));
    // All weights are 0: the checkpoint has none.
    const own = { name, unet, text, engine, weights: () => new Map(), weightShapes: () => shapes };
    const open = () => Promise.reject(new Error("the text encoder is not tuned"));
    const run = new WeightTuning({ ...own, programs: { open } }, session, options);
    await run.start();
    const [noisy, wanted] = [1, 2].map((seed) => noise([batch, ...latent], seed));
    const examples = { timesteps: Array<number>(batch).fill(500), noisy, wanted };
    const context = noise([1, tokens, text.width], 3);
    for (let i = 1; i <= 3; i++) await run.step(i, 1e-4, { context }, examples);
  };
  return { name, weights: "fed", outputs, load: { level: "disabled" }, beside, tune };
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
  tuning("Menagerie fine-tuning, 1 row", menagerie, 1),
  tuning("Menagerie fine-tuning, 4 rows", menagerie, 4),
  tuning("SD1.5 fine-tuning, 1 row", sd15, 1),
];

/** Runs a program three times. */
async function use(engine: Engine, session: Session, { tune, batch = 1 }: Case): Promise<void> {
  if (tune) return tune(engine, session);
  const shaped = session.inputs.map(({ name, shape }, i) => [name, noise(withBatch(shape, batch), i)] as const);
  for (let i = 0; i < 3; i++) await session.run(Object.fromEntries(shaped));
}

/** Returns the largest memory (Pss) of a process while `work` runs, measured every 25 ms. */
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

const about = "Compares the estimated and the measured memory of programs with random weights.";
const options = { only: text("TEXT", "only programs whose name contains this", "") };

export async function main(args: readonly string[]): Promise<void> {
  const { only } = readOptions("memory", about, options, args);
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
  console.log(
    "| program | estimated MB | measured MB | estimate/measured | process, operations, mapped, copied, activations, transfer |",
  );
  console.log("|---|---|---|---|---|");
  for (const one of cases.filter((c) => c.name.includes(only))) {
    const { name, weights, outputs, batch = 1, load, beside, tune } = one;
    const bind = tune ? (): Binding => "fed" : await randomWeights(weights, Object.values(outputs));
    const program = compile(outputs, { name, bind });
    const { total, ...parts } = estimateMemory(program, { batch, beside, ...load });
    const each = Object.values(parts).map(megabytes).join(", ");
    if (total > availableMemory()) {
      console.log(`| ${name} | ${megabytes(total)} | refused | – | ${each} |`);
      continue;
    }
    const engine = await startEngine();
    const peak = await highest(
      () => engine.pid,
      async () => use(engine, await engine.load(program, load), one),
    );
    await engine.close();
    console.log(`| ${name} | ${megabytes(total)} | ${megabytes(peak)} | ${(total / peak).toFixed(2)} | ${each} |`);
  }
}
