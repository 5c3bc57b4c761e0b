// Makes assets/queue/data.tar.br: an empty data folder of PGlite, so that a first start need not make one (3 s and 800 MB of memory
// on a quiet machine, four times that on a busy one). Run it again after an update of PGlite: node tools/queueSeed.mjs
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { PGlite } from "@electric-sql/pglite";

const folder = mkdtempSync(join(tmpdir(), "baret-seed-"));
const startParams = [...PGlite.defaultStartParams, "-c", "max_wal_size=32MB", "-c", "min_wal_size=32MB"];
const database = await PGlite.create(join(folder, "data"), { startParams });
await database.exec("vacuum freeze");
await database.exec("checkpoint");
const tar = Buffer.from(await (await database.dumpDataDir("none")).arrayBuffer());
await database.close();
rmSync(folder, { recursive: true });
// The window spans the three equal databases of an empty folder.
const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 11 };
const seed = brotliCompressSync(tar, { params });
writeFileSync(fileURLToPath(new URL("../assets/queue/data.tar.br", import.meta.url)), seed);
console.log(`assets/queue/data.tar.br: ${seed.length} bytes, unpacked ${tar.length}`);
