import { useSignal } from "@preact/signals";
import type { JobRequest, MadePicture } from "../../../src/server/api/index.ts";
import { capabilities, type ShownJob } from "../state/index.ts";
import { copy } from "./actions.ts";
import { commandOf } from "./command.ts";
import { editOf } from "./edits.ts";

interface Props {
  readonly job: ShownJob;
  readonly made: MadePicture;
}

/** The command that makes a picture again, and that of its whole job if it has more pictures. */
export function CommandPanel({ job: { request, result }, made }: Props) {
  const isGrid = request.kind === "compare" || request.kind === "sweep";
  return (
    <details class="panel">
      <summary>Copy as command</summary>
      {request.kind !== "attention" && <Command request={editOf(request, made, result?.pictures)} />}
      {(isGrid || request.kind === "attention") && <Command request={request} />}
    </details>
  );
}

function Command({ request }: { readonly request: JobRequest }) {
  const isCopied = useSignal(false);
  const command = commandOf(request, capabilities.value!);
  // Only pages of this machine and pages over HTTPS may use the clipboard. Others can select the text.
  const canCopy = "clipboard" in navigator;
  const copyCommand = async (): Promise<void> => {
    await copy(command);
    isCopied.value = true;
    setTimeout(() => {
      isCopied.value = false;
    }, 2000);
  };
  return (
    <p class="command">
      <code>{command}</code>
      {canCopy && (
        <button type="button" onClick={copyCommand}>
          {isCopied.value ? "Copied" : "Copy"}
        </button>
      )}
    </p>
  );
}
