import { reportJson } from "../json.ts";
import { fileName, isMetricFact, namedBlocks } from "../names.ts";
import type { Report } from "../report.ts";
import { documentOf, type PageAssets } from "./document.ts";
import { factsHtml } from "./facts.ts";
import { viewerHtml } from "./gallery.ts";
import { type Html, html, scriptJson } from "./html.ts";
import { looksOf } from "./looks.ts";
import { type PagePicture, PictureBook } from "./pictures.ts";
import { agreementHtml, sectionHtml } from "./section.ts";
import { tagsOf } from "./tags.ts";

function choices(field: "kind" | "method", values: readonly string[]): Html {
  const boxes = values.map(
    (value) => html`<label><input type="checkbox" name="${field}" value="${value}"><bdi>${value}</bdi></label>`,
  );
  return html`<fieldset><legend>${field}</legend>${boxes}</fieldset>`;
}

/** Returns the form that chooses kinds and methods. The page's script shows it. */
function filterHtml(report: Report): Html {
  const { kinds, methods } = tagsOf(report);
  const fields = [kinds.length > 1 && choices("kind", kinds), methods.length > 1 && choices("method", methods)];
  if (!fields.some(Boolean)) return html``;
  return html`<form id="filter" hidden aria-label="Show only these kinds and methods">${fields}<p><button type="reset">Show all</button> <output id="count"></output></p></form>
`;
}

function contentsHtml({ sections }: Report): Html {
  const items = sections.map(
    ({ name, title, agreement }) =>
      html`<li><a href="#section-${fileName(name)}"><small>${name}</small> <span>${title}</span></a> ${agreementHtml(agreement)}</li>
`,
  );
  return html`<nav aria-label="Sections"><ol class="contents">
${items}</ol></nav>
`;
}

/** Returns the facts of a report. Those of its metrics are many, so they are folded. */
function reportFactsHtml({ facts }: Report): Html {
  const [metrics, others] = [true, false].map((isMetric) =>
    Object.entries(facts).filter(([name]) => isMetricFact(name) === isMetric),
  );
  const folded = html`
<details class="metrics"><summary>Metrics and their networks (${metrics.length})</summary>${factsHtml(Object.fromEntries(metrics))}</details>`;
  return html`${factsHtml(Object.fromEntries(others))}${metrics.length > 0 && folded}`;
}

/**
 * Makes a report's page: one file with its pictures, charts and numbers, which makes no request. Equal arguments give equal
 * bytes. The report's times are in one line alone. pictures: by their path in the folder of the run.
 */
export function reportPage(report: Report, pictures: ReadonlyMap<string, PagePicture>, assets: PageAssets): string {
  const drawing = { book: new PictureBook(pictures), looks: looksOf(report) };
  const named = namedBlocks(report.sections);
  const sections = report.sections.map((section) =>
    sectionHtml(
      section,
      named.filter((one) => one.section === section),
      drawing,
    ),
  );
  const { times: _, ...lasting } = report;
  return documentOf(
    report.title,
    assets,
    html`<header class="top"><h1>${report.title}</h1><button type="button" id="theme" hidden>Theme: system</button>
${reportFactsHtml(report)}
${factsHtml(report.times)}
<p class="note">Below each number are its 95 % interval and its number of cases n. There is no interval if the cases are too few for one.</p>
${contentsHtml(report)}</header>
${filterHtml(report)}<main>
${sections}</main>
${viewerHtml}<script type="application/json" id="report">${scriptJson(reportJson(lasting))}</script>`,
  );
}
