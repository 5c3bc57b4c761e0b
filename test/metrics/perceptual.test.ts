import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  CancelledError,
  CheckpointError,
  ImageError,
  type IntTensor,
  type Picture,
  UsageError,
} from "../../src/core/index.ts";
import { input, type Node } from "../../src/graph/index.ts";
import {
  Clip,
  clipMetrics,
  judgeMetrics,
  type Lpips,
  lpipsMetric,
  pieMetrics,
  pixelMetrics,
  type Structure,
} from "../../src/metrics/index.ts";
import {
  type LpipsFiles,
  loadClip,
  loadJudge,
  loadJudgeDistance,
  loadLpips,
  loadStructure,
  openMetrics,
} from "../../src/metrics/node/index.ts";
import { type LpipsNet, lpips, lpipsNets, structureDistance } from "../../src/models/index.ts";
import type { Engine } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { encodeSafetensors } from "../../src/weights/index.ts";
import { fixture } from "../support/run.ts";
import { drawnFile, drawnTensors } from "./drawn.ts";
import { fixtures, readJson, Workplace } from "./folders.ts";

// References are made by tools/parity/perceptual.py, with weights that both sides draw alike.
const folder = `${fixtures}perceptual/`;
const { prompts, values } = readJson("perceptual/expected.json") as {
  prompts: string[];
  values: Record<string, number[]> & { "judge-layers": number[][] };
};
const stored = await fixture(`${folder}pictures.safetensors`);
const bytes = (name: string): Picture => {
  const { shape, data } = stored[name] as IntTensor;
  return { width: shape[1], height: shape[0], data: Uint8Array.from(data) };
};
const cases = prompts.map((prompt, i) => ({
  edit: bytes(`a${i}`),
  photo: bytes(`b${i}`),
  kept: bytes(`kept${i}`),
  prompt,
}));

const place = new Workplace();
const linear: Record<LpipsNet, string> = { alex: "alex.pth", vgg16: "vgg.pth", squeeze: "squeeze.pth" };
const isTrunk = (name: string): boolean => name.startsWith("features.");
const lpipsGraph = (net: LpipsNet): Node => lpips(lpipsNets[net], input("pixels", [2, 3, 64, 64]));
/** Files of a network, its trunk with drawn weights. */
function filesOf(net: LpipsNet): LpipsFiles {
  const trunk = join(place.root, `${net}.safetensors`);
  writeFileSync(trunk, drawnFile(lpipsGraph(net), isTrunk));
  return { trunk, linear: join(folder, linear[net]) };
}
const dino = { width: 24, layers: 3, heads: 3, patch: 8, size: 32 };
const dinoGraph = structureDistance(dino, input("pixels", [2, 3, 32, 32]));
const dinoFile = join(place.root, "dino.safetensors");
const judgeFolder = place.copy("judge-tiny", { "perceptual.json": { layers: [0.5] } });

let engine: Engine;
let squeeze: Lpips;
beforeAll(async () => {
  engine = await startEngine({ threads: 1, cache: place.cache });
  writeFileSync(dinoFile, drawnFile(dinoGraph));
  squeeze = await loadLpips(engine, "squeeze", filesOf("squeeze"));
});
afterAll(async () => {
  await squeeze.release();
  await engine.close();
  place.close();
});

/** Relative error at most 1e-4. */
function agrees(found: number | undefined, expected: number): void {
  expect(Math.abs(found! - expected) / Math.abs(expected)).toBeLessThan(1e-4);
}

