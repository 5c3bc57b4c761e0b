import type { Signal } from "@preact/signals";
import { backend, models } from "../state/index.ts";

/** Shows the way to a model of any words and photos: one that is there, one on this disk, or how to get Stable Diffusion. */
export function OtherModel({ current }: { current: Signal<string | undefined> }) {
  const other = models.value.find(({ knownWords }) => knownWords === undefined);
  if (other) {
    return (
      <button
        type="button"
        class="link"
        onClick={() => {
          current.value = other.name;
        }}
      >
        Use {other.name}
      </button>
    );
  }
  const { chooseModel } = backend();
  if (chooseModel) {
    return (
      <>
        For any photo and any words,{" "}
        <button type="button" class="link" onClick={chooseModel}>
          choose a Stable Diffusion checkpoint
        </button>{" "}
        on this computer.
      </>
    );
  }
  return (
    <>
      For any photo and any words, get Stable Diffusion: <code>npx baret pull sd1.5</code>, then{" "}
      <code>npx baret serve --model sd1.5</code>.
    </>
  );
}
