import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { downloadZip } from "client-zip";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { childEnvironment } from "../../src/runtime/node/childEnvironment.ts";
import { findCuda, installCuda, planCuda, removeCuda, removeUnfinished } from "../../src/runtime/node/cuda/index.ts";
import { type CudaPackage, cudaPackages, libraries, packagesFitVersion } from "../../src/runtime/node/cuda/packages.ts";
import { commitIn } from "../../src/runtime/node/cuda/wheel.ts";
import { installedOnnxruntime } from "../../src/runtime/node/index.ts";
import { temporaryFolder } from "../support/files.ts";

const path = temporaryFolder();
let cache = "";
let count = 0;
beforeEach(() => {
  cache = path(`cache-${count++}`);
  vi.stubEnv("BARET_CACHE", cache);
});

/** The commit of the installed onnxruntime, as its library names it. */
const commit = /git-commit-id=([0-9a-f]+)/.exec(
  readFileSync(join(installedOnnxruntime()!.folder, "libonnxruntime.so.1")).toString("latin1"),
)![1];

/** Makes a wheel and describes it. */
async function wheel(name: string, files: Record<string, string>): Promise<{ one: CudaPackage; bytes: Buffer }> {
  const entries = Object.entries(files).map(([file, input]) => ({ name: file, input, lastModified: new Date(0) }));
  const bytes = Buffer.from(await downloadZip(entries).arrayBuffer());
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const unpacked = Object.entries(files).reduce((sum, [file, text]) => sum + (/\.so/.test(file) ? text.length : 0), 0);
  return {
    bytes,
    one: { package: name, file: `${name.replaceAll("-", "_")}-1.0-any.whl`, bytes: bytes.length, sha256, unpacked },
  };
}

const provider = "onnxruntime/capi/libonnxruntime_providers_cuda.so";
const makeWheels = async (built = commit) => [
  await wheel("onnxruntime-gpu", {
    "onnxruntime/capi/libonnxruntime.so.1.30.0": `${"x".repeat(1e5)}git-commit-id=${built}, build type=Release`,
    [provider]: "cuda".repeat(5000),
    "onnxruntime/capi/libonnxruntime_providers_tensorrt.so": "not wanted",
    "onnxruntime/LICENSE": "MIT",
  }),
  await wheel("nvidia-cudnn-cu13", {
    "nvidia/cudnn/lib/libcudnn.so.9": "cudnn".repeat(50_000),
    "nvidia/cudnn/include/cudnn.h": "not wanted",
    "nvidia_cudnn.dist-info/licenses/License.txt": "proprietary",
  }),
];

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

