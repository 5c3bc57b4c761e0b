/** Programs that the measurements start, and end again: a Postgres server, and baret's own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../src/core/index.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const baret = join(root, "dist/cli/main.js");
export const tinyModel = join(root, "test/fixtures/tiny-sd1");
export const photoFile = join(root, "examples/dog.png");

/** Returns a temporary folder that other users of this machine may enter. */
export function openFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "baret-load-"));
  chmodSync(path, 0o777);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

const quietly = (command: string, args: readonly string[]): void =>
  void execFileSync(command, args, { stdio: "ignore" });

/** A Postgres server of Debian's packages with an empty database. */
export class Postgres {
  readonly url: string;
  private readonly run: (program: string, args: string) => void;
  private readonly data: string;

  /** address: on which it listens. */
  constructor(folder: string, address: string, port: number) {
    const place = "/usr/lib/postgresql";
    if (!existsSync(place)) {
      throw new UsageError("there is no Postgres", { advice: "Install it: apt-get install -y postgresql" });
    }
    const bin = join(place, readdirSync(place).sort().at(-1)!, "bin");
    this.data = join(folder, "postgres");
    this.url = `postgres://postgres@${address}:${port}/postgres`;
    // Postgres refuses to run as root.
    this.run = (program, args) => quietly("su", ["postgres", "-s", "/bin/sh", "-c", `${join(bin, program)} ${args}`]);
    this.run("initdb", `-D ${this.data} -A trust`);
    const settings = `listen_addresses = '${address}'\nport = ${port}\nunix_socket_directories = '${this.data}'\n`;
    quietly("sh", ["-c", `printf "${settings}" >> ${this.data}/postgresql.conf`]);
    quietly("sh", ["-c", `echo "host all all 0.0.0.0/0 trust" >> ${this.data}/pg_hba.conf`]);
    this.start();
  }

  start(): void {
    this.run("pg_ctl", `-D ${this.data} -w -l ${this.data}/log start`);
  }

  /** Ends all its connections at once, as a restart in a hurry does. */
  stop(): void {
    this.run("pg_ctl", `-D ${this.data} -w -m immediate stop`);
  }
}

/** A network of its own for a worker, joined to this machine's by one cable. */
export class Network {
  readonly name: string;
  private readonly cable: string;

  /** index: of several networks, from 0. */
  constructor(index: number) {
    this.name = `baretload${index}`;
    this.cable = `bl${index}`;
    this.remove();
    const [here, there] = [`10.88.${index}.1`, `10.88.${index}.2`];
    quietly("ip", ["netns", "add", this.name]);
    quietly("ip", ["link", "add", this.cable, "type", "veth", "peer", "name", "eth0", "netns", this.name]);
    quietly("ip", ["addr", "add", `${here}/24`, "dev", this.cable]);
    quietly("ip", ["link", "set", this.cable, "up"]);
    const inside = (...args: string[]): void => quietly("ip", ["-n", this.name, ...args]);
    inside("addr", "add", `${there}/24`, "dev", "eth0");
    inside("link", "set", "lo", "up");
    inside("link", "set", "eth0", "up");
    inside("route", "add", "default", "via", here);
  }

  cut(): void {
    quietly("ip", ["link", "set", this.cable, "down"]);
  }

  heal(): void {
    quietly("ip", ["link", "set", this.cable, "up"]);
  }

  remove(): void {
    try {
      quietly("ip", ["netns", "del", this.name]);
    } catch {
      // There was none.
    }
  }
}

/** A program of baret's with its children, in a process group of its own. */
export class Program {
  readonly process: ChildProcess;
  readonly began = performance.now();
  /** The end of what it has printed. With --json, errors are on standard output. */
  printed = "";

  constructor(args: readonly string[], cache: string, network?: Network) {
    const command = [process.execPath, baret, ...args];
    const all = network ? ["ip", "netns", "exec", network.name, ...command] : command;
    this.process = spawn(all[0], all.slice(1), {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, BARET_CACHE: cache },
    });
    for (const stream of [this.process.stdout!, this.process.stderr!]) {
      stream.on("data", (text: Buffer) => {
        this.printed = (this.printed + text.toString()).slice(-4000);
      });
    }
  }

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Waits for the first line of standard output. Throws if the program ends before. */
  async firstLine(): Promise<string> {
    const lines = createInterface({ input: this.process.stdout! });
    const ended = once(this.process, "exit").then(() => Promise.reject(new Error(`it ended: ${this.printed}`)));
    ended.catch(() => undefined);
    const [line] = await Promise.race([once(lines, "line"), ended]);
    return line as string;
  }

  /** Sends SIGKILL to the program and all that it has started, and waits for its end. */
  async kill(): Promise<void> {
    if (this.hasEnded) return;
    const ended = once(this.process, "exit");
    for (const pid of [...descendants(this.process.pid!), this.process.pid!]) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
    await ended;
  }
}

/** Process ids of all that a process has started, also in groups of their own. */
export function descendants(pid: number): number[] {
  const text = execFileSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" });
  const pairs = text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const of = (parent: number): number[] =>
    pairs.filter(([, ppid]) => ppid === parent).flatMap(([child]) => [child, ...of(child)]);
  return of(pid);
}

/** Starts a server, and waits until it takes jobs. */
export async function startServer(args: readonly string[], cache: string): Promise<{ program: Program; url: string }> {
  const program = new Program(["serve", "--no-open", "--port", "0", "--json", ...args], cache);
  const { url } = JSON.parse(await program.firstLine()) as { url: string };
  await untilReady(url, () => program.hasEnded).catch((error: Error) => {
    throw new Error(`${error.message}: ${program.printed.trim()}`);
  });
  return { program, url };
}

/** Waits until a server takes jobs. Throws if it does not for two minutes, or once `isOver`. */
export async function untilReady(url: string, isOver = (): boolean => false): Promise<void> {
  for (const began = performance.now(); performance.now() < began + 120_000 && !isOver(); await sleep(50)) {
    const answer = await fetch(new URL("health", url)).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error("the server does not become ready");
}
