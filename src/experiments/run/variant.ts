import type { Method } from "../../editing/index.ts";
import type { SettingValues } from "../../tasks/index.ts";

/** A method with settings of its own. */
export interface Variant {
  /** Name in tables, which no other variant has: the method's, or that with what differs from its defaults. */
  readonly name: string;
  readonly method: Method;
  /** Settings over the model's defaults. */
  readonly preset?: string;
  readonly prepare?: SettingValues;
  readonly edit?: SettingValues;
  /** Names of the pictures to keep. Default: the edit alone. */
  readonly pictures?: readonly string[];
}
