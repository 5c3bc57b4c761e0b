import type { Signal } from "@preact/signals";
import { backend, models } from "../state/index.ts";

/** Shows the way to a model of any words and photos: one that the server has, or how to get Stable Diffusion. */
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
  return (
    <>
      {backend().place === "browser" && "This page has no other model. "}
      For any photo and any words, get Stable Diffusion{backend().place === "browser" && " on a computer with Node"}:{" "}
      <code>npx baret pull sd1.5</code>, then <code>npx baret serve --model sd1.5</code>.
    </>
  );
}
