const themes = ["system", "light", "dark"] as const;

/** Lets the button switch between the system's theme, light and dark. */
export function startTheme(): void {
  const button = document.querySelector<HTMLButtonElement>("#theme");
  if (!button) return;
  let current = 0;
  const show = (): void => {
    document.documentElement.dataset.theme = themes[current];
    button.textContent = `Theme: ${themes[current]}`;
  };
  button.addEventListener("click", () => {
    current = (current + 1) % themes.length;
    show();
  });
  button.hidden = false;
  show();
}
