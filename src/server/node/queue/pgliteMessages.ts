/** Messages of a process to the thread of its PGlite. */
export type Demand =
  | { readonly kind: "query"; readonly id: number; readonly sql: string; readonly values: readonly unknown[] }
  | { readonly kind: "close" };

/** Messages of the thread to its process. */
export type Answer =
  | { readonly kind: "ready" }
  | { readonly kind: "rows"; readonly id: number; readonly rows: readonly unknown[] }
  | { readonly kind: "refused"; readonly id: number; readonly message: string }
  | { readonly kind: "notice"; readonly channel: string; readonly payload: string };
