import { createReadStream } from "node:fs";
import { copyFile, open, readdir, rename, rm, rmdir, stat, statfs, symlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import {
  DeviceError,
  formatBytes,
  listed,
  StorageError,
  throwIfCancelled,
  UsageError,
  type Work,
} from "../../../core/index.ts";
import {
  downloadedBytes,
  downloadWheels,
  hashFile,
  lock,
  makeFolder,
  storageError,
  type WheelOptions,
  writeFileAtomic,
} from "../../../storage/node/index.ts";
import { installedOnnxruntime } from "../onnxruntime.ts";
import { type CudaPackage, cudaPackages, libraries, packagesFitVersion } from "./packages.ts";
import { type CudaInstall, cudaHome, findCuda, installName, recordPath } from "./place.ts";
import { commitIn, commitOfWheel, unpackWheel } from "./wheel.ts";

const onnxruntimeLibrary = "libonnxruntime.so.1";
const providerPackage = "onnxruntime-gpu";
/** Begins the names of files that mark a package as unpacked. */
const DONE = ".done-";
/** Names without a version under which the provider opens libraries. NVIDIA's wheels do not have them. */
const links: Readonly<Record<string, string>> = { "libcudnn.so": "libcudnn.so.9", "libnvrtc.so": "libnvrtc.so.13" };

export interface CudaOptions {
  /** A folder of wheels, or one wheel, to install instead of downloading. A single wheel installs its own libraries alone. */
  from?: string;
  /** Folder for the libraries. Default: in the cache folder. */
  to?: string;
  /** The wheels to install. Default: those that fit this onnxruntime. */
  packages?: readonly CudaPackage[];
}

/** The plan of an installation. */
export interface CudaPlan {
  readonly onnxruntime: string;
  readonly commit: string;
  readonly folder: string;
  readonly packages: readonly CudaPackage[];
  /** Paths of wheels that are on this disk, by their package. Empty if all are downloaded. */
  readonly wheels: ReadonlyMap<string, string>;
  /** Bytes still to download. */
  readonly download: number;
  /** Bytes of the installed libraries. */
  readonly unpacked: number;
  /** Most bytes that the disk must have free. */
  readonly space: number;
  /** True if these libraries are installed in this folder already. */
  readonly installed: boolean;
}

const elsewhere: Readonly<Partial<Record<string, string>>> = {
  win32: "On Windows use the device dml or webgpu, which need only the graphics driver, or install baret in WSL 2.",
  darwin: "Macs have no CUDA. Use the device coreml or webgpu.",
};

/** Throws DeviceError if this system has no CUDA libraries that could be installed. */
function packagesHere(): readonly CudaPackage[] {
  const { platform, arch } = process;
  const packages = platform === "linux" ? cudaPackages[arch] : undefined;
  if (packages) return packages;
  throw new DeviceError("there are no CUDA libraries for this system", {
    found: `${platform} on ${arch}`,
    expected: "linux on x64 or arm64",
    advice: elsewhere[platform] ?? "Use the device cpu.",
  });
}

/** Returns the command that downloads wheels on any machine that has Python's pip. */
export const pipCommand = (packages: readonly CudaPackage[]): string =>
  `pip download --no-deps --dest FOLDER --only-binary=:all: --python-version 3.11 ${platformsOf(packages)} ${packages
    .map(({ package: name, file }) => `${name}==${file.split("-")[1]}`)
    .join(" ")}`;

const platformsOf = (packages: readonly CudaPackage[]): string =>
  [...new Set(packages.flatMap(({ file }) => file.replace(".whl", "").split("-").at(-1)!.split(".")))]
    .map((tag) => `--platform ${tag}`)
    .join(" ");

const downloads = (): string => join(cudaHome(), "downloads");

/** Finds wheels below `from`: a folder of wheels or one wheel. Throws UsageError that lists the missing ones. */
async function wheelsIn(from: string, packages: readonly CudaPackage[]): Promise<Map<string, string>> {
  const path = resolve(from);
  const found = await stat(path).catch((cause) => {
    throw storageError("cannot be read", path, cause);
  });
  const names = new Set(found.isDirectory() ? await readdir(path) : []);
  const paths = packages.flatMap(({ package: name, file }): [string, string][] => {
    if (found.isDirectory()) return names.has(file) ? [[name, join(path, file)]] : [];
    return path.endsWith(`/${file}`) ? [[name, path]] : [];
  });
  const missing = packages.filter(({ package: name }) => !paths.some(([one]) => one === name));
  if (paths.length === 0 || (found.isDirectory() && missing.length > 0)) {
    throw new UsageError(`the folder lacks wheels\n${listed(missing.map(({ file }) => file))}`, {
      where: path,
      advice: `Download them where there is a network:\n${pipCommand(missing)}`,
    });
  }
  return new Map(paths);
}

/** Returns the commit from which the installed onnxruntime was built. Throws DeviceError if there is none for this system. */
async function installedCommit(): Promise<{ version: string; commit: string; library: string }> {
  const found = installedOnnxruntime();
  const library = join(found?.folder ?? "", onnxruntimeLibrary);
  const commit = found?.hasBinary ? await commitIn(createReadStream(library, { highWaterMark: 1 << 20 })) : undefined;
  if (!found || commit === undefined) {
    const advice = "Install baret again, with npm ci for example.";
    throw new DeviceError("onnxruntime is not installed for this system", { where: library, advice });
  }
  return { version: found.version, commit, library };
}

/**
 * Finds out what `installCuda` will do, without changing anything. Throws DeviceError if the system, or the installed version of
 * onnxruntime, has no fitting libraries, UsageError if `from` lacks wheels, StorageError.
 */
export async function planCuda({ from, to, packages: all = packagesHere() }: CudaOptions = {}): Promise<CudaPlan> {
  const { version, commit } = await installedCommit();
  if (version !== packagesFitVersion) {
    throw new DeviceError("the known CUDA libraries fit another version of onnxruntime", {
      found: version,
      expected: packagesFitVersion,
      advice: `Install onnxruntime-node ${packagesFitVersion}, with npm ci for example.`,
    });
  }
  const wheels = from === undefined ? new Map<string, string>() : await wheelsIn(from, all);
  const packages = from === undefined ? all : all.filter(({ package: name }) => wheels.has(name));
  const folder = to === undefined ? join(cudaHome(), installName(version)) : resolve(to);
  const old = findCuda(version);
  const files = packages.map(({ file }) => file);
  const installed = old?.folder === folder && `${old.packages}` === `${files}`;
  const sum = (key: "bytes" | "unpacked"): number => packages.reduce((total, one) => total + one[key], 0);
  let download = 0;
  if (from === undefined && !installed) {
    const part = `${folder}.part`;
    const marks = await readdir(part).catch((): string[] => []);
    const left = packages.filter(({ file }) => !marks.includes(DONE + file));
    download = left.reduce((total, { bytes }) => total + bytes, 0) - (await downloadedBytes(left, downloads()));
  }
  return {
    onnxruntime: version,
    commit,
    folder,
    packages,
    wheels,
    download,
    unpacked: sum("unpacked"),
    space: download + sum("unpacked") + SMALL_FILES,
    installed,
  };
}

/** The copy of onnxruntime's own library, licences and records. */
const SMALL_FILES = 50e6;

/** Bytes free on the disk that will have a folder. */
async function freeNear(folder: string): Promise<number> {
  for (let at = folder; ; at = dirname(at)) {
    const found = await statfs(at).catch(() => undefined);
    if (found) return found.bavail * found.bsize;
    if (dirname(at) === at) return Number.POSITIVE_INFINITY;
  }
}

async function requireRoom({ folder, space }: CudaPlan): Promise<void> {
  const free = await freeNear(folder);
  if (free >= space) return;
  throw new StorageError("too little disk space for CUDA's libraries", {
    where: folder,
    found: `${formatBytes(free)} free`,
    expected: formatBytes(space),
    advice: "Free some disk space, or name a folder on another disk with the option `to`.",
  });
}

/** Throws StorageError if the folder has files that no installation put there. */
async function requireOurs(folder: string, old: CudaInstall | undefined): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  if (names.length === 0 || old?.folder === folder) return;
  const advice = "Name a new or an empty folder with the option `to`.";
  throw new StorageError("the folder has other files", { where: folder, found: names.slice(0, 3).join(", "), advice });
}

