const FIELDS = ["kind", "method"] as const;

/** Returns the checked values of a field. */
const checked = (form: HTMLFormElement, field: string): Set<string> =>
  new Set(
    [...form.querySelectorAll<HTMLInputElement>(`input[name="${field}"]`)]
      .filter((input) => input.checked)
      .map(({ value }) => value),
  );

/** Lets the form choose kinds and methods. Nothing chosen means everything. */
export function startFilter(): void {
  const form = document.querySelector<HTMLFormElement>("#filter");
  const count = document.querySelector<HTMLOutputElement>("#count");
  if (!form || !count) return;
  const tagged = [...document.querySelectorAll<HTMLElement>("main [data-kind], main [data-method]")];
  const apply = (): void => {
    const chosen = FIELDS.map((field) => [field, checked(form, field)] as const);
    const isActive = chosen.some(([, values]) => values.size > 0);
    for (const element of tagged) {
      const isShown = chosen.every(([field, values]) => {
        const value = element.dataset[field];
        return value === undefined || values.size === 0 || values.has(value);
      });
      // Parts of a drawing have no property of this name.
      element.toggleAttribute("hidden", !isShown);
    }
    if (isActive) for (const more of document.querySelectorAll<HTMLDetailsElement>("details.more")) more.open = true;
    const rows = tagged.filter((element) => element.matches(".row, tr"));
    const shown = rows.filter((element) => !element.hidden).length;
    count.textContent = isActive ? `${shown} of ${rows.length} rows` : "";
  };
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  // A browser keeps the boxes of a page that is loaded again.
  apply();
}
