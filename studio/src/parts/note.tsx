import type { ComponentChildren } from "preact";

/** A fact that the person should know. */
export const Note = ({ children }: { children: ComponentChildren }) => <p class="advice">{children}</p>;
