import type { ChosenPlace } from "../../../src/server/web/chosen/place.ts";

/** Dialogs of the browser that give handles, which stay valid after a reload. Not in all browsers; the library of types lacks them. */
type Pickers = Partial<{
  showOpenFilePicker(options: object): Promise<FileSystemFileHandle[]>;
  showDirectoryPicker(options: object): Promise<FileSystemDirectoryHandle>;
}>;

/** Lets the person choose files with an element of the page, as every browser can. Returns none if they cancel. */
function filesOf(attributes: Partial<Pick<HTMLInputElement, "accept" | "webkitdirectory">>): Promise<readonly File[]> {
  const input = document.createElement("input");
  Object.assign(input, { type: "file", ...attributes });
  return new Promise((resolve) => {
    input.addEventListener("change", () => resolve([...(input.files ?? [])]), { once: true });
    input.addEventListener("cancel", () => resolve([]), { once: true });
    input.click();
  });
}

/** Resolves to undefined if the person cancels a dialog. */
const unlessCancelled = <T>(choosing: Promise<T>): Promise<T | undefined> =>
  choosing.catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") return undefined;
    throw error;
  });

/** Lets the person choose a checkpoint in one file. Returns undefined if they cancel. Call it in a click. */
export async function pickFile(): Promise<ChosenPlace | undefined> {
  const { showOpenFilePicker } = globalThis as Pickers;
  if (showOpenFilePicker) {
    const types = [{ description: "Checkpoint", accept: { "application/octet-stream": [".safetensors"] } }];
    const chosen = await unlessCancelled(showOpenFilePicker({ id: "model", types }));
    return chosen?.[0] && { handle: chosen[0] };
  }
  const [file] = await filesOf({ accept: ".safetensors" });
  return file && { file };
}

/** Lets the person choose the folder of a checkpoint, in the layout of diffusers. Returns undefined if they cancel. Call it in a click. */
export async function pickFolder(): Promise<ChosenPlace | undefined> {
  const { showDirectoryPicker } = globalThis as Pickers;
  if (showDirectoryPicker) {
    const handle = await unlessCancelled(showDirectoryPicker({ id: "model" }));
    return handle && { handle };
  }
  const files = await filesOf({ webkitdirectory: true });
  const folder = files[0]?.webkitRelativePath.split("/")[0];
  if (folder === undefined) return undefined;
  return { folder, files: new Map(files.map((file) => [file.webkitRelativePath.slice(folder.length + 1), file])) };
}

/** Asks the person to let the page read what a handle leads to. Call it in a click. */
export async function permitted(handle: FileSystemHandle): Promise<boolean> {
  const { requestPermission } = handle as {
    requestPermission?(way: { mode: "read" }): Promise<PermissionState>;
  };
  return requestPermission === undefined || (await requestPermission.call(handle, { mode: "read" })) === "granted";
}
