// What each device of a machine can do: small programs run on it, compared with the CPU, and timed.
// Knows: core, graph, runtime.
// Does not know: models, how a report is shown. What reads the machine's own facts is in node/.
export { type Examination, examineDevices } from "./examine.ts";
export { type CheckResult, type DeviceReport, type DoctorReport, doctorReport } from "./report.ts";
