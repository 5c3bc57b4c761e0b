import type { ShownQuestion, ShownState } from "../shown.ts";
import { answerOf, nextOf, type Rater, ServerError, undoOf } from "./api.ts";
import { element, make, showSection } from "./elements.ts";
import { forms } from "./forms.ts";

const pictures = element("pictures", HTMLElement);
const answers = element("answers", HTMLFieldSetElement);
const buttons = element("buttons", HTMLElement);
/** Texts for a screen reader, and problems, which everyone sees. */
const said = element("said", HTMLElement);
const problem = element("problem", HTMLElement);
const target = element("target", HTMLElement);
const undoButtons = ["undo", "undo-end"].map((id) => element(id, HTMLButtonElement));
const keys = element("keys", HTMLInputElement);

let who: Rater | undefined;
let question: ShownQuestion | undefined;

/** Opens a rater's session where it was left. */
export async function startRating(rater: Rater): Promise<void> {
  who = rater;
  show(await nextOf(rater));
}

/** Stops asking, so that keys do nothing. */
export function stopRating(): void {
  who = undefined;
  question = undefined;
}

function show({ done, total, canUndo, question: next }: ShownState): void {
  question = next;
  for (const button of undoButtons) button.disabled = !canUndo;
  element("progress", HTMLProgressElement).max = Math.max(total, 1);
  element("progress", HTMLProgressElement).value = done;
  if (!next) {
    showSection("end");
    element("thanks", HTMLElement).focus();
    return;
  }
  const number = `${done + 1} of ${total}`;
  element("count", HTMLElement).textContent = number;
  said.textContent = `Question ${number}`;
  problem.textContent = "";
  showSection("rate");
  showQuestion(next);
}

function showQuestion({ mode, target: prompt, photo, edits }: ShownQuestion): void {
  const { asked, edits: names, answers: choices } = forms[mode];
  target.textContent = prompt;
  element("asked", HTMLElement).textContent = asked;
  const shown = ["Photo", ...names].map((name, k) => figure(name, k === 0 ? photo : edits[k - 1]));
  pictures.className = mode;
  pictures.replaceChildren(...shown.map(({ figure }) => figure));
  buttons.className = mode;
  buttons.replaceChildren(
    ...choices.map(({ value, label }, k) => {
      const key = `${k + 1}`;
      const button = make("button", { type: "button", "aria-keyshortcuts": key }, make("kbd", {}, key), ` ${label}`);
      button.addEventListener("click", () => void answer(value));
      return button;
    }),
  );
  // Nobody can answer before seeing all pictures.
  answers.disabled = true;
  const current = question;
  Promise.all(shown.map(({ image }) => image.decode())).then(
    () => {
      if (question === current) answers.disabled = false;
    },
    () => {
      if (question === current) problem.textContent = "A picture cannot be loaded. Reload the page.";
    },
  );
  target.focus({ preventScroll: true });
}

function figure(name: string, picture: string): { figure: HTMLElement; image: HTMLImageElement } {
  const image = make("img", { src: `/picture/${picture}`, alt: name });
  return { figure: make("figure", {}, make("figcaption", {}, name), image), image };
}

/** Sends a change and shows what comes next. After an error, the same question can be answered again. */
async function change(send: (rater: Rater) => Promise<ShownState>): Promise<void> {
  if (!who) return;
  const rater = who;
  answers.disabled = true;
  for (const button of undoButtons) button.disabled = true;
  try {
    const state = await send(rater);
    if (who === rater) show(state);
  } catch (error) {
    if (who !== rater) return;
    // Another window of the same rater answered, or the server was started again.
    if (error instanceof ServerError && error.status === 409) return startRating(rater);
    problem.textContent = error instanceof Error ? error.message : String(error);
    answers.disabled = false;
    for (const button of undoButtons) button.disabled = false;
  }
}

const answer = (value: string | number): Promise<void> => change((rater) => answerOf(rater, question?.id ?? "", value));

function onKey(event: KeyboardEvent): void {
  const isTyping = event.target instanceof HTMLInputElement && event.target.type !== "checkbox";
  if (!who || isTyping || event.repeat || event.ctrlKey || event.metaKey || event.altKey || !keys.checked) return;
  if (event.key.toLowerCase() === "u") undoButtons.find((button) => button.checkVisibility())?.click();
  else if (!answers.disabled && question) {
    const choice = forms[question.mode].answers[Number(event.key) - 1];
    if (choice) void answer(choice.value);
  }
}

/** Lets keys and buttons answer and undo. */
export function listen(): void {
  document.addEventListener("keydown", onKey);
  for (const button of undoButtons) button.addEventListener("click", () => void change(undoOf));
}
