/**
 * Compares the engine on a full-size checkpoint with the references of tools/parity/full.py, which runs this:
 *
 *     node tools/run.mjs tools/parity/full.ts CHECKPOINT REFERENCES --cache DIR [--prediction epsilon|v_prediction]
 *
 * One line of JSON for each comparison: what, relative error, tolerance, seconds of the call.
 */
import { Command, Option } from "commander";
import type { Tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import {
  clipText,
  decode,
  encode,
  readClipTextConfig,
  readUNetConfig,
  readVaeConfig,
  timeShape,
  timestepSinusoids,
  unet,
} from "../../src/models/index.ts";
import type { Feeds } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { DiskCache, expandWeights, openLocal, openLocalFile } from "../../src/storage/node/index.ts";
import {
  type Component,
  openCheckpoint,
  type Prediction,
  predictions,
  readInts,
  readSafetensors,
  readTensor,
} from "../../src/weights/index.ts";
import { relativeError } from "./compare.ts";

/** One forward, and a gradient. */
const tolerances = { value: 1e-4, gradient: 1e-3 };
type Kind = keyof typeof tolerances;

interface Part {
  component: Component;
  outputs: Record<string, g.Node>;
  feeds: Feeds;
  kinds: Record<string, Kind>;
}

/** mean((a·z + b·(eps_u + w·(eps − eps_u)) − target)²), the loss of inversion by optimisation. */
function guidedLoss(eps: g.Node, sample: g.Node): g.Node {
  const given = (name: string, shape: g.Shape = []) => g.input(`given.${name}`, shape);
  const unconditional = given("eps_uncond", eps.shape);
  const guided = g.add(unconditional, g.mul(given("w"), g.sub(eps, unconditional)));
  const next = g.add(g.mul(given("a"), sample), g.mul(given("b"), guided));
  return g.meanSquare(g.sub(next, given("target", eps.shape)));
}

export async function main(args: string[]): Promise<void> {
  const command = new Command()
    .argument("<checkpoint>")
    .argument("<references>")
    .requiredOption("--cache <folder>")
    .addOption(new Option("--prediction <kind>").choices(predictions))
    .parse(args, { from: "user" });
  const [place, references] = command.args;
  const { cache: folder, prediction } = command.opts<{ cache: string; prediction?: Prediction }>();

  const checkpoint = await openCheckpoint(await openLocal(place), { prediction });
  const { tensors } = await readSafetensors(await openLocalFile(references));
  const reference = (name: string): Promise<Tensor> => readTensor(tensors.get(name)!);
  const feed = async (...names: string[]): Promise<Feeds> =>
    Object.fromEntries(await Promise.all(names.map(async (name) => [name, await reference(name)])));
  const input = (name: string, dtype?: g.PortDType): g.Node => g.input(name, tensors.get(name)!.shape, dtype);

  const parts: Record<string, () => Promise<Part>> = {
    unet: async () => {
      const config = readUNetConfig(checkpoint.unet.config);
      const { data: timesteps } = await reference("timestep");
      const time = g.input("time", timeShape(config, timesteps.length));
      const inputs = { sample: input("sample"), time, context: input("context") };
      const eps = unet(config, inputs);
      const loss = guidedLoss(eps, inputs.sample);
      return {
        component: checkpoint.unet,
        outputs: { eps, loss, gradient: g.gradients(loss, [inputs.context])[0] },
        feeds: {
          time: timestepSinusoids(config, [...timesteps]),
          ...(await feed("sample", "context", ...[...tensors.keys()].filter((key) => /^given\./.test(key)))),
        },
        kinds: { eps: "value", loss: "value", gradient: "gradient" },
      };
    },
    "vae encoder": async () => {
      const { mean, logVariance } = encode(readVaeConfig(checkpoint.vae.config), input("picture"));
      return {
        component: checkpoint.vae,
        outputs: { mean, logvar: logVariance },
        feeds: await feed("picture"),
        kinds: { mean: "value", logvar: "value" },
      };
    },
    "vae decoder": async () => ({
      component: checkpoint.vae,
      outputs: { decoded: decode(readVaeConfig(checkpoint.vae.config), input("latent")) },
      feeds: await feed("latent"),
      kinds: { decoded: "value" },
    }),
    "text encoder": async () => ({
      component: checkpoint.textEncoder,
      outputs: { hidden: clipText(readClipTextConfig(checkpoint.textEncoder.config), input("ids", "int64")) },
      feeds: { ids: await readInts(tensors.get("ids")!) },
      kinds: { hidden: "value" },
    }),
  };

  const cache = new DiskCache({ folder, maxBytes: 2e10 });
  const engine = await startEngine();
  for (const [name, build] of Object.entries(parts)) {
    const { component, outputs, feeds, kinds } = await build();
    const names = [...g.parametersOf(Object.values(outputs)).keys()];
    const expanded = await expandWeights(
      names.map((key) => component.weights.get(key)!),
      { cache },
    );
    const at = new Map(names.map((key, i) => [key, expanded.refs[i]]));
    const program = g.compile(outputs, {
      name,
      bind: (key) => at.get(key)!,
    });
    const session = await engine.load(program);
    const began = performance.now();
    const results = await session.run(feeds);
    const seconds = (performance.now() - began) / 1000;
    for (const [key, kind] of Object.entries(kinds)) {
      const error = relativeError(results[key], await reference(key));
      console.log(JSON.stringify({ what: `${name}: ${key}`, error, tolerance: tolerances[kind], seconds }));
    }
    await session.release();
    await expanded.release();
  }
  await engine.close();
}
