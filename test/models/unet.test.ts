import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { Tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import {
  type AttentionControl,
  attentionSites,
  chooseSites,
  collecting,
  observed,
  type ProjectionName,
  plainAttention,
  readUNetConfig,
  routed,
  routeInput,
  timeShape,
  timestepSinusoids,
  unet,
} from "../../src/models/index.ts";
import { type Feeds, fixture, relativeError, run } from "../support/run.ts";

// Made by tools/parity/unets.py; see tools/parity/README.md.
const folders = ["tiny-sd1/unet", "tiny-sd2/unet", "unet-bk-small", "unet-bk-tiny", "unet-menagerie"];
const at = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);

const models = await Promise.all(
  folders.map(async (name) => ({
    name,
    config: readUNetConfig(JSON.parse(readFileSync(at(`${name}/config.json`), "utf8"))),
    weights: await fixture(at(`${name}/diffusion_pytorch_model.safetensors`)),
    reference: await fixture(at(`${name}/reference.safetensors`)),
  })),
);
type Model = (typeof models)[number];

/** Builds the U-Net over given inputs. batch: "B", or that of the inputs. */
function build({ config, reference }: Model, prefix: string, control?: AttentionControl, batch?: number) {
  const sample = reference[`${prefix}sample`] as Tensor;
  const context = (reference[`${prefix}encoder_hidden_states`] ?? reference.encoder_hidden_states) as Tensor;
  const b = batch ?? "B";
  const inputs = {
    sample: g.input("sample", [b, ...sample.shape.slice(1)]),
    time: g.input("time", timeShape(config, b)),
    context: g.input("context", [b, ...context.shape.slice(1)]),
  };
  const { data } = reference[`${prefix}timestep`] ?? reference.timestep;
  const feeds: Feeds = { sample, time: timestepSinusoids(config, [...data]), context };
  return { inputs, feeds, eps: unet(config, inputs, control) };
}

/** The loss of inversion by optimisation: mean((a·z + b·(e_u + w·(eps − e_u)) − target)²). */
function inversionLoss(eps: g.Node, sample: g.Node, shape: g.Shape): g.Node {
  const scalarInput = (name: string) => g.input(name, []);
  const unconditional = g.input("eps_uncond", shape);
  const guided = g.add(unconditional, g.mul(scalarInput("w"), g.sub(eps, unconditional)));
  const next = g.add(g.mul(scalarInput("a"), sample), g.mul(scalarInput("b"), guided));
  return g.meanSquare(g.sub(next, g.input("target", shape)));
}

const projections = ["query", "key", "value"] as const satisfies readonly ProjectionName[];

/** For each row of the reference, the rows from which it takes queries, keys and values. */
const routesOf = (reference: Model["reference"]): Feeds =>
  Object.fromEntries(
    (["self", "cross"] as const).flatMap((kind) =>
      projections.map((name) => [routeInput(kind, name), reference[`routed/${kind}/${name[0]}`]]),
    ),
  );

