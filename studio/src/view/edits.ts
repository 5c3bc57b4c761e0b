import type { EditRequest, JobRequest, MadePicture, SweepRequest } from "../../../src/server/api/index.ts";

const equal = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Lists the settings in which pictures differ. */
export function varying(pictures: readonly MadePicture[]): string[] {
  const [first, ...others] = pictures.map(({ settings }) => settings ?? {});
  const names = new Set([first, ...others].flatMap((settings) => Object.keys(settings ?? {})));
  return [...names].filter((name) => others.some((settings) => !equal(settings[name], first[name])));
}

/** Returns the options of one picture of a sweep that the others do not share. names: options that the sweep varies. */
export const pointOf = (names: readonly string[], { settings }: MadePicture): Record<string, unknown> =>
  Object.fromEntries(names.flatMap((name) => (settings?.[name] === undefined ? [] : [[name, settings[name]]])));

/** Lists the options that a sweep varies. A sweep without axes has those of its method, which its pictures tell. */
export function axesOf({ axes }: SweepRequest, pictures: readonly MadePicture[]): string[] {
  const named = Object.keys(axes);
  return named.length > 0 ? named : varying(pictures);
}

/**
 * Returns the request that makes one picture of a job as an edit of its own.
 * made: the picture; needed for a comparison and a sweep. pictures: all pictures of a sweep.
 */
export function editOf(request: JobRequest, made?: MadePicture, pictures: readonly MadePicture[] = []): EditRequest {
  const { photo, target, source, model, size, fit, priority } = request;
  const common = { kind: "edit", photo, target, source, model, size, fit, priority } as const;
  const outputs = { images: ["edit"], strip: false, previews: false };
  switch (request.kind) {
    case "compare": {
      const method = made?.name;
      return { ...common, ...outputs, method, options: (method && request.options[method]) || {} };
    }
    case "sweep": {
      const { method, preset, options } = request;
      const point = made ? pointOf(axesOf(request, pictures), made) : {};
      return { ...common, ...outputs, method, preset, options: { ...options, ...point } };
    }
    case "attention": {
      const { method, preset, options } = request;
      return { ...common, ...outputs, method, preset, options };
    }
    case "edit": {
      if (made?.keep === undefined) return request;
      const { strength, ...options } = request.options;
      return { ...request, options: { ...options, keep: made.keep } };
    }
  }
}
