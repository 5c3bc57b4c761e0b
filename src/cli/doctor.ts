import { Command } from "commander";
import { formatBytes } from "../core/index.ts";
import type { CheckResult, DeviceReport, DoctorReport } from "../doctor/index.ts";
import { examineMachine } from "../doctor/node/index.ts";
import type { Device } from "../runtime/index.ts";
import { withProgress } from "./interrupt.ts";
import { deviceOption } from "./model.ts";
import { integer, jsonOption, option, quietOption } from "./options.ts";
import { columns, print, printJson } from "./print.ts";

interface DoctorFlags {
  readonly device?: Device;
  readonly limit: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const help = `
Each device runs small programs in a process of its own: arithmetic, a matrix product, convolutions, group normalisation
and attention, with their gradients. The results are compared with the CPU's. Then a small piece of a U-Net is timed.
The column "auto" has the precision that --precision auto chooses on the device.
Nothing leaves this machine.

Exit status: 0 if the CPU works, otherwise 1.`;

const words: Readonly<Record<DeviceReport["state"], string>> = {
  works: "works",
  wrong: "wrong results",
  slow: "no answer in time",
  fails: "fails",
  absent: "not in this onnxruntime",
};

const errorText = ({ checks }: DeviceReport): string => {
  const errors = checks.flatMap(({ error }) => error ?? []);
  return errors.length === 0 ? "" : Math.max(...errors).toExponential(0);
};

const isGood = ({ outcome }: CheckResult): boolean => outcome === "right" || outcome === "inexact";

function row(report: DeviceReport): string[] {
  const { device, state, start, checks, half, precision, speed } = report;
  const right = checks.filter(isGood).length;
  return [
    `  ${device}`,
    words[state],
    start === undefined ? "" : `${start.toFixed(1)} s`,
    checks.length === 0 ? "" : `${right} of ${checks.length}`,
    errorText(report),
    half === undefined ? "" : isGood(half) ? "yes" : "no",
    precision?.precision ?? "",
    speed ? `${speed.milliseconds.toFixed(0)} ms` : "",
    speed?.timesCpu === undefined ? "" : `${speed.timesCpu.toPrecision(2)}x`,
  ];
}

const heads = ["  device", "", "start", "right", "largest error", "16 bits", "auto", "U-Net piece", "CPU's speed"];

/** Returns the reasons and advice of devices that do not work as well as they could. */
const details = (reports: readonly DeviceReport[]): string[] =>
  reports.flatMap(({ device, reason, advice, state, checks, half, precision }) => {
    const inexact = checks.filter(({ outcome }) => outcome === "inexact").map(({ name }) => name);
    const lines = [
      ...(reason && state !== "absent" ? [reason] : []),
      ...(inexact.length > 0 ? [`less exact than float32 in: ${inexact.join(", ")}`] : []),
      ...(advice?.split("\n") ?? []),
      ...(half?.reason ? [`in 16 bits: ${half.reason}`] : []),
      ...(precision && device !== "cpu"
        ? [`--precision auto is ${precision.precision} here: ${precision.because}`]
        : []),
    ];
    return lines.length === 0 ? [] : [`${device}:`, ...lines.map((line) => `  ${line}`)];
  });

function facts({
  baret,
  node,
  onnxruntime,
  system,
  processor,
  memory,
  cache,
  models,
  gpus,
  vulkan,
  cuda,
}: DoctorReport) {
  const { platform, arch, release, glibc, wsl } = system;
  const rows: [string, string | undefined][] = [
    ["baret", `${baret}, Node ${node}, onnxruntime ${onnxruntime ? onnxruntime.version : "missing"}`],
    ["system", `${platform} ${release} on ${arch}${glibc ? `, glibc ${glibc}` : ""}${wsl ? ", in WSL" : ""}`],
    ["processor", `${processor.name ?? "unknown"}, ${processor.cpus} CPUs, ${processor.threads} threads by default`],
    ["memory", memory && memoryText(memory)],
    ["cache", cache && cacheText(cache)],
    ["models", models?.map(({ name }) => name).join(", ") || (models ? "none" : undefined)],
    ["graphics", gpus.map(gpuText).join("; ") || "no graphics card is visible"],
    [
      "Vulkan",
      vulkan.map(({ library, version }) => `${library}${version ? ` (${version})` : ""}`).join(", ") || "no driver",
    ],
    ["CUDA", cuda ? cuda.folder : "not installed by baret"],
  ];
  return columns(rows.flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])));
}

const memoryText = ({ total, available, limit }: NonNullable<DoctorReport["memory"]>): string =>
  `${formatBytes(available)} free of ${formatBytes(total)}${limit === undefined ? "" : `, limited to ${formatBytes(limit)} by the container`}`;

const cacheText = ({ folder, bytes, free }: NonNullable<DoctorReport["cache"]>): string =>
  [
    folder,
    bytes === undefined ? "" : formatBytes(bytes),
    free === undefined ? "" : `${formatBytes(free)} free on its disk`,
  ]
    .filter(Boolean)
    .join(", ");

function gpuText({ name, driver, driverVersion, capability, memory }: DoctorReport["gpus"][number]): string {
  const parts = [
    driver ? `driver ${driver}${driverVersion ? ` ${driverVersion}` : ""}` : "no driver",
    ...(capability === undefined ? [] : [`compute capability ${capability}`]),
    ...(memory === undefined ? [] : [formatBytes(memory)]),
  ];
  return `${name} (${parts.join(", ")})`;
}

/** Prints a report: the facts, a line for each device, then what to do. */
function printReport(report: DoctorReport): void {
  print(facts(report));
  print(`\n${columns([heads, ...report.devices.map(row)])}`);
  const more = [...details(report.devices), ...report.problems];
  if (more.length > 0) print(`\n${more.join("\n")}`);
}

/** `baret doctor`. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .addOption(deviceOption().default(undefined, "all"))
    .addOption(
      option("--limit <seconds>", "longest time for a device to start, and for each program", integer(1, 3600)).default(
        60,
      ),
    )
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText("after", help)
    .action(async ({ device, limit, json, quiet = false }: DoctorFlags) => {
      const devices = device === undefined ? undefined : [device];
      const report = await withProgress(quiet, (work) => examineMachine({ devices, limit, ...work }));
      if (json) printJson(report);
      else printReport(report);
      const works = report.devices.some((one) => one.device === "cpu" && one.state === "works");
      if (!works) process.exitCode = 1;
    });
}
