import { expect, test } from "vitest";
import { fidelityJson, reportFidelity } from "../../src/cli/edit/report.ts";
import { Voice } from "../../src/cli/print.ts";
import { type Fidelity, inversionSettings } from "../../src/inversion/index.ts";
import { parseEditing } from "../../src/weights/index.ts";
import { smoothPicture } from "../support/baret.ts";

const [reconstruction, roundTrip] = [smoothPicture(1), smoothPicture(2)];
const fidelity = (inversion: number, vae?: number): Fidelity => ({
  reconstruction,
  roundTrip,
  inversion,
  ...(vae !== undefined && { vae, photo: Math.min(inversion, vae) }),
});

function warnings(found: Fidelity, familiar?: object, options = {}): string[] {
  const editing = parseEditing({ ...(familiar && { familiar }) }, "editing.json");
  const voice = new Voice({ quiet: true });
  reportFidelity(found, "dog.png", inversionSettings("a dog", options, editing), editing, voice);
  return voice.warnings;
}

test("a good reconstruction of a picture that the model knows is no warning", () => {
  expect(warnings(fidelity(25, 20))).toEqual([]);
  expect(warnings(fidelity(Number.POSITIVE_INFINITY))).toEqual([]);
  expect(warnings(fidelity(40, 27), { psnr: 27, share: 0.99 })).toEqual([]);
});

test("a poor reconstruction is a warning that says what can help, and nothing that is done already", () => {
  const [warning, ...others] = warnings(fidelity(24.9, 30), undefined, { iterations: 5, steps: 20, guidance: 7.5 });
  expect(others).toEqual([]);
  expect(warning).toMatch(/^the inversion reproduces dog\.png poorly \(24\.9 dB; 25 dB and more is good\)/);
  for (const help of ["--no-early-stop", "--iterations 10", "--steps 50", "--guidance (it is 7.5)"]) {
    expect(warning).toContain(help);
  }
  const [done] = warnings(fidelity(10), undefined, { earlyStop: false, steps: 100, guidance: 3, learningRate: 0.02 });
  expect(done).not.toMatch(/--no-early-stop|--steps|--guidance/);
  expect(done).toContain("another --learning-rate (it is 0.02)");
});

test("a picture unlike those that the model knows is a warning that says how rare that is, and of a small world also names baret pull", () => {
  const [measured] = warnings(fidelity(40, 26.9), { psnr: 27, share: 0.99 });
  expect(measured).toMatch(/does not know pictures like dog\.png: .* 26\.9 dB, and 99 % of the pictures that it knows at 27\.0 dB or more.*baret pull sd1\.5/); // biome-ignore format: one sentence
  const [other, ...more] = warnings(fidelity(40, 19.9));
  expect(more).toEqual([]);
  expect(other).toMatch(/does not know pictures like dog\.png: .* 19\.9 dB\. Expect a poor edit$/);
});

test("JSON has no infinity", () => {
  const json = JSON.parse(JSON.stringify(fidelityJson(fidelity(Number.POSITIVE_INFINITY, 30))));
  expect(json).toEqual({ inversion: null, vae: 30, photo: 30 });
});