/**
 * Puts the CUDA libraries of a plan in place, so that engines on the device "cuda" find them. They appear complete, by one rename.
 * A stopped installation resumes. Wheels that were downloaded are removed afterwards. Throws HubError if the index fails,
 * StorageError if a wheel is damaged, if another process installs, or if the disk has too little space, DeviceError if
 * a wheel was built from another commit than the installed onnxruntime, CancelledError.
 */
export async function installCuda(plan: CudaPlan, options: WheelOptions = {}): Promise<CudaInstall> {
  const old = findCuda(plan.onnxruntime);
  if (plan.installed && old) return old;
  await requireRoom(plan);
  await requireOurs(plan.folder, old);
  const unlock = await lock(join(cudaHome(), "lock")).catch((cause) => {
    throw storageError("the folder cannot be used", cudaHome(), cause);
  });
  if (!unlock) throw new StorageError("another process installs CUDA's libraries now", { where: cudaHome() });
  try {
    return await install(plan, options);
  } catch (cause) {
    throw storageError("CUDA's libraries cannot be installed", plan.folder, cause);
  } finally {
    await unlock();
  }
}

async function install(plan: CudaPlan, options: WheelOptions): Promise<CudaInstall> {
  const { folder, packages, wheels, onnxruntime } = plan;
  const part = `${folder}.part`;
  await makeFolder(part);
  const unpack = (one: CudaPackage, wheel: string) => unpackInto(part, plan, one, wheel, options);
  const missing: CudaPackage[] = [];
  for (const one of packages) if (!(await isUnpacked(part, one))) missing.push(one);
  if (wheels.size > 0) {
    for (const one of missing) {
      const wheel = wheels.get(one.package)!;
      await requireChecksum(one, wheel, options);
      await unpack(one, wheel);
    }
  } else {
    await makeFolder(downloads());
    await downloadWheels(
      missing,
      downloads(),
      async (wheel, path) => {
        await unpack(missing.find(({ file }) => file === wheel.file)!, path);
        await rm(path);
      },
      options,
    );
  }
  const { library } = await installedCommit();
  await copyFile(library, join(part, onnxruntimeLibrary));
  const names = new Set(await readdir(part));
  for (const [link, target] of Object.entries(links)) {
    if (names.has(target) && !names.has(link)) await symlink(target, join(part, link));
  }
  for (const name of names) if (name.startsWith(DONE)) await rm(join(part, name));
  await removeCuda(onnxruntime);
  await makeFolder(dirname(folder));
  await rmdir(folder).catch(() => undefined);
  await rename(part, folder);
  const record = { onnxruntime, folder, files: await readdir(folder), packages: packages.map(({ file }) => file) };
  await writeFileAtomic(recordPath(onnxruntime), `${JSON.stringify(record, null, 2)}\n`);
  await rm(downloads(), { recursive: true, force: true });
  return record;
}

