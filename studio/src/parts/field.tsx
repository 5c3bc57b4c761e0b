import type { ComponentChildren } from "preact";
import type { Problem } from "../state/index.ts";

/** Attributes that tie a control to its help and its problem. */
export const described = (id: string, problem: Problem | undefined) => ({
  id,
  "aria-describedby": `${id}-help`,
  "aria-invalid": problem !== undefined,
});

/** Help of a field, replaced by its problem if there is one. id: of the control. */
export const FieldHelp = ({
  id,
  problem,
  children,
}: {
  id: string;
  problem?: Problem;
  children?: ComponentChildren;
}) => (
  <small id={`${id}-help`} class={problem ? "help bad" : "help"} role={problem ? "alert" : undefined}>
    {problem ? `${problem.message}${problem.advice ? ` ${problem.advice}` : ""}` : children}
  </small>
);
