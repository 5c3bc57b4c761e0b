/**
 * The program of the process in which native code runs. It reads requests from descriptor 3 and answers them one by one. A
 * call of onnxruntime blocks this process and may abort it, which is why it is a process of its own. Descriptor 4 closes
 * when the parent ends. A second thread, which native calls do not block, waits for that and ends this process at once.
 */
import { closeSync, readSync, writeSync } from "node:fs";
import { isMainThread, Worker } from "node:worker_threads";
import { env, InferenceSession, listSupportedBackends, Tensor } from "onnxruntime-node";
import { adamInPlace, inOneMemory } from "../adamInPlace.ts";
import type { Device } from "../engine.ts";
import type { Request as AnyRequest, ArrayHead, Reply } from "../messages.ts";
import { copiesOf } from "./deviceCopies.ts";
import { frameParts, frameReader } from "./frames.ts";
import type { ChildLoad } from "./loading.ts";
import { ON_DEVICE } from "./onDevice.ts";

type Request = AnyRequest<ChildLoad>;

const messages = 3;
const parentPipe = 4;

/** Fills `target`. Returns false at the end of the stream. */
function readFully(descriptor: number, target: Uint8Array): boolean {
  for (let done = 0; done < target.length; ) {
    const n = readSync(descriptor, target, done, target.length - done, null);
    if (n === 0) return false;
    done += n;
  }
  return true;
}

function receive(): { head: Request; arrays: Uint8Array<ArrayBuffer>[] } | undefined {
  const reader = frameReader();
  let step = reader.next();
  while (!step.done) {
    if (!readFully(messages, step.value)) return undefined;
    step = reader.next();
  }
  return { head: step.value.head as Request, arrays: step.value.arrays };
}

function send(reply: Reply, arrays: readonly Uint8Array[] = []): void {
  for (const part of frameParts(reply, arrays)) {
    for (let done = 0; done < part.length; ) done += writeSync(messages, part, done, part.length - done);
  }
}

/** The engine's device is this program's only argument. */
const device = process.argv[2] as Device;
const copies = copiesOf(device);
const sessions = new Map<number, InferenceSession>();
/** Tensors that stay here between runs. */
const residents = new Map<number, Tensor>();

function toOnnx({ dtype, shape }: ArrayHead, { buffer }: Uint8Array<ArrayBuffer>): Tensor {
  return dtype === "int64"
    ? new Tensor("int64", new BigInt64Array(buffer), shape)
    : new Tensor("float32", new Float32Array(buffer), shape);
}

/** Sends float32 tensors. */
async function sendTensors(found: readonly { name: string; value: Tensor }[]): Promise<void> {
  const arrays: Uint8Array[] = [];
  for (const { value } of found) {
    const { buffer, byteOffset, byteLength } = (await copies.toHost(value)).data as Float32Array;
    arrays.push(new Uint8Array(buffer, byteOffset, byteLength));
  }
  const outputs = found.map(({ name, value }) => ({ name, dtype: "float32" as const, shape: value.dims }));
  send({ kind: "done", outputs }, arrays);
}

/** Frees the memory of a tensor at once if it is the device's, of which the garbage collector does not know. */
function free(tensor: Tensor | undefined): void {
  if (tensor?.location === ON_DEVICE) tensor.dispose();
}

async function run({ session, feeds, outputs, keep }: Request & { kind: "run" }, arrays: Uint8Array<ArrayBuffer>[]) {
  const moved = arrays.values();
  const inputs = feeds.map((head) => [
    head.name,
    "resident" in head ? residents.get(head.resident)! : toOnnx(head, moved.next().value!),
  ]);
  const kept = new Set(keep.map(({ name }) => name));
  const program = sessions.get(session)!;
  // If outputs stay on the device, onnxruntime-node 1.30 mixes up those of runs that ask for different ones.
  const wanted = device === "webgpu" ? program.outputNames : [...outputs, ...kept];
  const results = await program.run(Object.fromEntries(inputs), wanted);
  for (const { name, resident } of keep) residents.set(resident, results[name]);
  await sendTensors(outputs.map((name) => ({ name, value: results[name] })));
  for (const [name, result] of Object.entries(results)) if (!kept.has(name)) free(result);
}

async function answer(head: Request, arrays: Uint8Array<ArrayBuffer>[]): Promise<void> {
  for (const resident of head.drop ?? []) {
    free(residents.get(resident));
    residents.delete(resident);
  }
  if (head.kind === "run") return run(head, arrays);
  if (head.kind === "read") return sendTensors(head.residents.map((id) => ({ name: "", value: residents.get(id)! })));
  if (head.kind === "put") {
    const numbers = arrays.map(({ buffer }) => new Float32Array(buffer));
    const placed = head.together ? inOneMemory(numbers) : numbers;
    for (const [i, { resident, shape }] of head.tensors.entries()) {
      residents.set(resident, await copies.toDevice(new Tensor("float32", placed[i], shape)));
    }
    return send({ kind: "done", outputs: [] });
  }
  if (head.kind === "adam") {
    adamInPlace(head, (resident) => residents.get(resident)!.data as Float32Array);
    return send({ kind: "done", outputs: [] });
  }
  if (head.kind === "load") {
    const { path, options } = head.load;
    sessions.set(
      head.session,
      await (path === undefined ? InferenceSession.create(arrays[0], options) : InferenceSession.create(path, options)),
    );
  } else {
    const session = sessions.get(head.session);
    session?.endProfiling();
    await session?.release();
    sessions.delete(head.session);
  }
  send({ kind: "done", outputs: [] });
}

async function serve(): Promise<void> {
  new Worker(new URL(import.meta.url));
  // Ctrl-C reaches every process of a terminal. The parent decides what it means.
  process.on("SIGINT", () => undefined);
  env.logLevel = "error";
  send({
    kind: "ready",
    onnxruntime: env.versions.node ?? env.versions.common,
    devices: listSupportedBackends().map(({ name }) => name),
  });
  for (let request = receive(); request; request = receive()) {
    await answer(request.head, request.arrays).catch((error: unknown) => {
      send({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
    });
  }
  process.kill(process.pid, "SIGKILL");
}

function watch(): void {
  try {
    readFully(parentPipe, new Uint8Array(1));
  } finally {
    closeSync(parentPipe);
    process.kill(process.pid, "SIGKILL");
  }
}

if (isMainThread) await serve();
else watch();
