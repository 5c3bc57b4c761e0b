// Prompt-to-Prompt (Hertz et al. 2022): the edit takes the attention maps of the photo's sampling, word by word. Any inversion
// whose photo is sampled with a caption can use it.
// Knows of: lock-step sampling and methods' interface.
// Does not know of: any inversion.
export { type Blend, blendMask, localBlend } from "./blend.ts";
export { attentionMixes, type Branches, type Controlled, promptToPrompt, resolvePromptToPrompt } from "./control.ts";
export { type Mapper, refinementMapper, replacementMapper } from "./mapper.ts";
export { blendOptions, type PromptToPromptSettings, promptToPromptOptions, windowGrid } from "./options.ts";
export { equaliser, wordWindows } from "./words.ts";
