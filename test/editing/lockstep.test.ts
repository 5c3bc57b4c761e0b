import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { combine, GraphError, noise, row, type Tensor, tensor } from "../../src/core/index.ts";
import {
  applyStep,
  denoiseCoefficients,
  guide,
  type KeyMask,
  type MapMix,
  type Model,
  openPredictor,
  sample,
} from "../../src/diffusion/index.ts";
import {
  type Attention,
  conditional,
  guidedBy,
  type LockStep,
  type Process,
  planRows,
  runLockStep,
  unconditional,
} from "../../src/editing/index.ts";
import type { SiteGroup, TakenKind } from "../../src/models/index.ts";
import { tinyModel } from "../support/baret.ts";
import { relativeError } from "../support/run.ts";

const size = { width: 64, height: 64 };
const steps = 4;
const start = noise([1, 4, 8, 8], 1);
let model: Model;
let [empty, dog, cat]: Tensor[] = [];
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
  [empty, dog, cat] = (await model.embed(["", "a dog", "a cat on the grass"])).map(({ tensor }) => tensor);
});
afterAll(() => model.close());

const plain = (name: string, context: Tensor, guidance = 3): Process => ({
  name,
  start,
  terms: () => guidedBy(guidance, context, empty),
});

async function run(lockStep: Partial<LockStep> & Pick<LockStep, "processes">): Promise<Record<string, Tensor>> {
  const { groups = [], hooks } = lockStep;
  const observe = [...new Set((hooks?.observe ?? []).map(({ site }) => site))];
  const predictor = await openPredictor(model, size, { groups, observe, reusesInner: (lockStep.reuse ?? 1) > 1 });
  const wanted = lockStep.wanted ?? lockStep.processes.map(({ name }) => name);
  const { latents } = await runLockStep(() => predictor, model.schedule(steps), { ...lockStep, wanted });
  return Object.fromEntries(latents);
}

const group = (kind: "self" | "cross", takes: TakenKind): SiteGroup => ({
  name: kind,
  sites: model
    .attentionSites(size)
    .filter((site) => site.kind === kind)
    .map(({ path }) => path),
  takes,
});

describe("guidance", () => {
  test("with two terms is classifier-free guidance, to the bit", async () => {
    const { a } = await run({ processes: [plain("a", dog)] });
    const sampling = { start, contexts: [dog], unconditional: empty, guidance: 3 };
    expect(a).toEqual(await sample(await openPredictor(model, size), model.schedule(steps), sampling));
  });

  test("with three terms is their weighted sum", async () => {
    const terms = [
      { name: unconditional, weight: -2, context: empty },
      { name: conditional, weight: 2.1, context: dog },
      { name: "other", weight: 0.9, context: cat },
    ];
    const { a } = await run({ processes: [{ name: "a", start, terms: () => terms }] });
    const [predictor, schedule] = [await openPredictor(model, size), model.schedule(steps)];
    let z = start;
    for (const [i, t] of schedule.timesteps.entries()) {
      const outputs = await Promise.all(
        terms.map(async ({ context }) => predictor.predict(Array(2).fill({ latent: z, context }), t)),
      );
      const [u, c, o] = outputs.map(({ data }) => data);
      const data = Float32Array.from({ length: z.data.length }, (_, k) => -2 * u[k] + 2.1 * c[k] + 0.9 * o[k]);
      z = applyStep(denoiseCoefficients(schedule, i), z, { shape: z.shape, data });
    }
    expect(relativeError(a, z)).toBeLessThan(1e-5);
  });

  test("may have another unconditional embedding at every step", async () => {
    const nulls = Array.from({ length: steps }, (_, i) => combine(1, empty, 0.1 * i, noise(empty.shape, 7 + i)));
    const { a } = await run({ processes: [{ name: "a", start, terms: (i) => guidedBy(3, dog, nulls[i]) }] });
    const [predictor, schedule] = [await openPredictor(model, size), model.schedule(steps)];
    let z = start;
    for (const [i, t] of schedule.timesteps.entries()) {
      const rows = [nulls[i], dog].map((context) => ({ latent: z, context }));
      const { shape, data } = await predictor.predict(rows, t);
      const [u, c] = [0, 1].map((r) => ({
        shape: z.shape,
        data: data.subarray((r * data.length) / shape[0], ((r + 1) * data.length) / shape[0]),
      }));
      z = applyStep(denoiseCoefficients(schedule, i), z, guide(u, c, 3));
    }
    expect(a.data).toEqual(z.data);
  });
});

