import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/files.ts";
import { notLinux, python, titled } from "../support/needs.ts";
import { root } from "../support/packed.ts";

// Scripts and pages of training, with programs in place of Python and of baret that only note how they were called. Training
// itself is tested by `python -m unittest training.test_training`, which needs PyTorch.

const at = temporaryFolder();
const noPython =
  spawnSync(python, ["--version"]).status === 0
    ? undefined
    : `skipped, there is no ${python}: install it or set BARET_PYTHON`;

/** Runs a script of training, and returns the calls of Python and of node, a line each. */
function callsOf(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  // The last argument of `world shards` is its folder.
  node = 'for last; do :; done; mkdir -p "$last"; : > "$last/00001.safetensors"; sleep 1',
) {
  const [bin, log] = [at("bin"), at(`${script}-${Math.random()}.log`)];
  mkdirSync(bin, { recursive: true });
  const program = (name: string, then: string): string => {
    const path = join(bin, name);
    writeFileSync(path, `#!/bin/sh\necho "${name} $*" >> "${log}"\n${then}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  const fake = { PATH: `${bin}:${process.env.PATH}`, PYTHON: program("python", ""), ...env };
  program("node", node);
  const { status, stderr } = spawnSync("sh", [join(root, "training", script), ...args], {
    env: { ...process.env, ...fake },
    encoding: "utf8",
  });
  return { status, stderr, calls: existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [] };
}

const stagesOf = (calls: readonly string[]): string[] =>
  calls.flatMap((call) => /^python -m training (\w+)/.exec(call)?.[1] ?? []);

/** Asks the training program which of these calls it does not take. Reading its arguments needs no PyTorch. */
function refused(calls: readonly (readonly string[])[]): unknown {
  const program =
    "import sys, json, contextlib, io\n" +
    "from training.__main__ import parse\n" +
    "wrong = []\n" +
    "for call in json.load(sys.stdin):\n" +
    "  sys.argv = ['training', *call]\n" +
    "  said = io.StringIO()\n" +
    "  try:\n" +
    "    with contextlib.redirect_stderr(said): parse()\n" +
    "  except SystemExit: wrong.append([call, said.getvalue()[-200:]])\n" +
    "print(json.dumps(wrong))";
  const { stdout, stderr } = spawnSync(python, ["-c", program], {
    cwd: root,
    input: JSON.stringify(calls),
    encoding: "utf8",
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
  });
  return stdout ? JSON.parse(stdout) : stderr;
}

describe.skipIf(notLinux)(titled("the training scripts", notLinux), () => {
  const seen: string[] = [];

  test("run_all.sh runs every stage once in order, and again only what is not there", () => {
    const run = at("all");
    mkdirSync(join(run, "data/portraits"), { recursive: true });
    const { calls } = callsOf("run_all.sh", [run, "30", "10:00", "11:00"]);
    expect(stagesOf(calls)).toEqual(["vocabulary", "vae", "latents", "generator", "judge", "export"]);
    expect(calls.at(-2)).toContain(`--more ${run}/data/portraits`);
    seen.push(...calls);
    mkdirSync(join(run, "tokenizer"));
    expect(stagesOf(callsOf("run_all.sh", [run, "30", "10:00", "11:00"]).calls)).not.toContain("vocabulary");
  });

  test("with TOWER_MINUTES the generator uses a tower that is trained before it", () => {
    const run = at("tower");
    const { calls } = callsOf("run_all.sh", [run, "30", "10:00", "11:00"], { TOWER_MINUTES: "10", LENGTH: "77" });
    expect(stagesOf(calls)).toEqual(["vocabulary", "vae", "latents", "tower", "generator", "judge", "export"]);
    expect(calls[0]).toContain("--length 77");
    seen.push(...calls);
    expect(calls.find((call) => call.includes("training generator"))).toContain(`--tower ${run}/tower`);
  });

  test("run_gpu.sh renders the edition that it is given, and keeps the autoencoder that a run has", () => {
    const run = at("gpu");
    mkdirSync(join(run, "vae"), { recursive: true });
    const { calls } = callsOf("run_gpu.sh", [run, "checkpoints", "1", "1", "2"]);
    expect(calls.find((call) => call.startsWith("node"))).toContain("world shards --quiet --edition 2 ");
    expect(stagesOf(calls)).toEqual(["latents", "generator", "export"]);
    seen.push(...calls);
  });

  test("run_gpu.sh ends before it trains if the data cannot be rendered", () => {
    const run = at("refused");
    mkdirSync(join(run, "data/train"), { recursive: true });
    writeFileSync(join(run, "data/train/00001.safetensors"), "");
    const { status, calls } = callsOf("run_gpu.sh", [run, "checkpoints", "1", "1"], {}, "exit 1");
    expect(calls.find((call) => call.startsWith("node"))).toContain("--edition 1 ");
    seen.push(...calls);
    expect([status, stagesOf(calls)]).toEqual([1, ["restore"]]);
  });

  test.each(["run_all.sh", "run_gpu.sh"])("%s without its arguments prints how to use it", (script) => {
    const { status, stderr } = callsOf(script, ["RUN"]);
    expect(status).toBe(2);
    expect(stderr).toMatch(new RegExp(`^usage: training/${script} RUN `));
  });

  test.skipIf(noPython)(titled("the training program takes all these calls", noPython), () => {
    const stages = seen.filter((call) => call.startsWith("python")).map((call) => call.split(" ").slice(3));
    expect(stages.length).toBeGreaterThan(9);
    expect(refused(stages)).toEqual([]);
  });
});

test.skipIf(noPython)(titled("the training program takes the commands of its pages", noPython), () => {
  const pages = ["training/README.md", "checkpoints/menagerie/README.md"].map((page) =>
    readFileSync(join(root, page), "utf8"),
  );
  const calls = [...pages.join("\n").matchAll(/python3? -m training ([^`\n]*)/g)].map(([, rest]) =>
    rest.split("#")[0].trim().split(/\s+/),
  );
  expect(calls.length).toBeGreaterThan(4);
  expect(refused(calls.filter(([stage]) => /^[a-z]+$/.test(stage)))).toEqual([]);
});
