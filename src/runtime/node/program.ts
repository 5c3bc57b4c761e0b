import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { EngineError } from "../../core/index.ts";
import { BUNDLE_ADVICE } from "../../storage/node/index.ts";

/**
 * Returns the path of a program for a child process, which lies beside the module `here`. A plain Node 20 runs no TypeScript, so
 * from the sources it is the compiled one in dist/, which the tests' global set-up keeps fresh. here: the module's
 * import.meta.url. Throws EngineError if it is missing, as it is in a bundle.
 */
export function programBeside(here: string | undefined, name: string): string {
  const fromSource = here?.endsWith(".ts");
  const runsTypeScript = "typescript" in process.features && process.features.typescript;
  // A bundle in CommonJS form has no import.meta.url.
  if (!here) throw missing(`./${name}.js`);
  const url = new URL(`./${name}${fromSource && runsTypeScript ? ".ts" : ".js"}`, here);
  const inSources = /\/src\/(?!.*\/src\/)/;
  const program = fileURLToPath(fromSource && !runsTypeScript ? url.href.replace(inSources, "/dist/") : url);
  if (existsSync(program)) return program;
  throw missing(program);
}

const missing = (where: string): EngineError =>
  new EngineError("the program that runs models is missing", { where, advice: BUNDLE_ADVICE });
