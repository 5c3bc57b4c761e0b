import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresPrograms } from "./needs.ts";

export { noPostgres } from "./needs.ts";

/** A Postgres server of a test: its own data folder, and a socket in a folder instead of a port. */
export interface PostgresServer {
  readonly url: string;
  /** Stops the server as a restart of the machine does: connections break. */
  stop(): void;
  start(): void;
  delete(): void;
}

/** Starts a server. Root may not run one, so that Debian's user "postgres" does then. */
export function startPostgres(): PostgresServer {
  const folder = mkdtempSync(join(tmpdir(), "baret-pg-"));
  const isRoot = process.getuid?.() === 0;
  const id = (flag: string): number => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  const user = isRoot ? { uid: id("-u"), gid: id("-g") } : {};
  if (isRoot) chownSync(folder, user.uid!, user.gid!);
  chmodSync(folder, 0o700);
  const run = (program: string, ...args: string[]): void => {
    execFileSync(join(postgresPrograms!, program), args, { ...user, cwd: folder, stdio: "ignore" });
  };
  const data = join(folder, "data");
  const settings = `-k ${folder} -c listen_addresses= -c fsync=off -c shared_buffers=16MB`;
  const control = (...args: string[]): void => run("pg_ctl", "-D", data, "-w", "-l", join(folder, "log"), ...args);
  const start = (): void => control("-o", settings, "start");
  const stop = (): void => control("-m", "immediate", "stop");
  run("initdb", "-D", data, "-A", "trust", "-U", "baret", "--no-sync", "-E", "UTF8", "--locale", "C");
  start();
  return {
    url: `postgres://baret@localhost/postgres?host=${encodeURIComponent(folder)}`,
    start,
    stop,
    delete() {
      stop();
      rmSync(folder, { recursive: true });
    },
  };
}