test("a process that starts later is sampling from that step on, and computes no row before", async () => {
  const later = { ...plain("later", dog), startStep: 2 };
  const plan = planRows([later, plain("whole", cat)], steps, { wanted: ["later"] });
  expect(plan.map(({ rows }) => rows.length)).toEqual([0, 0, 2, 2]);
  const { later: last } = await run({ processes: [later, plain("whole", cat)] });
  const [predictor, schedule] = [await openPredictor(model, size), model.schedule(steps)];
  let z = start;
  for (const i of [2, 3]) {
    const rows = [empty, dog].map((context) => ({ latent: z, context }));
    const { data } = await predictor.predict(rows, schedule.timesteps[i]);
    const [u, c] = [0, 1].map((r) => ({
      shape: z.shape,
      data: data.subarray(r * z.data.length, (r + 1) * z.data.length),
    }));
    z = applyStep(denoiseCoefficients(schedule, i), z, guide(u, c, 3));
  }
  expect(last.data).toEqual(z.data);
});

test("identical processes share their rows until they differ, and each gives the same as alone", async () => {
  const parting = (name: string, at: number): Process => ({
    ...plain(name, dog),
    terms: (i) => guidedBy(3, i < at ? dog : cat, empty),
  });
  const processes = [parting("a", 1), parting("b", 2), parting("c", 2)];
  const rows = planRows(processes, steps, { wanted: ["a", "b", "c"] }).map((plan) => plan.rows.length);
  expect(rows).toEqual([2, 4, 4, 4]);
  const { a, b, c } = await run({ processes });
  expect(c).toEqual(b);
  for (const [latent, at] of [
    [a, 1],
    [b, 2],
  ] as const) {
    expect((await run({ processes: [parting("alone", at)] })).alone.data).toEqual(latent.data);
  }
});

describe("attention", () => {
  const taking =
    (what: Attention, terms: readonly string[] = [conditional, unconditional]) =>
    (_: number, term: string): Attention =>
      terms.includes(term) ? what : {};
  const editing = (attention: Process["attention"]): Process[] => [
    plain("source", dog),
    { ...plain("edit", cat), attention },
  ];
  const from = "source";
  const mixes = (mix: MapMix) => ({ cross: { from, mix } });

  test("taking the maps of another row equals taking its queries and keys", async () => {
    for (const kind of ["self", "cross"] as const) {
      const attention = taking({ [kind]: { from } });
      const maps = await run({ processes: editing(attention), groups: [group(kind, "maps")] });
      const qk = await run({ processes: editing(attention), groups: [group(kind, "qk")] });
      expect(relativeError(maps.edit, qk.edit), kind).toBeLessThan(1e-4);
      const alone = await run({ processes: editing(undefined) });
      expect(relativeError(alone.edit, qk.edit), kind).toBeGreaterThan(1e-3);
    }
  });

  test("a mix that takes nothing changes nothing, and the source is never changed", async () => {
    const groups = [group("cross", "maps")];
    const alone = await run({ processes: editing(undefined) });
    const none = await run({ processes: editing(taking(mixes({ taken: 0, kept: 1 }))), groups });
    expect(relativeError(none.edit, alone.edit)).toBeLessThan(1e-4);
    const all = await run({ processes: editing(taking(mixes({ taken: 1, kept: 0 }))), groups });
    expect(relativeError(all.source, alone.source)).toBeLessThan(1e-4);
  });

  test("a row that takes its own maps is unchanged; a mapper that swaps two tokens changes the result", async () => {
    const L = model.text.length;
    const swap = tensor([L, L]);
    for (let k = 0; k < L; k++) swap.data[k * L + (k === 1 ? 2 : k === 2 ? 1 : k)] = 1;
    const groups = [group("cross", "maps")];
    const own = await run({
      processes: editing(taking({ cross: { from: "edit", mix: { taken: 0.5, kept: 0.5 } } })),
      groups,
    });
    const alone = await run({ processes: editing(undefined) });
    expect(relativeError(own.edit, alone.edit)).toBeLessThan(1e-4);
    const swapped = await run({ processes: editing(taking(mixes({ taken: 1, kept: 0, mapper: swap }))), groups });
    const plainly = await run({ processes: editing(taking(mixes({ taken: 1, kept: 0 }))), groups });
    expect(relativeError(swapped.edit, plainly.edit)).toBeGreaterThan(1e-5);
  });

  test("with weight 0 for all tokens, the result does not depend on the prompt", async () => {
    const nothing = mixes({ taken: tensor([model.text.length]), kept: tensor([model.text.length]) });
    const [a, b] = await Promise.all(
      [dog, cat].map((context) =>
        run({
          processes: [plain("source", dog), { ...plain("edit", context), attention: taking(nothing) }],
          groups: [group("cross", "maps")],
        }),
      ),
    );
    expect(relativeError(a.edit, b.edit)).toBeLessThan(1e-6);
  });

  test("attention may be taken in one term only", async () => {
    const groups = [group("self", "kv")];
    const both = await run({ processes: editing(taking({ self: { from } })), groups });
    const one = await run({ processes: editing(taking({ self: { from } }, [conditional])), groups });
    expect(relativeError(one.edit, both.edit)).toBeGreaterThan(1e-5);
  });

  test.each([
    [
      "from a process that is not there",
      { self: { from: "nobody" } },
      "no such process: found nobody, expected source",
    ],
    ["at sites of no group", { nowhere: { from } }, "step 0: no such group of attention sites: found nowhere"],
    [
      "with a mask in a group that is not masked",
      { self: { from, mask: () => halves(0) } },
      "self: a mask of keys in a group that is not masked",
    ],
  ])("that is taken %s is a GraphError", async (_, attention, message) => {
    const made = run({ processes: editing(taking(attention)), groups: [group("self", "kv")] });
    await expect(made).rejects.toThrow(GraphError);
    await expect(made).rejects.toThrow(message);
  });
});

