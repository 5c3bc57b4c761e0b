import { useSignal } from "@preact/signals";
import type { JobRequest, MadePicture } from "../../../src/server/api/index.ts";
import { backend, capabilities, type ShownJob } from "../state/index.ts";
import { copy, start, useSettings } from "./actions.ts";
import { fileName } from "./archive.ts";
import { commandOf } from "./command.ts";
import { editOf } from "./edits.ts";
import { type Setting, settingsList } from "./settings.ts";
import { counted } from "./words.ts";

const Rows = ({ settings }: { readonly settings: readonly Setting[] }) => (
  <dl class="settings">
    {settings.map(({ name, label, text, about }) => (
      <div key={name}>
        <dt title={about}>{label}</dt>
        <dd>{text}</dd>
      </div>
    ))}
  </dl>
);

interface PanelProps {
  readonly job: ShownJob;
  /** The picture whose settings these are. */
  readonly made?: MadePicture;
}

/** All settings of a picture, folded: those that were changed first. */
export function SettingsPanel({ job, made }: PanelProps) {
  const { request, result } = job;
  const all = made?.settings ?? result?.settings ?? {};
  const given = editOf(request, made, result?.pictures).options;
  const settings = settingsList(capabilities.value!, request.model, all, given);
  const changed = settings.filter(({ isChanged }) => isChanged);
  const usual = settings.filter(({ isChanged }) => !isChanged);
  const names = changed.map(({ label, text }) => `${label} ${text}`).join(", ");
  return (
    <details class="panel">
      <summary>
        Settings <small>{names ? `Changed: ${names}` : "All as usual"}</small>
      </summary>
      {changed.length > 0 && <Rows settings={changed} />}
      {usual.length > 0 && (
        <details open={changed.length === 0}>
          <summary>{counted(usual.length, "setting")} as usual</summary>
          <Rows settings={usual} />
        </details>
      )}
    </details>
  );
}

/** What can be done with a picture. */
export function PictureActions({ job, made }: PanelProps) {
  const { request, result } = job;
  const edit = editOf(request, made, result?.pictures);
  return (
    <>
      <p class="row">
        {made && (
          <a class="button" href={backend().pictureUrl(made.picture.id)} download={fileName(job, made)}>
            Download PNG
          </a>
        )}
        <button type="button" onClick={() => useSettings(job.id, edit)}>
          Use these settings
        </button>
      </p>
      <Command request={request.kind === "attention" ? request : edit} />
    </>
  );
}

/** The command that makes a picture again. It can be read and copied. */
function Command({ request }: { readonly request: JobRequest }) {
  const isCopied = useSignal(false);
  const command = commandOf(request, capabilities.value!);
  // Only pages of this machine and pages over HTTPS may use the clipboard.
  const canCopy = "clipboard" in navigator;
  const copyCommand = async (): Promise<void> => {
    await copy(command);
    isCopied.value = true;
    setTimeout(() => {
      isCopied.value = false;
    }, 2000);
  };
  return (
    <details class="panel">
      <summary>As command</summary>
      <p class="command">
        <code>{command}</code>
        {canCopy && (
          <button type="button" onClick={copyCommand}>
            {isCopied.value ? "Copied" : "Copy"}
          </button>
        )}
      </p>
    </details>
  );
}

/** Jobs that look further into an edit. */
export function FurtherActions({ job, made }: PanelProps) {
  const { photo, target, source, model, size, fit, method, preset, options } = editOf(
    job.request,
    made,
    job.result?.pictures,
  );
  const common = { photo, target, source, model, size, fit };
  return (
    <p class="row">
      {job.request.kind !== "compare" && (
        <button type="button" onClick={() => start(job.id, { kind: "compare", ...common })}>
          Compare all methods
        </button>
      )}
      {job.request.kind !== "attention" && (
        <button type="button" onClick={() => start(job.id, { kind: "attention", ...common, method, preset, options })}>
          Show where each word acts
        </button>
      )}
    </p>
  );
}
