import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";

export interface TorchCall {
  task: "forward" | "gradient";
  batch: number;
  dtype: "float32" | "bfloat16";
  layout: "contiguous" | "channels_last";
  /** Safetensors file that receives the result, as "result". */
  output?: string;
}

/** PyTorch in a process of its own, with the networks loaded; see pytorch.py. */
export class PyTorch {
  readonly versions: string;
  readonly pid: number;
  private readonly process: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  private constructor(process: ChildProcess, lines: AsyncIterator<string>, versions: string) {
    this.process = process;
    this.pid = process.pid!;
    this.lines = lines;
    this.versions = versions;
  }

  /** config: of the U-Net. weights, inputs: safetensors files. */
  static async start(
    python: string,
    { config, weights, inputs, threads }: { config: object; weights: string; inputs: string; threads: number },
  ): Promise<PyTorch> {
    const args = ["bench/engine/pytorch.py", JSON.stringify(config), weights, inputs, `${threads}`];
    const child = spawn(python, args, { stdio: ["pipe", "pipe", "inherit"] });
    const reader: Interface = createInterface(child.stdout!);
    const lines = reader[Symbol.asyncIterator]();
    const { torch, diffusers } = JSON.parse(await next(lines)) as Record<string, string>;
    return new PyTorch(child, lines, `torch ${torch}, diffusers ${diffusers}`);
  }

  /** Seconds of one call after a warm-up. */
  time(call: TorchCall): Promise<number> {
    return this.ask(call);
  }

  /** Seconds of the fastest of several products of two square matrices. */
  matmul(side: number): Promise<number> {
    return this.ask({ task: "matmul", side });
  }

  async close(): Promise<void> {
    const closed = once(this.process, "close");
    this.process.stdin!.end();
    await closed;
  }

  private async ask(request: object): Promise<number> {
    this.process.stdin!.write(`${JSON.stringify(request)}\n`);
    return (JSON.parse(await next(this.lines)) as { seconds: number }).seconds;
  }
}

async function next(lines: AsyncIterator<string>): Promise<string> {
  const { value, done } = await lines.next();
  if (done) throw new Error("PyTorch's process ended; its messages are above");
  return value;
}
