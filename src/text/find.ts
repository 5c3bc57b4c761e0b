import type { Token } from "./settings.ts";

/** Text that ends, and text that begins, with a character of a word. */
const [endsInWord, beginsInWord] = [/[\p{L}\p{M}\p{Nd}\p{Pc}]$/u, /^[\p{L}\p{M}\p{Nd}\p{Pc}]/u];

/** Normalizes text as CLIP's tokenizer does: composes it (NFC) and lower-cases it letter by letter. */
const normalized = (text: string): string => text.normalize("NFC").replaceAll("Σ", "σ").toLowerCase();

/** Finds some of the added tokens in text: from the left, the longest first. */
class Finder {
  private readonly tokens: ReadonlyMap<string, Token>;
  /** For each first character of a token, the lengths of those tokens, longest first. */
  private readonly lengths = new Map<string, number[]>();

  /** `tokens` by the text that is looked for. */
  constructor(tokens: ReadonlyMap<string, Token>) {
    this.tokens = tokens;
    for (const token of [...tokens.keys()].sort((a, b) => b.length - a.length)) {
      const { length } = token;
      const first = token[0];
      const known = this.lengths.get(first) ?? [];
      if (known.at(-1) !== length) this.lengths.set(first, [...known, length]);
    }
  }

  /** Splits text into ids of tokens and the text between them. */
  split(text: string): (number | string)[] {
    const sections: (number | string)[] = [];
    let start = 0;
    for (let at = 0; at < text.length; ) {
      const found = this.longestAt(text, at);
      if (found === undefined) at++;
      else {
        if (at > start) sections.push(text.slice(start, at));
        sections.push(found.id);
        at += found.length;
        start = at;
      }
    }
    if (start < text.length) sections.push(text.slice(start));
    return sections;
  }

  private longestAt(text: string, at: number): { id: number; length: number } | undefined {
    for (const length of this.lengths.get(text[at]) ?? []) {
      const token = this.tokens.get(text.slice(at, at + length));
      if (token === undefined) continue;
      // A character has one or two units.
      const [before, behind] = [text.slice(Math.max(0, at - 2), at), text.slice(at + length, at + length + 2)];
      if (!token.singleWord || !(endsInWord.test(before) || beginsInWord.test(behind))) return { id: token.id, length };
    }
    return undefined;
  }
}

/** Finds added tokens in text: first those that are matched as written, then those matched in the normalized text. */
export class AddedTokens {
  private readonly asWritten: Finder;
  private readonly inNormalized: Finder;

  constructor(tokens: readonly Token[]) {
    const written = tokens.filter((token) => !token.normalized);
    const rest = tokens.filter((token) => token.normalized);
    this.asWritten = new Finder(new Map(written.map((token) => [token.content, token])));
    this.inNormalized = new Finder(new Map(rest.map((token) => [normalized(token.content), token])));
  }

  /** Splits text into ids of tokens and the text between them. */
  split(text: string): (number | string)[] {
    return this.asWritten.split(text).flatMap((section) => {
      if (typeof section === "number") return [section];
      const parts = this.inNormalized.split(normalized(section));
      return parts.some((part) => typeof part === "number") ? parts : [section];
    });
  }
}
