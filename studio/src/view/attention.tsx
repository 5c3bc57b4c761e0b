import { useSignal } from "@preact/signals";
import type { AttentionRequest } from "../../../src/server/api/index.ts";
import { pictureUrl, type ShownJob } from "../state/index.ts";
import { CommandPanel } from "./commandPanel.tsx";
import { Warnings } from "./facts.tsx";
import { PictureActions } from "./pictureActions.tsx";
import { SettingsPanel } from "./settingsPanel.tsx";
import { shownPhoto } from "./shown.ts";

interface Props {
  readonly job: ShownJob;
  readonly request: AttentionRequest;
}

/** Shows, for each word of the prompt, where the edit attends to it, over the photo. */
export function Attention({ job, request }: Props) {
  const words = job.result?.pictures ?? [];
  // Not an article, which says little.
  const first = words.findIndex(({ name }) => name.length > 2);
  const chosen = useSignal(Math.max(0, first));
  const hovered = useSignal<number | undefined>(undefined);
  const opacity = useSignal(60);
  if (words.length === 0) return <p class="note">No word of the prompt has a map.</p>;
  const at = hovered.value ?? chosen.value;
  const { name, picture } = words[at] ?? words[0];
  const photo = shownPhoto(request);
  return (
    <div class="attention">
      <div
        class="pane still"
        style={{ aspectRatio: `${picture.width} / ${picture.height}`, "--shape": picture.width / picture.height }}
      >
        <div class="layer">
          <img src={photo.src} alt="Before" style={{ objectFit: photo.fitted }} />
        </div>
        <div class="layer" style={{ opacity: opacity.value / 100 }}>
          <img src={pictureUrl(picture.id)} alt={`Attention to “${name}”`} />
        </div>
        <span class="tag">{name}</span>
      </div>
      <fieldset class="words">
        <legend>Words</legend>
        {words.map((word, k) => (
          <label
            key={`${k} ${word.name}`}
            onPointerEnter={() => {
              hovered.value = k;
            }}
            onPointerLeave={() => {
              hovered.value = undefined;
            }}
          >
            <input
              type="radio"
              name="word"
              checked={chosen.value === k}
              onChange={() => {
                chosen.value = k;
              }}
            />
            {word.name}
          </label>
        ))}
      </fieldset>
      <label class="row">
        Opacity of the map
        <input
          type="range"
          min="0"
          max="100"
          value={opacity.value}
          aria-valuetext={`${opacity.value} %`}
          onInput={({ currentTarget }) => {
            opacity.value = Number(currentTarget.value);
          }}
        />
      </label>
      <p class="note">From blue, where the edit attends to the word least, to red, where most.</p>
      <Warnings job={job} />
      <PictureActions job={job} made={words[at]} />
      <CommandPanel job={job} made={words[at]} />
      <SettingsPanel job={job} />
    </div>
  );
}
