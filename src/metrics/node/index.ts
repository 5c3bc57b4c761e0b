export { CLIP_SCORE_PREFIX, Clip, type ClipOptions, type ClipScore } from "./clip.ts";
export { type AttributePrompts, Judge, type Verdict } from "./judge.ts";
