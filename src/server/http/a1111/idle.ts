// Fields that AUTOMATIC1111's clients send with every request, and that ask for nothing.

type Test = (value: unknown) => boolean;

const any: Test = () => true;

const isOneOf =
  (...allowed: readonly unknown[]): Test =>
  (value) =>
    allowed.includes(value);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isEmpty: Test = (value) =>
  value === "" ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (isObject(value) && Object.keys(value).length === 0);

/** A script of an extension that a client names without using it: no arguments, or the single argument false. */
const isIdleScript: Test = (value) => {
  const args = isObject(value) ? value.args : undefined;
  return isEmpty(args) || (Array.isArray(args) && args.length === 1 && args[0] === false);
};

/** Tells if a name of a sampler is DDIM's, or one that clients send if their users chose none: AUTOMATIC1111's defaults. */
export const samplers: Test = isOneOf("", "DDIM", "Euler", "Euler a", "Automatic");

const idle: Readonly<Record<string, Test>> = {
  // Settings of masks. Without a mask, they have no effect.
  mask: isEmpty,
  mask_image: isEmpty,
  latent_mask: isEmpty,
  mask_blur: any,
  mask_blur_x: any,
  mask_blur_y: any,
  mask_round: any,
  inpainting_fill: any,
  inpaint_full_res: any,
  inpaint_full_res_padding: any,
  inpainting_mask_invert: any,
  // Seeds of variations. Without variations, they have no effect.
  subseed: any,
  subseed_strength: isOneOf(0),
  seed_resize_from_h: isOneOf(0, -1),
  seed_resize_from_w: isOneOf(0, -1),
  seed_enable_extras: any,
  // Settings of other samplers, and of models that edit by instruction.
  sampler_index: samplers,
  scheduler: (value) => ["", "automatic"].includes(String(value).toLowerCase()),
  image_cfg_scale: any,
  eta: isOneOf(0, 1),
  s_churn: isOneOf(0),
  s_min_uncond: isOneOf(0),
  s_tmax: any,
  s_tmin: any,
  s_noise: any,
  initial_noise_multiplier: isOneOf(1),
  // The server stores results in its own way.
  do_not_save_samples: any,
  do_not_save_grid: any,
  save_images: isEmpty,
  include_init_images: isEmpty,
  override_settings_restore_afterwards: isOneOf(true),
  comments: any,
  force_task_id: any,
  disable_extra_networks: any,
  // Features that no method has. They must be off.
  negative_prompt: isEmpty,
  styles: isEmpty,
  restore_faces: isEmpty,
  tiling: isEmpty,
  enable_hr: isEmpty,
  refiner_checkpoint: isEmpty,
  refiner_switch_at: any,
  firstpass_image: isEmpty,
  infotext: isEmpty,
  script_name: isOneOf("", "None"),
  script_args: isEmpty,
  alwayson_scripts: (value) => isEmpty(value) || (isObject(value) && Object.values(value).every(isIdleScript)),
  use_deprecated_controlnet: isEmpty,
  controlnet_units: isEmpty,
};

const idleOverrides: Readonly<Record<string, Test>> = {
  CLIP_stop_at_last_layers: isOneOf(1),
  sd_vae: isOneOf("", "None", "Automatic"),
  filter_nsfw: isEmpty,
};

const testIn =
  (tests: Readonly<Record<string, Test>>) =>
  (name: string, value: unknown): boolean | undefined => {
    // Clients send null for "not set".
    if (value === null) return true;
    return Object.hasOwn(tests, name) ? tests[name](value) : undefined;
  };

/** Tells if a field asks for nothing; false: it asks for what no method does; undefined: the field has an effect, or none knows it. */
export const isIdle = testIn(idle);

/** The same for a setting of override_settings. */
export const isIdleOverride = testIn(idleOverrides);
