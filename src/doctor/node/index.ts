// The doctor of this machine: its facts, and every device in a child process of its own.
// Knows: core, runtime, storage.
// Does not know: how a report is shown.
import { devices as all, type Device } from "../../runtime/index.ts";
import { startEngine } from "../../runtime/node/index.ts";
import { type Examination, examineDevices } from "../examine.ts";
import type { DoctorReport } from "../report.ts";
import { machineFacts } from "./machine.ts";

export interface DoctorOptions extends Omit<Examination, "start"> {
  /** The devices to examine besides the CPU. Default: all that baret knows. */
  devices?: readonly Device[];
}

/**
 * Examines this machine and its devices. A device that fails, crashes or does not answer, and a fact that cannot be read, are
 * part of the report. Throws CancelledError if `signal` aborts.
 */
export async function examineMachine({ devices = all, ...options }: DoctorOptions = {}): Promise<DoctorReport> {
  const facts = await machineFacts();
  const start = (device: Device, signal: AbortSignal) => startEngine({ device, precision: "float32", signal });
  return { ...facts, devices: await examineDevices([...new Set<Device>(["cpu", ...devices])], { ...options, start }) };
}
