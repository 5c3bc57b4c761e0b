// Lists the files of each folder that a page loads from a web server, with their hashes, in the folder's files.json:
//
//     node tools/fileLists.mjs
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const isNeeded = (path) => /\.(json|txt|safetensors)$/.test(path) && path !== "files.json";
for (const name of ["checkpoints/menagerie", "checkpoints/menagerie-judge", "assets/clip"]) {
  const folder = fileURLToPath(new URL(`../${name}/`, import.meta.url));
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => statSync(folder + path).isFile() && isNeeded(path))
    .sort();
  const files = paths.map((path) => {
    const bytes = readFileSync(folder + path);
    return { path, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  writeFileSync(`${folder}files.json`, `${JSON.stringify({ files }, null, 2)}\n`);
}
