/** A number, and what says how far to trust it. */
export interface Figure {
  /** Absent if there is nothing to measure. */
  readonly value?: number;
  /** 95 % interval. Absent if there are too few cases for one. */
  readonly low?: number;
  readonly high?: number;
  /** Number of cases. */
  readonly n: number;
  /** Digits after the decimal point. */
  readonly digits: number;
  /** "%", "dB", "s" or nothing. */
  readonly unit?: string;
}

/** Kind of edit and method that something belongs to. Readers filter by both. */
export interface Tags {
  readonly kind?: string;
  readonly method?: string;
}

export interface Row extends Tags {
  readonly cells: readonly (string | Figure)[];
}

export interface Table {
  readonly type: "table";
  readonly caption: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
  /** 95 % interval of y. */
  readonly low?: number;
  readonly high?: number;
  /** Number of cases. Absent if the point is one measurement. */
  readonly n?: number;
  readonly label?: string;
  /** A point to look at, such as the strength that was chosen. */
  readonly isMarked?: boolean;
}

export interface Series extends Pick<Tags, "method"> {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface Axis {
  readonly label: string;
  readonly isLogarithmic?: boolean;
  /** Names of the values 0, 1, 2, …, if x counts settings. */
  readonly ticks?: readonly string[];
}

export interface Chart {
  readonly type: "chart";
  readonly caption: string;
  readonly mark: "line" | "scatter" | "bar";
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

/** A picture in the folder of the run. */
export interface Shown extends Pick<Tags, "method"> {
  /** Path of the PNG in the folder of the run. Absent if the edit failed. */
  readonly file?: string;
  readonly label: string;
  /** Figures or an error, under the label. */
  readonly note?: string;
  /** Role in its row. The slider compares an edit with its photo. */
  readonly role: "photo" | "edit" | "truth" | "other";
}

export interface GalleryRow extends Pick<Tags, "kind"> {
  /** Name of the case. */
  readonly case: string;
  readonly title: string;
  readonly pictures: readonly Shown[];
}

export interface Gallery {
  readonly type: "gallery";
  readonly caption: string;
  readonly rows: readonly GalleryRow[];
}

/** A paragraph. Text between two backticks is code. */
export interface Paragraph {
  readonly type: "text";
  readonly text: string;
}

export type Block = Table | Chart | Gallery | Paragraph;

/** One table or figure of the paper. */
export interface Section {
  /** Name of the experiment, such as "fig8". */
  readonly name: string;
  readonly title: string;
  /** The paper's result, in our words. Here and below, text between two backticks is code. */
  readonly paper: string;
  /** Result of this run. */
  readonly measured: string;
  /** "no claim tested": the paper claims nothing that a number can test, as of a gallery. */
  readonly agreement: "agrees" | "partly agrees" | "differs" | "cannot be told" | "no claim tested";
  /** Command that makes this section alone. */
  readonly command: string;
  readonly blocks: readonly Block[];
}

/** Values of one edit, or of a photo or a true result as if it were one. */
export interface EditValues {
  readonly case: string;
  readonly kind: string;
  /** The method, with the settings that are not the run's. */
  readonly edit: string;
  /** One for each metric. Null if there is nothing to measure. */
  readonly values: readonly (number | null)[];
}

/** The values from which the figures of a report are computed. */
export interface ReportValues {
  /** Names of the metrics. */
  readonly metrics: readonly string[];
  readonly rows: readonly EditValues[];
}

/** Results of a run. A function of its log, so that a resumed run gives the same. */
export interface Report {
  readonly title: string;
  /** Facts about the run, by name: model, cases, methods and their settings, each metric with its network. */
  readonly facts: Readonly<Record<string, string>>;
  /** Facts that differ between equal runs: dates, machine. Seconds of tables and charts do, too. */
  readonly times: Readonly<Record<string, string>>;
  readonly sections: readonly Section[];
  /** Absent in reports of earlier versions. */
  readonly values?: ReportValues;
}
