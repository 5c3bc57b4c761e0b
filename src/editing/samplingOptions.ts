import { z } from "zod";
import { option, whole } from "../core/index.ts";
import { settingRanges } from "../weights/index.ts";

// Options that several methods share.

export const steps = option(settingRanges.steps, {
  about: "DDIM steps N",
  value: "<n>",
  unset: "the model's",
});

export const guidance = option(settingRanges.guidance, {
  about: "classifier-free guidance scale",
  value: "<scale>",
  unset: "the model's",
});

/** Options of DDIM inversion (src/inversion/ddim.ts). */
export const ddimInversionOptions = {
  inversionPrompt: option(z.string(), {
    about: "prompt of DDIM inversion",
    value: "<prompt>",
    unset: "the target prompt",
  }).optional(),
  inversionGuidance: option(settingRanges.guidance.default(1), {
    about: "guidance scale of DDIM inversion",
    value: "<scale>",
  }),
};

export const seed = option(whole(0, Number.MAX_SAFE_INTEGER).default(0), {
  about: "seed of the random numbers",
  value: "<n>",
});