describe("LPIPS", () => {
  test.each(["alex", "vgg16"] as const)("%s agrees with the lpips package", async (net) => {
    const own = await loadLpips(engine, net, filesOf(net));
    const metric = lpipsMetric(own);
    for (const [i, one] of cases.entries()) agrees(await metric.measure(one), values[`lpips-${net}`][i]);
    await own.release();
  });

  test("squeeze agrees with the lpips package", async () => {
    for (const [i, one] of cases.entries()) {
      agrees(await lpipsMetric(squeeze).measure(one), values["lpips-squeeze"][i]);
    }
  });

  test("is 0 for equal pictures, does not depend on the order, and takes sizes in any turn", async () => {
    const [a, b] = [cases[0].edit, cases[0].photo];
    expect(await squeeze.distance(a, a)).toBe(0);
    const there = squeeze.distance(a, b);
    const other = squeeze.distance(cases[1].edit, cases[1].photo);
    const back = squeeze.distance(b, a);
    agrees(await there, values["lpips-squeeze"][0]);
    agrees(await other, values["lpips-squeeze"][1]);
    agrees(await back, values["lpips-squeeze"][0]);
  });

  test("the smallest pictures have a distance, smaller ones are an error", async () => {
    for (const net of ["alex", "vgg16", "squeeze"] as const) {
      const own = net === "squeeze" ? squeeze : await loadLpips(engine, net, filesOf(net));
      const side = lpipsNets[net].smallest;
      const blank = (value: number, width: number): Picture => ({
        width,
        height: side,
        data: new Uint8Array(3 * side * width).fill(value),
      });
      expect(await own.distance(blank(0, side), blank(255, side))).toBeGreaterThan(0);
      const small = own.distance(blank(0, side - 1), blank(255, side - 1));
      await expect(small).rejects.toThrow(new RegExp(`too small for LPIPS ${net}: found ${side - 1}x${side}`));
      if (own !== squeeze) await own.release();
    }
  });

  test("pictures of different sizes are an error; a cancelled comparison does not end the next", async () => {
    await expect(squeeze.distance(cases[0].edit, cases[1].edit)).rejects.toThrow(ImageError);
    const stopped = squeeze.distance(cases[0].edit, cases[0].photo, { signal: AbortSignal.abort() });
    await expect(stopped).rejects.toThrow(CancelledError);
    agrees(await squeeze.distance(cases[0].edit, cases[0].photo), values["lpips-squeeze"][0]);
  });

  test("linear weights may be safetensors too", async () => {
    const { trunk } = filesOf("squeeze");
    const file = join(place.root, "linear.safetensors");
    writeFileSync(
      file,
      drawnFile(lpipsGraph("squeeze"), (name) => !isTrunk(name)),
    );
    const own = await loadLpips(engine, "squeeze", { trunk, linear: file });
    agrees(await own.distance(cases[0].edit, cases[0].photo), values["lpips-squeeze"][0]);
    await own.release();
  });

  test.each<[string, LpipsNet, (files: LpipsFiles) => LpipsFiles, RegExp]>([
    [
      "a missing trunk",
      "squeeze",
      (files) => ({ ...files, trunk: join(place.root, "none.safetensors") }),
      /none\.safetensors: there is no such file.*torchvision's squeezenet1_1.*save_file/s,
    ],
    [
      "a missing file of linear weights",
      "squeeze",
      (files) => ({ ...files, linear: join(place.root, "none.pth") }),
      /none\.pth: there is no such file.*lpips\/weights\/v0\.1\/squeeze\.pth.*No conversion/s,
    ],
    [
      "a trunk in a pickle",
      "squeeze",
      (files) => ({ ...files, trunk: files.linear }),
      /squeeze\.pth: these weights are a Python pickle.*torchvision\.models\.squeezenet1_1/s,
    ],
    [
      "the trunk of another network",
      "alex",
      (files) => ({ ...files, trunk: filesOf("squeeze").trunk }),
      /squeeze\.safetensors: the weights do not fit.*"features\.0\.weight": shape \[64, 3, 3, 3\], expected \[64, 3, 11, 11\].*alexnet/s,
    ],
    [
      "the linear weights of another network",
      "squeeze",
      (files) => ({ ...files, linear: join(folder, "alex.pth") }),
      /alex\.pth: the weights do not fit.*"lin1\.model\.1\.weight": shape \[1, 192, 1, 1\], expected \[1, 128, 1, 1\].*lin5\.model\.1\.weight": missing/s,
    ],
    [
      "linear weights in another pickle",
      "squeeze",
      (files) => {
        const linear = join(place.root, "zip.pth");
        writeFileSync(linear, Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(100)]));
        return { ...files, linear };
      },
      /zip\.pth: these weights are a Python pickle/,
    ],
    [
      "truncated linear weights",
      "squeeze",
      (files) => {
        const linear = join(place.root, "short.pth");
        writeFileSync(linear, readFileSync(files.linear).subarray(0, 9000));
        return { ...files, linear };
      },
      /short\.pth: the file is truncated: found 9000 bytes/,
    ],
  ])("%s is an error that says where people get the file", async (_, net, change, message) => {
    const loading = loadLpips(engine, net, change(filesOf(net)));
    await expect(loading).rejects.toSatisfy((error) => {
      return error instanceof CheckpointError && message.test(error.message);
    });
  });

  test("an unknown network is an error that lists the known ones", async () => {
    const loading = loadLpips(engine, "resnet" as LpipsNet, filesOf("squeeze"));
    await expect(loading).rejects.toSatisfy((error) => {
      return error instanceof UsageError && /found resnet, expected alex, vgg16, squeeze/.test(error.message);
    });
  });
});

