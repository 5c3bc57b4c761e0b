/** "0.8 s", "12 s", "3 min 20 s", "2 h 5 min". */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [most, rest, units] =
    whole < 3600
      ? [whole / 60, whole % 60, ["min", "s"]]
      : [whole / 3600, Math.floor((whole % 3600) / 60), ["h", "min"]];
  return `${Math.floor(most)} ${units[0]}${rest > 0 ? ` ${rest} ${units[1]}` : ""}`;
}

/** Returns a similarity in dB. null: there is no difference. */
export const decibels = (psnr: number | null): string => (psnr === null ? "no difference" : `${psnr.toFixed(1)} dB`);

/** Says how close a reproduction is. From 25 dB on, the library calls an inversion good. */
export function closeness(psnr: number | null): string {
  if (psnr === null) return "exactly";
  if (psnr >= 35) return "very closely";
  if (psnr >= 25) return "well";
  return psnr >= 20 ? "roughly" : "poorly";
}

export { counted } from "../../../src/core/counted.ts";

/** "edit" → "Edit". */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** "selfSteps" → "self steps". */
export const spaced = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** Part of a file's name: letters, digits and single dashes. */
export const slug = (text: string, most = 60): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .slice(0, most)
    .replace(/^-+|-+$/g, "") || "picture";
