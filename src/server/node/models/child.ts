/** The program of a short-lived process that describes models: their networks are compiled, which would block a server. */
import { jobErrorOf } from "../../jobError.ts";
import { factsOf } from "./facts.ts";
import type { DescribeAnswer, ModelFacts, NamedModel } from "./messages.ts";

const answer = (message: DescribeAnswer): void => void process.send?.(message, () => process.exit());

process.on("message", async (models: readonly NamedModel[]) => {
  try {
    const facts: ModelFacts[] = [];
    for (const model of models) facts.push(await factsOf(model));
    answer({ facts });
  } catch (error) {
    answer({ error: jobErrorOf(error) });
  }
});
process.on("disconnect", () => process.exit());
