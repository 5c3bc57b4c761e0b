import { downloadZip } from "client-zip";
import type { Job, MadePicture } from "../../../src/server/api/index.ts";
import { slug } from "./words.ts";

/** A picture to save. */
export interface PictureFile {
  readonly name: string;
  readonly read: () => Promise<Blob>;
}

/** Returns the name of a picture's file: its prompt, its name if the job has others, and the start of the job's id. */
export function fileName({ id, request }: Pick<Job, "id" | "request">, { name }: Pick<MadePicture, "name">): string {
  const own = name === "edit" ? [] : [slug(request.kind === "sweep" ? `sweep-${name}` : name)];
  return [slug(request.target), ...own, id.slice(0, 6)].join("-").concat(".png");
}

/** Saves a file where the person chooses, without holding it in memory. Not in all browsers. */
type FilePicker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;

/** Offers bytes as a download. */
function offer(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * Saves pictures as one zip. Returns false if the person chose no place. onPicture: called with the number of pictures so far.
 * Rejects if a picture cannot be read.
 */
export async function saveZip(
  files: AsyncIterable<PictureFile>,
  name: string,
  onPicture: (count: number) => void,
): Promise<boolean> {
  async function* contents() {
    let count = 0;
    const names = new Map<string, number>();
    for await (const file of files) {
      const input = await file.read();
      const same = names.get(file.name) ?? 0;
      names.set(file.name, same + 1);
      yield { name: same > 0 ? file.name.replace(/\.png$/, `-${same + 1}.png`) : file.name, input };
      onPicture(++count);
    }
  }
  const { showSaveFilePicker: pick } = window as { showSaveFilePicker?: FilePicker };
  if (!pick) {
    offer(await downloadZip(contents()).blob(), name);
    return true;
  }
  let place: FileSystemFileHandle;
  try {
    place = await pick.call(window, { suggestedName: name });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return false;
    throw error;
  }
  // If a picture fails, the pipe aborts the file, and what was there before stays.
  await downloadZip(contents()).body!.pipeTo(await place.createWritable());
  return true;
}
