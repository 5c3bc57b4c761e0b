import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { takePictures } from "./files.ts";

const isDragged = signal(false);

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;

function drop(event: DragEvent): void {
  if (!hasFiles(event)) return;
  event.preventDefault();
  isDragged.value = false;
  takePictures(event.dataTransfer?.files ?? []);
}

function dragOver(event: DragEvent): void {
  if (!hasFiles(event)) return;
  // Without this the browser would open the file instead of the page.
  event.preventDefault();
  isDragged.value = true;
}

function dragLeave(event: DragEvent): void {
  // It left the window: there is no next element.
  if (!event.relatedTarget) isDragged.value = false;
}

function paste(event: ClipboardEvent): void {
  const files = event.clipboardData?.files;
  if (files && files.length > 0 && takePictures(files)) event.preventDefault();
}

/** Takes pictures that are dropped or pasted anywhere on the page. */
export function DropTarget() {
  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    document.addEventListener("dragover", dragOver, { signal });
    document.addEventListener("dragleave", dragLeave, { signal });
    document.addEventListener("drop", drop, { signal });
    document.addEventListener("paste", paste, { signal });
    return () => stop.abort();
  }, []);
  if (!isDragged.value) return null;
  return (
    <div class="drop-target" aria-hidden="true">
      <p>Drop to edit this photo</p>
    </div>
  );
}