describe("PIE-Bench", () => {
  let clip: Clip;
  let structure: Structure;
  beforeAll(async () => {
    clip = await loadClip(engine, judgeFolder);
    structure = await loadStructure(engine, dinoFile, { config: dino });
  });
  afterAll(async () => {
    await clip.release();
    await structure.release();
  });

  test("every metric agrees with torchmetrics, and structure distance with timm", async () => {
    const metrics = pieMetrics({ clip, lpips: squeeze, structure });
    expect(metrics.map(({ name }) => name)).toEqual([
      "pie-structure",
      "pie-psnr",
      "pie-mse",
      "pie-ssim",
      "pie-lpips",
      "pie-clip-whole",
      "pie-clip-edited",
    ]);
    for (const { name, measure } of metrics) {
      for (const [i, one] of cases.entries()) {
        const found = await measure(one);
        if (values[name][i] === 0) expect(found, name).toBe(0);
        else agrees(found, values[name][i]);
      }
    }
    expect(values["pie-clip-whole"].some((value) => value > 1)).toBe(true);
  });

  test("pixels as DINO was trained are another metric", async () => {
    const trained = await loadStructure(engine, dinoFile, { config: dino, pixels: "imagenet" });
    const [metric] = pieMetrics({ structure: trained });
    expect(metric.name).toBe("structure");
    for (const [i, one] of cases.entries()) agrees(await metric.measure(one), values.structure[i]);
    await trained.release();
  });

  test("parts that are empty have no value", async () => {
    const [one] = cases;
    const all = { ...one.kept, data: one.kept.data.map(() => 255) };
    const none = { ...one.kept, data: one.kept.data.map(() => 0) };
    const figureOf = (name: string, kept: Picture) =>
      pieMetrics({ clip, lpips: squeeze })
        .find((metric) => metric.name === name)!
        .measure({ ...one, kept });
    expect(await figureOf("pie-clip-edited", all)).toBeUndefined();
    expect(await figureOf("pie-lpips", none)).toBeUndefined();
    agrees(await figureOf("pie-lpips", all), values["lpips-squeeze"][0]);
  });

  test("structure distance is 0 for equal pictures; a broken file says where people get it", async () => {
    expect(await structure.distance(cases[0].edit, cases[0].edit)).toBe(0);
    const tensors = drawnTensors(dinoGraph, (name) => name !== "cls_token");
    const file = join(place.root, "broken.safetensors");
    writeFileSync(file, encodeSafetensors(tensors));
    await expect(loadStructure(engine, file, { config: dino })).rejects.toThrow(
      /"cls_token": missing, expected \[1, 1, 24\].*timm\/vit_base_patch8_224\.dino/s,
    );
    writeFileSync(file, encodeSafetensors(tensors).subarray(0, 5000));
    await expect(loadStructure(engine, file, { config: dino })).rejects.toThrow(/truncated.*timm/s);
  });
});

