import { join } from "node:path";
import { z } from "zod";
import { HubError, UsageError, type Work } from "../../core/index.ts";
import { bytesOnDisk, downloadFile } from "./hub/downloadFile.ts";
import { PullProgress } from "./hub/progress.ts";
import { Requests } from "./hub/requests.ts";
import { defaultRetryPolicy, RetryableError, type RetryPolicy, withRetries } from "./hub/retry.ts";
import { requireSpace } from "./space.ts";

/** A file of an index of Python packages whose content is known beforehand. */
export interface Wheel {
  /** Name of the package, as in the index's addresses. */
  readonly package: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface WheelOptions extends Work {
  /** Address of the index. Default: PIP_INDEX_URL, or PyPI's. */
  index?: string;
  retries?: RetryPolicy;
}

const MAX_LIST_BYTES = 16 << 20;
const json = "application/vnd.pypi.simple.v1+json";
/** Of PyPI's simple API as JSON, PEP 691. */
const schema = z.object({
  files: z.array(z.object({ filename: z.string(), url: z.string(), hashes: z.record(z.string(), z.string()) })),
});

const withoutIndex =
  "If this machine cannot reach the index, set PIP_INDEX_URL to a mirror, or download the files on another machine and install them with the option `from`.";

/** Reads PIP_INDEX_URL (default: PyPI). The message of UsageError does not repeat a password that the address contains. */
export function packageIndex(env: NodeJS.ProcessEnv = process.env): string {
  const index = (env.PIP_INDEX_URL?.trim() || "https://pypi.org/simple").replace(/\/+$/, "");
  const { protocol, username } = URL.canParse(index) ? new URL(index) : { protocol: "", username: "" };
  if (/^https?:$/.test(protocol) && username === "") return index;
  throw new UsageError("not the address of an index of Python packages", {
    where: "PIP_INDEX_URL",
    found: username === "" ? JSON.stringify(index) : "a URL that contains a user name",
    expected: "https://HOST/simple",
  });
}

/** Returns the bytes of wheels that earlier downloads into `folder`, also unfinished ones, left there. */
export async function downloadedBytes(wheels: readonly Wheel[], folder: string): Promise<number> {
  const found = await Promise.all(wheels.map((wheel) => bytesOnDisk(join(folder, wheel.file), fileOf(wheel))));
  return found.reduce((sum, bytes) => sum + bytes, 0);
}

const fileOf = ({ file, bytes, sha256 }: Wheel) =>
  ({ path: file, size: bytes, digest: sha256, algorithm: "sha256" }) as const;

/**
 * Downloads wheels one after the other into `folder` and calls `use` with each one's path once its checksum is verified. A
 * stopped download resumes. Throws HubError if the index fails or has other files, StorageError if the disk has too little
 * space or cannot be written, CancelledError.
 */
export async function downloadWheels(
  wheels: readonly Wheel[],
  folder: string,
  use: (wheel: Wheel, path: string) => Promise<void>,
  { index = packageIndex(), retries: policy = defaultRetryPolicy, signal, onProgress }: WheelOptions = {},
): Promise<void> {
  const progress = new PullProgress(onProgress);
  const work = { policy, signal, onWait: (reason: HubError, ms: number) => progress.waiting(reason, ms) };
  const requests = new Requests({ host: index, advice: withoutIndex }, work);
  const total = wheels.reduce((sum, { bytes }) => sum + bytes, 0);
  const present = await downloadedBytes(wheels, folder);
  await requireSpace(folder, total - present, "the download");
  progress.phase("download", total);
  progress.bytes(present);
  for (const wheel of wheels) {
    const path = join(folder, wheel.file);
    const url = await withRetries(() => addressOf(wheel, index, requests), work);
    const start = (from: number) =>
      requests.transfer(url, wheel.file, from, (response) => refusal(response, wheel, index));
    await downloadFile(fileOf(wheel), path, start, { ...work, onBytes: (bytes) => progress.bytes(bytes) });
    await use(wheel, path);
  }
}

/** Returns the address from which the index offers a wheel. Throws HubError if it does not offer it, or with another checksum. */
async function addressOf(wheel: Wheel, index: string, requests: Requests): Promise<string> {
  const page = `${index}/${wheel.package}/`;
  const { bytes } = await requests.text(page, page, json, MAX_LIST_BYTES, (response) =>
    refusal(response, wheel, index),
  );
  const found = parsed(bytes, page).files.find(({ filename }) => filename === wheel.file);
  if (!found) {
    throw new HubError("the index does not offer the file", {
      where: page,
      expected: wheel.file,
      advice: withoutIndex,
    });
  }
  if (found.hashes.sha256 !== wheel.sha256) {
    throw new HubError("the index offers another file under the expected name", {
      where: wheel.file,
      found: `sha256 ${found.hashes.sha256}`,
      expected: wheel.sha256,
      advice: "Nothing was installed. Do not trust this index.",
    });
  }
  return new URL(found.url, page).href;
}

function parsed(bytes: Buffer, where: string): z.infer<typeof schema> {
  try {
    return schema.parse(JSON.parse(bytes.toString()));
  } catch (cause) {
    const advice = "Check PIP_INDEX_URL. baret needs an index that answers in JSON (PEP 691), as PyPI does.";
    throw new HubError("the answer is not the list of a package's files", { where, advice, cause });
  }
}

function refusal({ status, statusText }: Response, { package: name }: Wheel, index: string): Error {
  const found = `${status} ${statusText}`.trim();
  const error = new HubError("the index refused the request", {
    where: `${index}/${name}`,
    found,
    advice: withoutIndex,
  });
  return status === 408 || status === 429 || status >= 500 ? new RetryableError(error) : error;
}