/** Serves wheels as PyPI does: its simple API as JSON, and files with byte ranges. ranges: the first byte of each transfer. */
async function serve(wheels: Awaited<ReturnType<typeof makeWheels>>, tampered = false) {
  const ranges: number[] = [];
  const server = createServer((request, response) => {
    const file = wheels.find(({ one }) => request.url === `/files/${one.file}`);
    if (file) {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      ranges.push(from);
      response.writeHead(from > 0 ? 206 : 200, { "Content-Range": `bytes ${from}-${file.bytes.length - 1}/*` });
      // In pieces, so that a download can be stopped between them.
      const send = (at: number): void => {
        if (at >= file.bytes.length) return void response.end();
        response.write(file.bytes.subarray(at, at + 40_000), () => setTimeout(send, 5, at + 40_000));
      };
      return send(from);
    }
    const found = wheels.filter(({ one }) => request.url === `/simple/${one.package}/`);
    response.writeHead(found.length > 0 ? 200 : 404, { "Content-Type": "application/vnd.pypi.simple.v1+json" });
    response.end(
      JSON.stringify({
        files: found.map(({ one }) => ({
          filename: one.file,
          url: `../../files/${one.file}`,
          hashes: { sha256: tampered ? "0".repeat(64) : one.sha256 },
        })),
      }),
    );
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { index: `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple`, ranges };
}

const packagesOf = (wheels: Awaited<ReturnType<typeof makeWheels>>) => wheels.map(({ one }) => one);
const retries = { attempts: 1, firstDelayMs: 1, longestDelayMs: 1, stallMs: 5000, stallBytes: 1 };
const installed = [
  "LICENCE-nvidia-cudnn-cu13.txt",
  "LICENCE-onnxruntime-gpu.txt",
  "libcudnn.so",
  "libcudnn.so.9",
  "libonnxruntime.so.1",
  "libonnxruntime_providers_cuda.so",
];

test("an installation from an index has the wanted libraries, and the child process finds them", async () => {
  const wheels = await makeWheels();
  const { index } = await serve(wheels);
  const plan = await planCuda({ packages: packagesOf(wheels) });
  expect(plan).toMatchObject({ commit, installed: false, download: wheels[0].bytes.length + wheels[1].bytes.length });
  const { folder } = await installCuda(plan, { index, retries });
  expect(readdirSync(folder).sort()).toEqual(installed);
  expect(readFileSync(join(folder, "libcudnn.so"), "utf8")).toBe("cudnn".repeat(50_000));
  expect(readdirSync(join(cache, "cuda")).sort()).toEqual([
    `${plan.folder.split("/").at(-1)}`,
    expect.stringMatching(/json$/),
  ]);
  expect(childEnvironment("cuda", { LD_LIBRARY_PATH: "/mine" }).LD_LIBRARY_PATH).toMatch(`${folder}:/mine`);
  expect(childEnvironment("cpu", { LD_LIBRARY_PATH: "/mine" }).LD_LIBRARY_PATH).toBe("/mine");
  expect(await planCuda({ packages: packagesOf(wheels) })).toMatchObject({ installed: true, download: 0 });
});

test("an installation that is stopped resumes where it was, and ends with the same files", async () => {
  const wheels = await makeWheels();
  const { index, ranges } = await serve(wheels);
  const packages = packagesOf(wheels);
  const stop = new AbortController();
  const half = wheels[0].bytes.length + wheels[1].bytes.length / 2;
  const onProgress = ({ phase, done }: { phase: string; done: number }) => {
    if (phase === "download" && done > half) stop.abort();
  };
  const stopped = installCuda(await planCuda({ packages }), { index, retries, signal: stop.signal, onProgress });
  await expect(stopped).rejects.toThrow("cancelled");
  expect(findCuda()).toBeUndefined();
  const { folder } = await installCuda(await planCuda({ packages }), { index, retries });
  expect(readdirSync(folder).sort()).toEqual(installed);
  expect(readFileSync(join(folder, "libcudnn.so.9"), "utf8")).toBe("cudnn".repeat(50_000));
  // The first wheel was unpacked before, and of the second one only the rest came again.
  expect(ranges.slice(0, 2)).toEqual([0, 0]);
  expect(ranges).toHaveLength(3);
  expect(ranges[2]).toBeGreaterThan(0);
});

test("an index that lists another checksum is refused before anything is downloaded", async () => {
  const wheels = await makeWheels();
  const { index, ranges } = await serve(wheels, true);
  const plan = await planCuda({ packages: packagesOf(wheels) });
  await expect(installCuda(plan, { index, retries })).rejects.toThrow("another file under the expected name");
  expect(ranges).toEqual([]);
});

test("a provider of another commit is refused, though its checksum is right", async () => {
  const wheels = await makeWheels("0123abcde");
  const { index } = await serve(wheels);
  const plan = await planCuda({ packages: packagesOf(wheels) });
  await expect(installCuda(plan, { index, retries })).rejects.toThrow(`found 0123abcde, expected ${commit}`);
  expect(findCuda()).toBeUndefined();
});

test("wheels of a folder are installed without network, and missing ones are listed with a command that gets them", async () => {
  const wheels = await makeWheels();
  const packages = packagesOf(wheels);
  const from = path("wheels");
  mkdirSync(from);
  writeFileSync(join(from, wheels[0].one.file), wheels[0].bytes);
  const lacking = planCuda({ from, packages });
  await expect(lacking).rejects.toThrow(wheels[1].one.file);
  await expect(lacking).rejects.toThrow("nvidia-cudnn-cu13==1.0");
  writeFileSync(join(from, wheels[1].one.file), wheels[1].bytes);
  const to = path("libraries");
  const { folder } = await installCuda(await planCuda({ from, to, packages }));
  expect(folder).toBe(to);
  expect(readdirSync(to).sort()).toEqual(installed);
  expect(readdirSync(from)).toHaveLength(2);

  // A single wheel replaces them with its own libraries.
  const alone = await planCuda({ from: join(from, wheels[0].one.file), to, packages });
  await installCuda(alone);
  expect(readdirSync(to).sort()).toEqual(installed.filter((name) => !name.includes("cudnn")));
});

test("a wheel of another content is refused", async () => {
  const wheels = await makeWheels();
  const from = path("changed");
  mkdirSync(from);
  for (const { one, bytes } of wheels) {
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(join(from, one.file), bytes);
  }
  await expect(installCuda(await planCuda({ from, packages: packagesOf(wheels) }))).rejects.toThrow("another content");
});

test("removing takes the installed files and leaves those of the user", async () => {
  const wheels = await makeWheels();
  const { index } = await serve(wheels);
  const to = path("shared");
  await installCuda(await planCuda({ to, packages: packagesOf(wheels) }), { index, retries });
  writeFileSync(join(to, "mine.txt"), "");
  expect((await removeCuda())?.folder).toBe(to);
  await removeUnfinished();
  expect(readdirSync(to)).toEqual(["mine.txt"]);
  expect(findCuda()).toBeUndefined();
  expect(await removeCuda()).toBeUndefined();
  // Nor does an installation take over a folder with files of the user.
  const plan = await planCuda({ to, packages: packagesOf(wheels) });
  await expect(installCuda(plan, { index, retries })).rejects.toThrow("the folder has other files");
});

test("the known wheels fit the installed onnxruntime, and have libraries to take", () => {
  expect(installedOnnxruntime()?.version).toBe(packagesFitVersion);
  for (const packages of Object.values(cudaPackages)) {
    expect(packages?.map(({ package: name }) => name)).toEqual(Object.keys(libraries));
    expect(packages?.find(({ package: name }) => name === "onnxruntime-gpu")?.file).toContain(packagesFitVersion);
  }
});

test("a commit is found wherever the pieces of a file are cut", async () => {
  const text = `${"a".repeat(200)}git-commit-id=f2c39fe2f, build type=Release${"b".repeat(200)}`;
  async function* cut(size: number) {
    for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size));
  }
  for (let size = 1; size < 300; size++) expect(await commitIn(cut(size))).toBe("f2c39fe2f");
  expect(await commitIn(cut(1000))).toBe("f2c39fe2f");
});

test("a damaged record of an installation counts as none", () => {
  const file = join(cache, "cuda", `onnxruntime-${packagesFitVersion}-${process.platform}-${process.arch}.json`);
  mkdirSync(join(cache, "cuda"), { recursive: true });
  writeFileSync(file, "{");
  expect(findCuda()).toBeUndefined();
  expect(existsSync(file)).toBe(true);
});

test("the child process sends no usage data, unless the user's environment allows it", () => {
  expect(childEnvironment("cpu", {}).ORT_DISABLE_TELEMETRY).toBe("1");
  expect(childEnvironment("cpu", { ORT_DISABLE_TELEMETRY: "0" }).ORT_DISABLE_TELEMETRY).toBe("0");
});