describe("CLIP and the judge", () => {
  test("CLIPScore is four metrics: raw or times 2.5, without and with the prefix", async () => {
    const clip = await loadClip(engine, judgeFolder);
    const [one] = cases;
    const [plain] = await clip.score([one.edit], [one.prompt]);
    const [prefixed] = await clip.score([one.edit], [one.prompt], { prefix: "A photo depicts " });
    const found = await Promise.all(clipMetrics(clip).map(async ({ name, measure }) => [name, await measure(one)]));
    expect(Object.fromEntries(found)).toEqual({
      "clip-cosine": plain.cosine,
      "clip-score": plain.score,
      "clip-cosine-prefix": prefixed.cosine,
      "clip-score-prefix": prefixed.score,
    });
    await clip.release();
  });

  test("an edit is done if the judge sees every requested change", async () => {
    const judge = await loadJudge(engine, judgeFolder);
    const [done, score] = judgeMetrics(judge);
    const [{ edit, prompt }] = cases;
    const [{ labels }] = await judge.classify([edit]);
    const others = { ...labels, facing: labels.facing === "left" ? "right" : "left" };
    expect(await done.measure({ edit, requested: labels })).toBe(1);
    expect(await done.measure({ edit, requested: { animal: labels.animal } })).toBe(1);
    expect(await done.measure({ edit, requested: others })).toBe(0);
    expect(await done.measure({ edit, requested: {} })).toBeUndefined();
    const unknown = done.measure({ edit, requested: { mood: "calm", animal: "cow", facing: "left" } });
    await expect(unknown).rejects.toThrow(
      /\n {2}mood: expected animal, pose, facing\n {2}animal: found "cow", expected bird, cat, dog, horse\.$/,
    );
    expect(await score.measure({ edit, prompt })).toBe((await judge.clip.score([edit], [prompt]))[0].score);
    await judge.release();
  });

  test("layers of the image tower agree with transformers, and are weighted", async () => {
    const distance = await loadJudgeDistance(engine, judgeFolder);
    for (const [i, { edit, photo }] of cases.entries()) {
      const layers = await distance.layerDistances(edit, photo);
      for (const [k, expected] of values["judge-layers"][i].entries()) agrees(layers[k], expected);
      expect(await distance.distance(edit, photo)).toBeCloseTo(0.5 * layers[0], 6);
      expect(await distance.distance(photo, photo)).toBe(0);
    }
    await distance.release();
  });

  test.each<[string, unknown, RegExp]>([
    ["no weights", undefined, /there is no perceptual\.json.*npm run bench -- perceptual/s],
    [
      "weights of another model",
      { layers: [1, 2] },
      /found 2 layers, expected 1: all layers of the image tower but the last/,
    ],
    ["weights that are none", { layers: ["a"], scale: 1 }, /layers\.0: found "a".*"scale": not understood/s],
  ])("a judge with %s is an error", async (_, weights, message) => {
    const own = place.copy("judge-tiny", weights === undefined ? {} : { "perceptual.json": JSON.stringify(weights) });
    await expect(loadJudgeDistance(engine, own)).rejects.toThrow(message);
  });
});

describe("all metrics together", () => {
  test("each network is opened once, and names are unique", async () => {
    const networks = {
      judge: judgeFolder,
      clip: judgeFolder,
      pieClip: judgeFolder,
      lpips: { squeeze: filesOf("squeeze") },
    };
    const load = vi.spyOn(Clip, "load");
    const { metrics, release } = await openMetrics(engine, networks);
    // One CLIP serves CLIPScore and PIE-Bench. The judge opens its own, by another function.
    expect(load).toHaveBeenCalledTimes(1);
    const names = metrics.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining([
        ...pixelMetrics.map(({ name }) => name),
        ...[
          "judge-done",
          "judge-score",
          "judge-distance",
          "clip-score",
          "lpips-squeeze",
          "pie-lpips",
          "pie-clip-edited",
        ],
      ]),
    );
    expect(names).not.toContain("pie-structure");
    const one = { ...cases[0], truth: cases[0].photo, requested: { animal: "dog" } };
    for (const { name, measure } of metrics) expect(await measure(one), name).toEqual(expect.any(Number));
    await release();
  });

  test("arguments that are not allowed are listed, all at once", async () => {
    const networks = {
      judg: "x",
      lpips: { resnet: { trunk: "a", linear: "b" }, alex: { trunk: "" } },
      structurePixels: "half",
    };
    await expect(openMetrics(engine, networks as never)).rejects.toSatisfy((error) => {
      const { message } = error as Error;
      const named = [
        "judg",
        "resnet",
        "networks.lpips.alex.trunk",
        "networks.lpips.alex.linear",
        "pie-bench, imagenet",
      ];
      return error instanceof UsageError && named.every((name) => message.includes(name));
    });
  });

  test("if one network fails to load, none stays loaded", async () => {
    const before = place.leases().length;
    const opening = openMetrics(engine, { judge: judgeFolder, dino: join(place.root, "none") });
    await expect(opening).rejects.toThrow(CheckpointError);
    expect(place.leases().length).toBe(before);
  });
});
