import type { Mode } from "../answers.ts";

/** Form of a mode: its question, the names of its pictures, and its answers in the order of their keys. */
interface Form {
  readonly asked: string;
  readonly edits: readonly string[];
  readonly answers: readonly { readonly value: string | number; readonly label: string }[];
}

export const forms: Readonly<Record<Mode, Form>> = {
  score: {
    asked: "How well does the edit show the prompt and keep the rest of the photo?",
    edits: ["Edit"],
    answers: ["bad", "poor", "fair", "good", "excellent"].map((label, k) => ({ value: k + 1, label })),
  },
  pairs: {
    asked: "Which edit shows the prompt better and keeps more of the rest of the photo?",
    edits: ["Left edit", "Right edit"],
    answers: [
      { value: "left", label: "left" },
      { value: "right", label: "right" },
      { value: "tie", label: "equally good" },
      { value: "bad", label: "both bad" },
    ],
  },
};
