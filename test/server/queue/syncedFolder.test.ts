import { fsyncSync, readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import { PGlite } from "@electric-sql/pglite";
import { expect, onTestFinished, test } from "vitest";
import { SyncedFolder, syncedParams } from "../../../src/server/node/queue/syncedFolder.ts";
import { temporaryFolder } from "../../support/files.ts";

const path = temporaryFolder();

test("every commit puts the embedded database's log on the disk before it is reported, unless it says that it need not", async () => {
  let syncs = 0;
  const fs = new SyncedFolder(path("data"), (descriptor) => {
    syncs++;
    fsyncSync(descriptor);
  });
  const database = await PGlite.create({
    fs,
    loadDataDir: new Blob([brotliDecompressSync(readFileSync("assets/queue/data.tar.br"))]),
    startParams: syncedParams(PGlite.defaultStartParams),
  });
  onTestFinished(() => database.close());
  expect(syncs).toBe(0);
  fs.opened();
  await database.exec("create table t (a int)");
  const during = async (...statements: string[]): Promise<number> => {
    const before = syncs;
    for (const statement of statements) await database.query(statement);
    return syncs - before;
  };
  expect(await during("insert into t values (1)")).toBe(1);
  expect(await during("begin", "insert into t values (2)", "insert into t values (3)")).toBe(0);
  expect(await during("commit")).toBe(1);
  expect(await during("select * from t")).toBe(0);
  expect(await during("begin", "set local synchronous_commit = off", "insert into t values (4)", "commit")).toBe(0);
}, 120_000);
