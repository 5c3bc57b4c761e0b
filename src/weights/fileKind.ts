import { CheckpointError, formatBytes, shown } from "../core/index.ts";

/** Another kind of file than was expected, and advice how to get the right one. */
interface OtherKind {
  readonly problem: string;
  readonly advice: string;
}

/** Enough of a file to tell its kind, a web page's title included. */
export const HEAD_BYTES = 4096;

const DOWNLOAD_AGAIN = "Download it again.";
const USE_SAFETENSORS = "Use the .safetensors file of the same model.";

/** Formats by their first characters. */
const formats: readonly (readonly [start: string, kind: OtherKind])[] = [
  ["GGUF", { problem: "this is a GGUF file, whose weights are quantised", advice: USE_SAFETENSORS }],
  ["\x89HDF", { problem: "this is an HDF5 file of Keras", advice: USE_SAFETENSORS }],
  ["\x1f\x8b\x08", { problem: "this is a gzip archive", advice: "Unpack it." }],
  ["7z\xbc\xaf", { problem: "this is a 7z archive", advice: "Unpack it." }],
  ["Rar!", { problem: "this is a RAR archive", advice: "Unpack it." }],
  ["\x28\xb5\x2f\xfd", { problem: "this is a Zstandard archive", advice: "Unpack it." }],
];

/** Returns the placeholder that Git LFS leaves in place of a large file, and the page that a failed download leaves. */
function failedDownload(head: Uint8Array): OtherKind | undefined {
  const text = new TextDecoder().decode(head.subarray(0, HEAD_BYTES));
  if (text.startsWith("version https://git-lfs")) {
    const [, size] = /^size (\d{1,15})$/m.exec(text) ?? [];
    const real = size ? ` of ${formatBytes(Number(size))}` : "";
    return {
      problem: `this is a Git LFS pointer, a placeholder for the real file${real}`,
      advice: "Run `git lfs pull` in the folder that was cloned, or download the file itself.",
    };
  }
  if (/^\s*<(!doctype|html|head|\?xml|!--)/i.test(text)) {
    const [, title] = /<title[^>]*>\s*([^<]+?)\s*</i.exec(text) ?? [];
    return {
      problem: `this is a web page${title ? `, titled ${shown(title)},` : ""} in place of the file`,
      advice: "Open the download's address in a browser, sign in or accept the model's terms, and download it again.",
    };
  }
  return undefined;
}

/** True if a file starts with these characters, one for each byte. */
const startsWith = (head: Uint8Array, start: string): boolean =>
  [...start].every((character, k) => head[k] === character.charCodeAt(0));

/** Throws CheckpointError if the first bytes of a file are those of a failed download: a Git LFS pointer or a web page. */
export function refuseFailedDownload(head: Uint8Array, where: string): void {
  const other = failedDownload(head);
  if (other) throw new CheckpointError(other.problem, { where, advice: other.advice });
}

/**
 * True if a file begins like a Python pickle: as a zip, or with the number of a protocol. The length of a safetensors
 * header may begin with the same number, but is never past 4 GiB.
 */
function isPickle(head: Uint8Array): boolean {
  const isProtocol = head[0] === 0x80 && head[1] >= 2 && head[1] <= 5 && head.subarray(4, 8).some((byte) => byte !== 0);
  return isProtocol || startsWith(head, "PK\x03\x04");
}

/** Returns the error for a Python pickle. Says why it is not read. advice: what to use instead. */
export const pickleError = (
  where: string,
  found: string,
  advice = "Use the .safetensors file of the same model, or convert it in Python with safetensors.torch.save_file.",
): CheckpointError =>
  new CheckpointError("these weights are a Python pickle, which can run any program when it is read", {
    where,
    found,
    expected: "safetensors",
    advice,
  });

/**
 * Throws CheckpointError, which says what a file is, if its first bytes show that. For a file that is not safetensors: the
 * length of a safetensors header may begin with the same bytes. head: HEAD_BYTES of it, if it has as many.
 */
export function refuseOtherFormats(head: Uint8Array, where: string): void {
  if (isPickle(head)) throw pickleError(where, "a .ckpt, .bin or .pt file");
  const [, format] = formats.find(([start]) => startsWith(head, start)) ?? [];
  const other = format ?? failedDownload(head) ?? plainText(head);
  if (other) throw new CheckpointError(other.problem, { where, advice: other.advice });
}

/** Text in place of weights, such as an error message of a server. */
function plainText(head: Uint8Array): OtherKind | undefined {
  const isText = (byte: number): boolean => (byte >= 32 && byte < 127) || (byte >= 9 && byte <= 13);
  const start = head.subarray(0, 64);
  if (start.length < 8 || !start.every(isText)) return undefined;
  return { problem: `this is text, beginning with ${shown(new TextDecoder().decode(start))}`, advice: DOWNLOAD_AGAIN };
}
