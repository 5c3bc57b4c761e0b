import { html } from "hono/html";

/** Words of the page that the study decides. */
export interface PageFacts {
  readonly title: string;
  /** If given, the only rater. */
  readonly rater?: string;
}

/** Makes the page. Its script shows one of the three sections. */
export const ratingDocument = ({ title, rater = "" }: PageFacts) => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<script type="module" src="/page.js"></script>
</head>
<body data-rater="${rater}">
<main>
<noscript><p>This page needs JavaScript.</p></noscript>

<section id="start" aria-labelledby="title" hidden>
<h1 id="title">${title}</h1>
<p>You see a photo, a prompt that says what it should show, and edits of the photo. A good edit shows what the prompt says and keeps everything else as it is in the photo. Some questions come twice on purpose. Every answer is saved at once: you can stop at any time and go on later.</p>
<form id="who">
<label for="name">Your name</label>
<input id="name" name="name" autocomplete="nickname" maxlength="40" spellcheck="false" aria-describedby="name-help start-status" required>
<small id="name-help">Letters, digits, - and _. It keeps your answers apart from those of others.</small>
<div class="modes">
<button name="mode" value="score"><b>Score edits</b><span>One edit at a time, from 1 to 5</span><span id="score-total"></span></button>
<button name="mode" value="pairs"><b>Compare edits</b><span>Two edits at a time: which is better?</span><span id="pairs-total"></span></button>
</div>
</form>
<p id="start-status" role="status"></p>
</section>

<section id="rate" aria-label="Rating" hidden>
<div class="bar">
<button id="leave" type="button">Overview</button>
<progress id="progress" value="0" max="1" aria-label="Answered questions"></progress>
<output id="count"></output>
<button id="undo" type="button" aria-keyshortcuts="U">Undo <kbd>U</kbd></button>
</div>
<div class="prompt"><small>The photo should become:</small>
<h1 id="target" tabindex="-1"></h1></div>
<div id="pictures"></div>
<fieldset id="answers"><legend id="asked"></legend><div id="buttons"></div></fieldset>
<p id="said" class="heard" role="status"></p>
<p class="foot"><span id="problem" role="alert"></span>
<label><input id="keys" type="checkbox" checked> answer with number keys</label></p>
</section>

<section id="end" aria-labelledby="thanks" hidden>
<h1 id="thanks" tabindex="-1">All answered. Thank you!</h1>
<p>All your answers are saved. You can close this page.</p>
<p><button id="undo-end" type="button">Undo the last answer</button> <button id="leave-end" type="button">Overview</button></p>
</section>
</main>
</body>
</html>
`;
