/** Text in lines of onnxruntime's log that does not help a user: colours, time, place in the source. */
const noise = [
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's colours begin with one
  /\x1b\[[\d;]*m/g,
  /^\d{4}-\d\d-\d\d [\d:.]+ \[[^\]]*\] /,
  /\/onnxruntime_src\/\S+:\d+ [^(]*\([^)]*\)(?:::<lambda\(\)>)? (?:\[ONNXRuntimeError\] : \d+ : \w+ : )?(?:.*? was false\. )?/,
  /^\s+at .*/,
  // "shader_helper.cc:416 GenerateSourceCode "
  /(?<=^|: )\w+\.cc:\d+ \w+ /,
  // Before and after the statement in CUDA's messages: the signature of a C++ function; the GPU, host and place in the source.
  /^.*?(?=CUDA failure \d+: )/,
  /(?<=CUDA failure \d+: [^;]*?) *; GPU=-?\d+ ; hostname=.*$/,
];

/** Returns the statements of a log, each once. */
function statements(log: string): string[] {
  const lines = log.split("\n").map((line) => noise.reduce((text, part) => text.replace(part, ""), line).trim());
  return [...new Set(lines)].filter((line) => line !== "");
}

/** Adds the reasons in the log to an error message of native code. */
export function withReasons(message: string, log: string): string {
  const [said = message] = statements(message.replaceAll(/\s*\n\s*/g, " "));
  const reasons = statements(log).filter((line) => !said.includes(line) && !line.includes(said));
  return [said, ...reasons].join("; ");
}

/** Says that a device does not work any more, at the start of a message. */
export const deviceLost = "the device was lost";

/**
 * True for an error after which the process can compute nothing more on its device: WebGPU's device is lost, or CUDA reports an
 * error that, as NVIDIA's documentation says, all further calls of the process return too.
 */
export const isDeviceLost = (found: string): boolean =>
  found.startsWith(deviceLost) ||
  /device (is |was )?lost|DEVICE_LOST|lost device|CUDA failure (700|702|710|71[4-9]):/i.test(found);
