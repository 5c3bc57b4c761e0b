import { neighbour } from "./walk.ts";

export interface Viewer {
  /** Opens the picture of a gallery's button. */
  open(button: HTMLButtonElement): void;
}

const imageOf = (button: Element | null | undefined): HTMLImageElement | null =>
  button?.querySelector<HTMLImageElement>("img") ?? null;

/** Makes the dialog show one picture large. An edit lies over its photo, or over the true result, and a divider shows more of one or the other. */
export function startViewer(): Viewer | undefined {
  const dialog = document.querySelector<HTMLDialogElement>("#viewer");
  if (!dialog) return undefined;
  const part = <T extends Element>(name: string): T => dialog.querySelector<T>(`[data-part="${name}"]`)!;
  const stage = part<HTMLElement>("stage");
  const [below, above] = [part<HTMLImageElement>("below"), part<HTMLImageElement>("above")];
  const slider = part<HTMLInputElement>("slider");
  const beside = part<HTMLButtonElement>("beside");
  let current: HTMLButtonElement | undefined;
  let besideTruth = false;

  const divide = (): void => {
    stage.style.setProperty("--divider", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} % ${part("left").textContent}`);
  };

  const show = (button: HTMLButtonElement): void => {
    current = button;
    const shown = button.closest<HTMLElement>(".shown")!;
    const row = button.closest<HTMLElement>(".row")!;
    const own = imageOf(button)!;
    const text = (selector: string, from: Element): string => from.querySelector(selector)?.textContent ?? "";
    const photo = imageOf(row.querySelector('[data-role="photo"]'));
    const truth = imageOf(row.querySelector('[data-role="truth"]'));
    const isEdit = shown.dataset.role === "edit";
    const other = isEdit ? (besideTruth && truth) || photo : null;
    part("title").textContent = text(".title", row);
    part("note").textContent = [text(".label", shown), text(".about", shown)].filter(Boolean).join(". ");
    stage.classList.toggle("divided", other !== null);
    stage.style.setProperty("--shape", `${own.naturalWidth || 1} / ${own.naturalHeight || 1}`);
    stage.style.setProperty("--ratio", `${(own.naturalWidth || 1) / (own.naturalHeight || 1)}`);
    [below.src, below.alt] = [own.src, own.alt];
    if (other) [above.src, above.alt] = [other.src, other.alt];
    else above.removeAttribute("src");
    slider.hidden = other === null;
    beside.hidden = !(isEdit && photo && truth);
    beside.setAttribute("aria-pressed", `${besideTruth}`);
    part("left").textContent = other === null ? "" : other === truth ? "true result" : "photo";
    part("right").textContent = other === null ? "" : text(".label", shown);
    divide();
  };

  const move = (columns: number, rows: number): void => {
    if (current) show(neighbour(current, columns, rows));
  };
  const toggleTruth = (): void => {
    if (beside.hidden || !current) return;
    besideTruth = !besideTruth;
    show(current);
  };

  slider.addEventListener("input", divide);
  beside.addEventListener("click", toggleTruth);
  part("close").addEventListener("click", () => dialog.close());
  part("previous").addEventListener("click", () => move(-1, 0));
  part("next").addEventListener("click", () => move(1, 0));
  part("up").addEventListener("click", () => move(0, -1));
  part("down").addEventListener("click", () => move(0, 1));
  // A click beside the dialog's content is a click on the dialog itself.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => current?.focus());
  dialog.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const isOnSlider = event.target === slider && !slider.hidden;
    const actions: Readonly<Record<string, () => void>> = {
      ArrowUp: () => move(0, -1),
      ArrowDown: () => move(0, 1),
      p: () => move(-1, 0),
      n: () => move(1, 0),
      t: toggleTruth,
      ...(isOnSlider ? {} : { ArrowLeft: () => move(-1, 0), ArrowRight: () => move(1, 0) }),
    };
    const act = actions[event.key] ?? actions[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });

  return {
    open: (button) => {
      slider.value = "50";
      show(button);
      dialog.showModal();
      (slider.hidden ? part<HTMLElement>("close") : slider).focus();
    },
  };
}
