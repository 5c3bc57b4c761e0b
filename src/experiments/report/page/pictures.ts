import type { Shown } from "../report.ts";
import { type Html, html } from "./html.ts";

/** A picture of the run as it is embedded in the page. */
export interface PagePicture {
  /** Data URI. */
  readonly uri: string;
  readonly width: number;
  readonly height: number;
}

/** Embeds pictures in a page: the first time with their data, later as a reference to the first, which the page's script fills in. */
export class PictureBook {
  private readonly pictures: ReadonlyMap<string, PagePicture>;
  private readonly shown = new Map<string, string>();

  /** pictures: by their path in the folder of the run. */
  constructor(pictures: ReadonlyMap<string, PagePicture>) {
    this.pictures = pictures;
  }

  /** Returns undefined if the run has no such picture. */
  image({ file, label }: Shown, title: string): Html | undefined {
    const picture = file === undefined ? undefined : this.pictures.get(file);
    if (!picture) return undefined;
    const { uri, width, height } = picture;
    const known = this.shown.get(uri);
    if (known === undefined) this.shown.set(uri, `picture-${this.shown.size + 1}`);
    const source = known === undefined ? html`id="${this.shown.get(uri)}" src="${uri}"` : html`data-same="${known}"`;
    return html`<img ${source} width="${width}" height="${height}" alt="${label}: ${title}">`;
  }
}
