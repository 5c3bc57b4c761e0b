import { Command } from "commander";
import { formatBytes, UsageError } from "../core/index.ts";
import { type CachedItem, DiskCache, listModels } from "../storage/node/index.ts";
import { jsonOption, withExamples } from "./options.ts";
import { columns, print, printJson } from "./print.ts";

/** Kinds of cache entries, with their descriptions. */
const kinds: Readonly<Record<string, string>> = {
  prepared: "prepared photos",
  inversion: "inverted photos, which methods share",
  weights: "weights converted to float32",
  program: "optimised programs",
};

const totalBytes = (items: readonly CachedItem[]): number => items.reduce((total, { bytes }) => total + bytes, 0);

/** Returns a row of the table for each kind of entry. */
function rowsOf(items: readonly CachedItem[]): string[][] {
  const found = [...new Set([...Object.keys(kinds), ...items.map(({ kind }) => kind)])];
  return found.map((kind) => {
    const own = items.filter((item) => item.kind === kind);
    return [`  ${kind}`, `${own.length}`, formatBytes(totalBytes(own)), kinds[kind] ?? ""];
  });
}

async function show({ json }: { json?: boolean }): Promise<void> {
  const cache = new DiskCache();
  const [items, limit] = [await cache.items(), await cache.limit()];
  const pulled = (await listModels())
    .filter(({ place }) => place === "pulled")
    .map(({ name, path }) => ({ name, path }));
  if (json) return printJson({ folder: cache.folder, limit, bytes: totalBytes(items), items, models: pulled });
  print(`${cache.folder}: ${formatBytes(totalBytes(items))} of at most ${formatBytes(limit)}`);
  print(columns(rowsOf(items)));
  const models = pulled.map(({ name }) => name).join(", ");
  print(`  pulled models, not counted in the limit: ${models || "none"}`);
}

const units: Readonly<Record<string, number>> = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 };

/** Returns the number of bytes in a text such as "5GB". A number without a unit is refused: as bytes, "5" would empty the cache. Throws UsageError. */
function bytesOf(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([kmgt]?b)$/i.exec(text) ?? [];
  const bytes = Math.round(Number(number) * units[unit?.toLowerCase()]);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new UsageError("", { where: "size", found: JSON.stringify(text), expected: "a size such as 500MB or 5GB" });
}

const removedText = (items: readonly CachedItem[]): string =>
  `${items.length} ${items.length === 1 ? "entry" : "entries"} removed, ${formatBytes(totalBytes(items))}`;

export function cacheCommand(): Command {
  const command = new Command("cache").addOption(jsonOption()).action(show);
  command
    .command("clear")
    .description("remove all entries that are not in use; baret recreates them when it needs them")
    .argument("[kind...]", `${Object.keys(kinds).join(", ")}; default all`)
    .action(async (given: string[]) => {
      const unknown = given.filter((kind) => !(kind in kinds));
      if (unknown.length > 0) {
        const expected = Object.keys(kinds).join(", ");
        throw new UsageError("no such kind of entry", { found: unknown.join(", "), expected });
      }
      print(removedText(await new DiskCache().clear(given.length > 0 ? given : undefined)));
    });
  command
    .command("limit")
    .description("set the largest size of the cache; above it, the least recently used entries are removed")
    .argument("<size>", "such as 5GB")
    .action(async (text: string) => {
      const bytes = bytesOf(text);
      print(`at most ${formatBytes(bytes)}; ${removedText(await new DiskCache().setLimit(bytes))}`);
    });
  return withExamples(command, "baret cache", "baret cache limit 5GB", "baret cache clear");
}
