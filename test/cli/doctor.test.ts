import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { doctorReport } from "../../src/doctor/index.ts";
import { Workplace } from "../support/cli.ts";

const place = new Workplace();
afterAll(place.remove);

test("baret doctor prints the facts, a line for each device and what to do, and exits with 0 if the CPU works", async () => {
  const { code, stdout, stderr } = await place.baret(["doctor", "--device", "coreml"]);
  expect({ code, stderr: stderr.match(/Error/) }).toEqual({ code: 0, stderr: null });
  expect(stdout).toMatch(/^baret +\d+\.\d+\.\d+, Node v\d+\S+, onnxruntime 1\./m);
  expect(stdout).toMatch(/^memory +\S+ GB free of /m);
  expect(stdout).toMatch(/^ {2}cpu +works +\d+\.\d s +5 of 5 +\de-\d/m);
  expect(stdout).toMatch(/^ {2}coreml +(not in this onnxruntime|works)/m);
});

// A library path with a file that is no library is what a damaged installation looks like to the system's loader.
test("with a damaged onnxruntime and a cache that cannot be made, it still reports, says what to do, and exits with 1", async () => {
  mkdirSync(place.path("damaged"));
  writeFileSync(place.path("damaged", "libonnxruntime.so.1"), "not a library");
  const env = { LD_LIBRARY_PATH: place.path("damaged"), BARET_CACHE: "/proc/nowhere/cache" };
  const { code, stdout } = await place.baret(["doctor", "--device", "webgpu", "--json", "-q"], { env });
  const report = doctorReport.parse(JSON.parse(stdout));
  expect(code).toBe(1);
  expect(report.devices.map(({ state }) => state)).toEqual(["fails", "fails"]);
  expect(report.devices[0].reason).toMatch(/file too short|invalid ELF header/);
  expect(report.devices[0].advice).toContain("npm ci");
  expect(report.cache).toMatchObject({ folder: "/proc/nowhere/cache", bytes: 0 });
});

test("Ctrl-C ends the examination", async () => {
  const { code } = await place.baret(["doctor"], { interruptAt: /examine cpu/ });
  expect(code).toBe(130);
});