/** Masks that mark the left half of the row's own places and the half `k` of the others: 0 left, 1 right. */
const halves = (k: number): KeyMask => {
  const half = (right: number): KeyMask["keys"] => ({
    width: 2,
    height: 1,
    data: Uint8Array.of(right ? 0 : 255, right ? 255 : 0),
  });
  return { queries: half(0), keys: half(k) };
};

describe("masks of keys", () => {
  const masked = (): SiteGroup[] => [{ ...group("self", "kv"), masked: true }];

  test("differ from process to process and from step to step, and processes share rows only while their masks are equal", async () => {
    const left = () => halves(0);
    let right = 0;
    const changing = () => halves(right);
    const edit = (name: string, mask: () => KeyMask): Process => ({
      ...plain(name, dog),
      attention: () => ({ self: { from: "source", mask } }),
    });
    const processes = [plain("source", cat), edit("a", left), edit("b", left), edit("c", changing)];
    const owners = planRows(processes, steps, { wanted: ["a", "b", "c"] })[0].owners;
    expect(owners.get(processes[2])).toBe(processes[1]);
    expect(owners.get(processes[3])).toBe(processes[3]);
    const equal = await run({ processes, groups: masked() });
    expect(equal.b.data).toEqual(equal.a.data);
    expect(relativeError(equal.c, equal.a)).toBeLessThan(1e-5);
    const afterStep = async (i: number) => {
      right = i === 0 ? 1 : 0;
      return undefined;
    };
    const changed = await run({ processes, groups: masked(), hooks: { afterStep }, share: true });
    expect(changed.a.data).toEqual(equal.a.data);
    expect(relativeError(changed.c, equal.c)).toBeGreaterThan(1e-3);
  });

  test("are for self-attention of groups that take keys and values", async () => {
    for (const wrong of [group("self", "qk"), group("cross", "kv")]) {
      const opened = openPredictor(model, size, { groups: [{ ...wrong, masked: true }] });
      await expect(opened).rejects.toThrow(GraphError);
      await expect(opened).rejects.toThrow("only self-attention of a group that takes keys and values can be masked");
    }
  });
});

