import { z } from "zod";
import { devices, precisions } from "../runtime/index.ts";

const check = z.strictObject({
  /** The operation that the program computes: "attention". */
  name: z.string(),
  /** inexact: as with 10-bit mantissas (TF32). failed: it did not run. slow: it took longer than the limit. */
  outcome: z.enum(["right", "inexact", "wrong", "failed", "slow"]),
  /** Largest difference to the CPU, relative to the largest value of that result. */
  error: z.number().optional(),
  reason: z.string().optional(),
});

const device = z.strictObject({
  device: z.enum(devices),
  /**
   * works: all results are right or inexact. wrong: it runs, but a result differs from the CPU's. slow: no answer within the limit.
   * fails: it does not start, or a program does not run. absent: this build of onnxruntime does not have it.
   */
  state: z.enum(["works", "wrong", "slow", "fails", "absent"]),
  /** Seconds until the first tiny program had run. */
  start: z.number().optional(),
  checks: z.array(check),
  /** A convolution, group normalisation and attention in float16, compared with the CPU's float32. Absent if it was not tried. */
  half: check.optional(),
  /** The precision that "auto" chooses, and the reason. Absent if the device does not work. */
  precision: z.strictObject({ precision: z.enum(precisions), because: z.string() }).optional(),
  /** Milliseconds of a pass through a small piece of a U-Net, and how often the device does it in the CPU's time. */
  speed: z.strictObject({ milliseconds: z.number(), timesCpu: z.number().optional() }).optional(),
  reason: z.string().optional(),
  advice: z.string().optional(),
});

const bytes = z.number().nonnegative();

const gpu = z.strictObject({
  /** "NVIDIA GeForce RTX 4090", or a vendor and a number. */
  name: z.string(),
  /** Its kernel driver: "nvidia", "amdgpu". */
  driver: z.string().optional(),
  driverVersion: z.string().optional(),
  /** CUDA compute capability: 8.9. */
  capability: z.number().optional(),
  memory: bytes.optional(),
});

/** The report of `baret doctor`, as --json prints it. Facts that cannot be read are absent and named in `problems`. */
export const doctorReport = z.strictObject({
  baret: z.string(),
  node: z.string(),
  onnxruntime: z.strictObject({ version: z.string(), hasBinary: z.boolean() }).optional(),
  system: z.strictObject({
    platform: z.string(),
    arch: z.string(),
    release: z.string(),
    /** The C library, on Linux with glibc. */
    glibc: z.string().optional(),
    wsl: z.boolean(),
  }),
  processor: z.strictObject({ name: z.string().optional(), cpus: z.number(), threads: z.number() }),
  memory: z.strictObject({ total: bytes, available: bytes, limit: bytes.optional() }).optional(),
  cache: z
    .strictObject({ folder: z.string(), bytes: bytes.optional(), free: bytes.optional(), writable: z.boolean() })
    .optional(),
  models: z.array(z.strictObject({ name: z.string(), place: z.string(), path: z.string() })).optional(),
  gpus: z.array(gpu),
  /** Vulkan's drivers, as their files describe them. */
  vulkan: z.array(z.strictObject({ file: z.string(), library: z.string(), version: z.string().optional() })),
  cuda: z.strictObject({ folder: z.string(), packages: z.array(z.string()) }).optional(),
  devices: z.array(device),
  /** Sentences about the machine that explain a device, or say what could not be read. */
  problems: z.array(z.string()),
});

export type CheckResult = z.infer<typeof check>;
export type DeviceReport = z.infer<typeof device>;
export type GpuFacts = z.infer<typeof gpu>;
export type DoctorReport = z.infer<typeof doctorReport>;