const isUnpacked = (folder: string, { file }: CudaPackage): Promise<boolean> =>
  stat(join(folder, DONE + file)).then(
    () => true,
    () => false,
  );

async function requireChecksum(
  { file, sha256 }: CudaPackage,
  path: string,
  { signal, onProgress }: Work,
): Promise<void> {
  const found = await hashFile(path, { signal, onProgress });
  if (found === sha256) return;
  throw new StorageError("the wheel has another content than the known one", {
    where: path,
    found: `sha256 ${found}`,
    expected: sha256,
    advice: `Download ${file} again.`,
  });
}

async function unpackInto(
  folder: string,
  { commit }: CudaPlan,
  { package: name, file, unpacked }: CudaPackage,
  wheel: string,
  { signal, onProgress }: Work,
): Promise<void> {
  throwIfCancelled(signal, "the installation");
  const built = name === providerPackage ? await commitOfWheel(wheel) : commit;
  if (built !== commit) {
    throw new DeviceError("the CUDA provider was built from another commit than the installed onnxruntime", {
      where: file,
      found: built ?? "no commit",
      expected: commit,
    });
  }
  let done = 0;
  const nameFor = (one: string): string | undefined => {
    if (libraries[name].test(one)) return one;
    return /^licen[cs]e(\.txt)?$/i.test(one) ? `LICENCE-${name}.txt` : undefined;
  };
  const names = await unpackWheel(wheel, folder, nameFor, {
    signal,
    onBytes: (bytes) => {
      done += bytes;
      // The licence does not count.
      if (done > unpacked) return;
      onProgress?.({ phase: `unpack ${name}`, done, total: unpacked, unit: "bytes" });
    },
  });
  if (names.filter((one) => one.includes(".so")).length === 0) {
    throw new StorageError("the wheel has none of the expected libraries", { where: wheel });
  }
  // The libraries must be on the disk before the mark that says so.
  for (const one of names) {
    const handle = await open(join(folder, one));
    await handle.sync().finally(() => handle.close());
  }
  await writeFileAtomic(join(folder, DONE + file), "");
}

/**
 * Removes the CUDA libraries of this onnxruntime: the files that the installation made, their folder if it is empty then, and
 * unfinished downloads. Returns what was removed, or undefined if there was nothing. Throws StorageError.
 */
export async function removeCuda(version = installedOnnxruntime()?.version): Promise<CudaInstall | undefined> {
  const found = findCuda(version);
  if (!found) return undefined;
  try {
    await rm(recordPath(found.onnxruntime), { force: true });
    for (const name of found.files) await rm(join(found.folder, name), { force: true });
    await rmdir(found.folder).catch(() => undefined);
  } catch (cause) {
    throw storageError("cannot be removed", found.folder, cause);
  }
  return found;
}

/** Removes what stopped installations left. Throws StorageError. */
export async function removeUnfinished(version = installedOnnxruntime()?.version): Promise<void> {
  if (version === undefined) return;
  const leftovers = [downloads(), `${join(cudaHome(), installName(version))}.part`];
  for (const path of leftovers) {
    await rm(path, { recursive: true, force: true }).catch((cause) => {
      throw storageError("cannot be removed", path, cause);
    });
  }
}