describe.each(models)("$name", (model) => {
  const { reference, weights, config } = model;

  /** The noise prediction of the plain model. */
  let plain: Promise<Tensor>;
  beforeAll(() => {
    const { eps, feeds } = build(model, "", plainAttention);
    plain = run({ eps }, { ...feeds, ...weights }).then((result) => result.eps);
  });

  test("the noise prediction agrees with diffusers", async () => {
    expect(relativeError(await plain, reference.eps as Tensor)).toBeLessThan(1e-4);
  });

  test("it does so in plain ONNX too", async () => {
    const { eps, feeds } = build(model, "");
    const result = await run({ eps }, { ...feeds, ...weights }, { target: "onnx" });
    expect(relativeError(result.eps, reference.eps as Tensor)).toBeLessThan(1e-4);
  });

  test("a picture that is not square works", async () => {
    const { eps, feeds } = build(model, "wide/");
    const result = await run({ eps }, { ...feeds, ...weights });
    expect(relativeError(result.eps, reference["wide/eps"] as Tensor)).toBeLessThan(1e-4);
  });

  test("loss and gradient to the text embedding agree with PyTorch", async () => {
    const { eps, inputs, feeds } = build(model, "", undefined, 2);
    const loss = inversionLoss(eps, inputs.sample, inputs.sample.shape);
    const [gradient] = g.gradients(loss, [inputs.context]);
    const given = Object.fromEntries(["a", "b", "w", "eps_uncond", "target"].map((k) => [k, reference[`loss/${k}`]]));
    const result = await run({ loss, gradient }, { ...feeds, ...given, ...weights });
    expect(relativeError(result.loss, reference["loss/value"] as Tensor)).toBeLessThan(1e-4);
    expect(relativeError(result.gradient, reference["loss/grad"] as Tensor)).toBeLessThan(1e-3);
  });

  test("gradients to the weights agree with PyTorch", async () => {
    const { eps, feeds } = build(model, "", undefined, 2);
    const loss = g.meanSquare(g.sub(eps, g.input("noise", eps.shape)));
    const prefix = "weights/grad/";
    const names = Object.keys(reference)
      .filter((k) => k.startsWith(prefix))
      .map((k) => k.slice(prefix.length));
    const parameters = g.parametersOf([eps]);
    const grads = g.gradients(
      loss,
      names.map((name) => parameters.get(name)!),
    );
    const outputs = Object.fromEntries(names.map((name, i) => [`d ${name}`, grads[i]]));
    const result = await run({ loss, ...outputs }, { ...feeds, noise: reference["weights/noise"], ...weights });
    expect(names.length).toBeGreaterThan(20);
    expect(relativeError(result.loss, reference["weights/loss"] as Tensor)).toBeLessThan(1e-4);
    for (const name of names) {
      expect(relativeError(result[`d ${name}`], reference[prefix + name] as Tensor), name).toBeLessThan(1e-3);
    }
  });

  test("attention maps agree with diffusers", async () => {
    const prefix = "attention/";
    const names = Object.keys(reference)
      .filter((k) => k.startsWith(prefix))
      .map((k) => k.slice(prefix.length));
    const maps = new Map<string, g.Node>();
    const { eps, feeds } = build(model, "", observed(collecting(({ path }) => names.includes(path), maps)));
    const result = await run({ eps, ...Object.fromEntries(maps) }, { ...feeds, ...weights });
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const map = result[name];
      const [b, heads, ...rest] = map.shape;
      const expected = reference[prefix + name] as Tensor;
      expect(relativeError({ shape: [b * heads, ...rest], data: map.data }, expected), name).toBeLessThan(1e-4);
    }
  });

  test("rows that take queries, keys and values from other rows agree with the reference", async () => {
    const control = routed((site) => site.kind, projections);
    const { eps, feeds } = build(model, "routed/", control);
    const routes = routesOf(reference);
    const result = await run({ eps }, { ...feeds, ...routes, ...weights });
    expect(relativeError(result.eps, reference["routed/eps"] as Tensor)).toBeLessThan(1e-4);
  });

  test("routes at the finest level do not change the other levels", async () => {
    const control = routed((site) => (site.level === 0 ? site.kind : undefined), projections);
    const { eps, feeds } = build(model, "routed/", control);
    const routes = routesOf(reference);
    const result = await run({ eps }, { ...feeds, ...routes, ...weights });
    expect(relativeError(result.eps, reference["routed/eps_finest"] as Tensor)).toBeLessThan(1e-4);
  });

  test("rows that take from themselves change no bit", async () => {
    const through = build(
      model,
      "",
      routed(() => "all", projections),
    );
    const rows = { shape: [2], data: Int32Array.of(0, 1) };
    const routes = Object.fromEntries(projections.map((name) => [routeInput("all", name), rows]));
    const { eps } = await run({ eps: through.eps }, { ...through.feeds, ...routes, ...weights });
    expect(eps.data).toEqual((await plain).data);
  });

  test("a choice without any site is an error that lists the sites", () => {
    const sites = attentionSites(config, 8, 8, 5);
    expect(sites.filter((s) => s.kind === "self").length).toBe(sites.length / 2);
    expect(chooseSites(sites, { kind: "self", levels: [0] }, "--levels").every((s) => s.level === 0)).toBe(true);
    expect(() => chooseSites(sites, { levels: [9] }, "--levels")).toThrow(
      /--levels: there is no such attention site.*level 0/,
    );
    expect(() => chooseSites(sites, { paths: ["up_cross"] }, "--sites")).toThrow(/found up_cross/);
  });
});

describe("a U-Net's config", () => {
  const good = JSON.parse(readFileSync(at("unet-menagerie/config.json"), "utf8")) as Record<string, unknown>;

  test("with unknown fields is refused, and all of them are listed", () => {
    const bad = { ...good, class_embed_type: "timestep", flux_capacitor: 1, norm_eps: -1 };
    expect(() => readUNetConfig(bad)).toThrow(/class_embed_type[\s\S]*norm_eps|norm_eps[\s\S]*class_embed_type/);
    expect(() => readUNetConfig(bad)).toThrow(/flux_capacitor.*not understood/);
  });

  test("with lists of different lengths is refused", () => {
    expect(() => readUNetConfig({ ...good, attention_head_dim: [4, 4] })).toThrow(/attention_head_dim has 2 entries/);
  });

  test("that is not an object is refused", () => {
    for (const bad of [null, 3, "x", []]) expect(() => readUNetConfig(bad)).toThrow(/not supported/);
  });
});
