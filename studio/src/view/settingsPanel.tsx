import type { MadePicture } from "../../../src/server/api/index.ts";
import { capabilities, type ShownJob } from "../state/index.ts";
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
