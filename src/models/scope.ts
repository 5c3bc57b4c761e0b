import { type Node, parameter } from "../graph/index.ts";

/** A module of a checkpoint: the prefix of its weights' keys. */
export class Scope {
  readonly path: string;

  constructor(path = "") {
    this.path = path;
  }

  /** The module `name` inside this one. */
  at(name: string | number): Scope {
    return new Scope(this.path === "" ? `${name}` : `${this.path}.${name}`);
  }

  /** The weight `name` of this module. */
  tensor(name: string, shape: readonly number[]): Node {
    return parameter(this.at(name).path, shape);
  }
}
