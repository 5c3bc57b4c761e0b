// Script of the rating page: who rates, in which mode, and the questions one by one. The server keeps all answers and knows what
// comes next, so a page that is loaded again goes on where it was. Rater and mode are in the page's address.
import type { Mode } from "../answers.ts";
import { totalsOf } from "./api.ts";
import { element, showSection } from "./elements.ts";
import { forms } from "./forms.ts";
import { listen, startRating, stopRating } from "./rate.ts";

const name = element("name", HTMLInputElement);
const startStatus = element("start-status", HTMLElement);
const onlyRater = document.body.dataset.rater;
const modes = Object.keys(forms) as Mode[];

const showProblem = (error: unknown): void => {
  startStatus.textContent = error instanceof Error ? error.message : String(error);
};

/** Writes rater and mode into the page's address. */
function remember(rater: string, mode?: Mode): void {
  history.replaceState(null, "", `?${new URLSearchParams({ rater, ...(mode && { mode }) })}`);
}

/** Shows how far the rater is in each mode. */
async function showTotals(): Promise<void> {
  const totals = name.value.trim() ? await totalsOf(name.value) : undefined;
  for (const mode of modes) {
    const total = totals?.[mode];
    const text = total ? (total.total === 0 ? "nothing to compare" : `${total.done} of ${total.total} answered`) : "";
    element(`${mode}-total`, HTMLElement).textContent = text;
  }
  startStatus.textContent = "";
}

async function leave(): Promise<void> {
  stopRating();
  remember(name.value);
  showSection("start");
  await showTotals().catch(showProblem);
  name.focus();
}

async function begin(mode: Mode): Promise<void> {
  try {
    await startRating({ rater: name.value, mode });
    remember(name.value, mode);
  } catch (error) {
    showSection("start");
    showProblem(error);
  }
}

element("who", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = event.submitter instanceof HTMLButtonElement ? event.submitter.value : "";
  const mode = modes.find((one) => one === chosen);
  if (mode) void begin(mode);
});
name.addEventListener("change", () => void showTotals().catch(showProblem));
for (const id of ["leave", "leave-end"]) element(id, HTMLElement).addEventListener("click", () => void leave());

listen();
const asked = new URLSearchParams(location.search);
name.value = onlyRater || asked.get("rater") || "";
name.readOnly = Boolean(onlyRater);
const mode = modes.find((one) => one === asked.get("mode"));
if (mode && name.value) void begin(mode);
else {
  showSection("start");
  void showTotals().catch(showProblem);
}
