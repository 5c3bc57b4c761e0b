/** Prompts for the package's example photo, examples/dog.png, which the models of the package can follow. */
const prompts: Readonly<Record<string, readonly string[]>> = {
  menagerie: [
    "a brown dog sitting on the grass",
    "a brown dog standing in the snow",
    "a white dog standing on the grass",
    "a brown cat standing on the grass",
    "a brown dog lying down on the grass",
    "a drawing of a brown dog standing on the grass",
  ],
};

/** Returns prompts that work with examples/dog.png, or undefined if none are known for the model. */
export const examplePrompts = (model: string): readonly string[] | undefined =>
  Object.hasOwn(prompts, model) ? prompts[model] : undefined;
