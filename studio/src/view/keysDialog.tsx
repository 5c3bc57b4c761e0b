import { useSignal } from "@preact/signals";
import { Fragment } from "preact";
import { Dialog } from "./dialog.tsx";
import { useKeys } from "./keys.ts";

const groups: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    "Everywhere",
    [
      ["Ctrl Enter", "make the edit"],
      ["Esc", "cancel the edit that runs"],
      ["?", "show these keys"],
    ],
  ],
  [
    "Result",
    [
      ["B or Space, held", "show the photo"],
      ["1 2 3", "slider, side by side, one picture"],
      ["← →", "move the divider, if it has the focus"],
      ["+ − 0", "zoom in, zoom out, fit"],
      ["Arrows", "move a zoomed picture"],
    ],
  ],
  [
    "History",
    [
      ["Arrows, Home, End", "go from result to result"],
      ["Enter", "open the result"],
      ["X", "select it"],
      ["Delete", "delete it, or all selected ones"],
      ["Ctrl Z", "undo the deletion"],
    ],
  ],
];

const page = {
  get current() {
    return document.body;
  },
};

/** A button that lists the keys of the studio, and the key that does the same. */
export function Keys() {
  const isOpen = useSignal(false);
  const open = (): void => {
    isOpen.value = true;
  };
  useKeys(page, {
    down: ({ key }) => {
      if (key !== "?") return false;
      open();
      return true;
    },
  });
  return (
    <>
      <button type="button" class="link" onClick={open}>
        Keys
      </button>
      {isOpen.value && (
        <Dialog
          title="Keys"
          onClose={() => {
            isOpen.value = false;
          }}
        >
          {groups.map(([name, keys]) => (
            <Fragment key={name}>
              <h3>{name}</h3>
              <dl class="keys">
                {keys.map(([key, about]) => (
                  <div key={key}>
                    <dt>
                      <kbd>{key}</kbd>
                    </dt>
                    <dd>{about}</dd>
                  </div>
                ))}
              </dl>
            </Fragment>
          ))}
          <form method="dialog">
            <button type="submit">Close</button>
          </form>
        </Dialog>
      )}
    </>
  );
}