describe("hooks", () => {
  test("get the maps of a row: probabilities over the tokens", async () => {
    const [site] = model.attentionSites(size).filter(({ kind }) => kind === "cross");
    const seen: Tensor[] = [];
    const hooks: LockStep["hooks"] = {
      observe: [{ process: "a", term: conditional, site: site.path }],
      afterStep: async (_, { maps }) => {
        seen.push(maps[0]!);
        return undefined;
      },
    };
    await run({ processes: [plain("a", dog)], hooks });
    expect(seen).toHaveLength(steps);
    const { shape, data } = seen[0];
    expect(shape).toEqual([site.heads, site.height * site.width, model.text.length]);
    for (let row = 0; row < shape[0] * shape[1]; row++) {
      const sum = data.subarray(row * shape[2], (row + 1) * shape[2]).reduce((total, p) => total + p, 0);
      expect(sum).toBeCloseTo(1, 4);
    }
  });

  test("get a row's maps after it has taken from another row", async () => {
    const [first] = model.attentionSites(size).filter(({ kind }) => kind === "cross");
    const half = { taken: 0.25, kept: 0.75 };
    const mapsWith = async (takes: TakenKind, attention: Process["attention"]): Promise<Tensor[]> => {
      let seen: Tensor[] = [];
      const observe = ["source", "edit"].map((process) => ({ process, term: conditional, site: first.path }));
      const afterStep = async (i: number, { maps }: { maps: readonly (Tensor | undefined)[] }) => {
        if (i === 0) seen = maps.map((map) => map!);
        return undefined;
      };
      const processes = [plain("source", dog), { ...plain("edit", cat), attention }];
      await run({ processes, groups: [group("cross", takes)], hooks: { observe, afterStep } });
      return seen;
    };
    const [source, own] = await mapsWith("qk", undefined);
    expect(relativeError(source, own)).toBeGreaterThan(1e-3);
    const cross = { from: "source" };
    for (const takes of ["qk", "maps"] as const) {
      const [from, taken] = await mapsWith(takes, () => ({ cross }));
      expect(relativeError(taken, from), takes).toBeLessThan(1e-6);
    }
    const [, mixed] = await mapsWith("maps", () => ({ cross: { ...cross, mix: half } }));
    expect(relativeError(mixed, combine(half.taken, source, half.kept, own))).toBeLessThan(1e-5);
  });

  test("may replace latents: with the source's after every step, the edit is the source", async () => {
    const hooks: LockStep["hooks"] = {
      afterStep: async (_, { latents }) => new Map([["edit", latents.get("source")!]]),
    };
    const { source, edit } = await run({ processes: [plain("source", dog), plain("edit", cat)], hooks });
    expect(edit).toEqual(source);
  });

  test("get latents after every step, the last one too, if nothing else needs them there", async () => {
    const seen: Tensor[][] = [];
    const processes = [plain("source", dog), plain("edit", cat), plain("other", empty)];
    const observe = ["source"].map((process) => ({
      process,
      term: conditional,
      site: model.attentionSites(size).find(({ kind }) => kind === "cross")!.path,
    }));
    const names: string[][] = [];
    for (const latents of [undefined, ["source"], []]) {
      const after: Tensor[] = [];
      const afterStep: NonNullable<LockStep["hooks"]>["afterStep"] = async (_, state) => {
        after.push(...state.latents.values());
        names.push([...state.latents.keys()]);
        return undefined;
      };
      await run({ processes, wanted: ["edit"], hooks: { observe, latents, afterStep } });
      seen.push(after);
    }
    expect(names).toEqual([
      ...Array(steps).fill(["source", "edit", "other"]),
      ...Array(steps).fill(["source"]),
      ...Array(steps).fill([]),
    ]);
    const { source } = await run({ processes, wanted: ["source"] });
    expect(seen[1].at(-1)).toEqual(source);
    expect(seen[0].at(-3)).toEqual(source);
  });
});

describe("the inner parts of the U-Net", () => {
  const parting = (name: string, at: number): Process => ({
    ...plain(name, dog),
    terms: (i) => guidedBy(3, i < at ? dog : cat, empty),
  });

  test("give the same prediction if they are reused at the same step", async () => {
    const predictor = await openPredictor(model, size, { groups: [group("cross", "qk")], reusesInner: true });
    const rows = [empty, dog].map((context) => ({ latent: start, context }));
    const sources = { cross: { from: [0, 0] } };
    const { output, inner } = await predictor.look(rows, 500, { sources });
    const again = rows.map((one, r) => ({ ...one, inner: row(inner!, r) }));
    const reused = await predictor.look(again, 500, { sources });
    expect(reused.inner).toBeUndefined();
    expect(relativeError(reused.output, output)).toBeLessThan(1e-6);
    const other = await predictor.look(again, 100, { sources });
    expect(relativeError(other.output, (await predictor.look(rows, 100, { sources })).output)).toBeGreaterThan(1e-4);
  });

  test("are computed at every n-th step, and reused between", async () => {
    const { a } = await run({ processes: [plain("a", dog)], reuse: 3 });
    const [predictor, schedule] = [
      await openPredictor(model, size, { groups: [], reusesInner: true }),
      model.schedule(steps),
    ];
    let z = start;
    let kept: Tensor | undefined;
    for (const [i, t] of schedule.timesteps.entries()) {
      const known = i % 3 === 0 ? undefined : kept;
      const rows = [empty, dog].map((context, r) => ({ latent: z, context, inner: known && row(known, r) }));
      const { output, inner } = await predictor.look(rows, t);
      kept = inner ?? kept;
      z = applyStep(denoiseCoefficients(schedule, i), z, guide(row(output, 0), row(output, 1), 3));
    }
    expect(a.data).toEqual(z.data);
  });

  test("are kept for processes that part, so that sharing rows changes no bit", async () => {
    const processes = [parting("a", 1), parting("b", 2), { ...parting("later", 9), startStep: 1 }];
    const [shared, alone] = [await run({ processes, reuse: 4 }), await run({ processes, reuse: 4, share: false })];
    expect(shared).toEqual(alone);
    expect(shared.a.data).not.toEqual(shared.b.data);
  });

  test("are computed at every step whose attention is observed", async () => {
    const [site] = group("cross", "qk").sites;
    const processes = [plain("a", dog)];
    const hooks = { observe: [{ process: "a", term: conditional, site }] };
    const [whole, observed] = [await run({ processes }), await run({ processes, hooks, reuse: 3 })];
    expect(relativeError(observed.a, whole.a)).toBeLessThan(1e-5);
  });
});
