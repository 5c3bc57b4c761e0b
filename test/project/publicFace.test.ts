import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  combine,
  graph,
  loadGraph,
  meanSquaredError,
  models,
  noise,
  openPredictor,
  openReconstructionLoss,
  tensor,
} from "../../src/engine.ts";
import { loadModel, type Model, type Tensor } from "../../src/index.ts";

const size = { height: 64, width: 64 };
let model: Model;
let context: Tensor;
let latent: Tensor;
let wanted: Tensor;
beforeAll(async () => {
  model = await loadModel(fileURLToPath(new URL("../fixtures/tiny-sd1", import.meta.url)), { threads: 1 });
  [{ tensor: context }] = await model.embed(["a dog lying down"]);
  latent = noise(model.latentShape(size), 1);
  wanted = noise(model.latentShape(size), 2);
});
afterAll(() => model.close());

test("every entry of the package is built from a source", () => {
  const { exports } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(Object.keys(exports)).toEqual([".", "./engine", "./wasmWorker", "./webgpuWorker"]);
  interface Entry {
    readonly default: string;
    readonly types: string;
  }
  const { "./wasmWorker": wasm, "./webgpuWorker": webgpu, ...faces } = exports;
  for (const worker of [wasm, webgpu]) {
    const source = worker.replace("./dist/", "../../src/").replace(/\.js$/, ".ts");
    expect(existsSync(new URL(source, import.meta.url))).toBe(true);
  }
  const entries = Object.values(faces as Record<string, Entry & { readonly browser: Entry }>).flatMap((entry) => {
    // A condition that comes first wins.
    expect(Object.keys(entry)[0]).toBe("browser");
    const { browser, ...node } = entry;
    return [node, browser];
  });
  for (const { default: file, types } of entries) {
    expect(types).toBe(file.replace(/\.js$/, ".d.ts"));
    const source = file.replace("./dist/", "../../src/").replace(/\.js$/, ".ts");
    expect(existsSync(new URL(source, import.meta.url))).toBe(true);
  }
});

test("the gradient of a user's own loss agrees with its finite differences", async () => {
  const program = await model.programs.open("unet", "my loss", () => {
    const c = graph.input("context", context.shape);
    const inputs = {
      sample: graph.input("sample", latent.shape),
      time: graph.input("time", models.timeShape(model.unet, 1)),
      context: c,
    };
    const eps = models.unet(model.unet, inputs);
    const loss = graph.meanSquare(graph.sub(eps, graph.input("wanted", latent.shape)));
    return { loss, gradient: graph.gradients(loss, [c])[0] };
  });
  const time = models.timestepSinusoids(model.unet, [500]);
  const { loss, gradient } = await program.run({ sample: latent, time, context, wanted });

  const predictor = await openPredictor(model, size);
  const lossAt = async (c: Tensor) => meanSquaredError(await predictor.predict([{ latent, context: c }], 500), wanted);
  expect(await lossAt(context)).toBeCloseTo(loss.data[0], 4);
  const length = Math.hypot(...gradient.data);
  const reach = 0.1 / length;
  const [ahead, behind] = await Promise.all([1, -1].map((s) => lossAt(combine(1, context, s * reach, gradient))));
  expect((ahead - behind) / (2 * reach) / length ** 2).toBeCloseTo(1, 1);

  // BARET's loss equals this one if the step is the unguided prediction itself.
  const baret = await (await openReconstructionLoss(model, size)).at(context, {
    latent,
    timestep: 500,
    fixed: tensor(latent.shape),
    coefficients: { sample: 0, output: 1 },
    guidance: 1,
    wanted,
  });
  expect(baret.loss).toBeCloseTo(loss.data[0], 5);
  expect(Math.hypot(...combine(1, baret.gradient, -1, gradient).data) / length).toBeLessThan(1e-4);
});

test("a graph without a checkpoint runs on the model's engine", async () => {
  const x = graph.input("x", [3]);
  const session = await loadGraph(
    model.engine,
    { slope: graph.gradients(graph.meanSquare(x), [x])[0] },
    { name: "x²" },
  );
  const { slope } = await session.run({ x: tensor([3], Float32Array.of(3, -6, 9)) });
  expect([...slope.data]).toEqual([2, -4, 6]);
  await session.release();
});
