import { CheckpointError, shown } from "../core/index.ts";

/** A value of a pickle. Lists and tuples are arrays. */
export type Plain = null | boolean | number | bigint | string | Plain[] | Dictionary | Name | Call | Stored;
export type Dictionary = Map<Plain, Plain>;
/** The name of a function or class. It is never looked up. */
export interface Name {
  readonly name: string;
}
/** A call that the pickle asks for, as data: nothing is called. entries: what the pickle then puts into the result. */
export interface Call {
  readonly callee: Plain;
  readonly args: readonly Plain[];
  readonly entries: Dictionary;
}
/** A value that lies outside the pickle, by its id. */
export interface Stored {
  readonly id: Plain;
}

/** Opcodes of protocol 2 that say plain data, and what each does. Others are refused. */
const opcodes: Readonly<Record<number, (reader: PlainPickle) => void>> = {
  40: (r) => r.marks.push(r.stack.length), // (
  78: (r) => r.stack.push(null), // N
  136: (r) => r.stack.push(true),
  137: (r) => r.stack.push(false),
  75: (r) => r.stack.push(r.unsigned(1)), // K
  77: (r) => r.stack.push(r.unsigned(2)), // M
  74: (r) => r.stack.push(r.unsigned(4) | 0), // J
  138: (r) => r.stack.push(r.long(r.unsigned(1))),
  85: (r) => r.stack.push(r.text(r.unsigned(1))), // U
  88: (r) => r.stack.push(r.text(r.unsigned(4))), // X
  99: (r) => r.stack.push({ name: `${r.line()}.${r.line()}` }), // c
  93: (r) => r.stack.push([]), // ]
  125: (r) => r.stack.push(new Map()), // }
  41: (r) => r.stack.push([]), // )
  116: (r) => r.stack.push(r.marked()), // t
  133: (r) => r.stack.push(r.pops(1)),
  134: (r) => r.stack.push(r.pops(2)),
  135: (r) => r.stack.push(r.pops(3)),
  97: (r) => r.append(r.pops(1)), // a
  101: (r) => r.append(r.marked()), // e
  115: (r) => r.enter(r.pops(2)), // s
  117: (r) => r.enter(r.marked()), // u
  113: (r) => r.memo.set(r.unsigned(1), r.top()), // q
  114: (r) => r.memo.set(r.unsigned(4), r.top()), // r
  104: (r) => r.stack.push(r.known(r.unsigned(1))), // h
  106: (r) => r.stack.push(r.known(r.unsigned(4))), // j
  81: (r) => r.stack.push({ id: r.pop() }), // Q
  82: (r) => r.call(), // R
  98: (r) => void r.pop(), // b: attributes of an object, which data do not need
};
const [PROTOCOL, STOP] = [0x80, 0x2e];

/**
 * Reads the pickles of a file as plain data, one after another. Runs nothing: calls and names stay data, and an opcode that is
 * not in the table is an error. where: the file in errors.
 */
export class PlainPickle {
  position = 0;
  stack: Plain[] = [];
  marks: number[] = [];
  memo = new Map<number, Plain>();
  private readonly bytes: Uint8Array;
  private readonly where: string;

  constructor(bytes: Uint8Array, where: string) {
    this.bytes = bytes;
    this.where = where;
  }

  /** Reads one pickle. Throws CheckpointError if it is truncated or holds anything but plain data. */
  next(): Plain {
    [this.stack, this.marks, this.memo] = [[], [], new Map()];
    const [start, version] = [this.unsigned(1), this.unsigned(1)];
    if (start !== PROTOCOL || version !== 2) throw this.problem("not a pickle of protocol 2", this.position - 2);
    for (;;) {
      const at = this.position;
      const opcode = this.unsigned(1);
      if (opcode === STOP) return this.pop();
      const act = opcodes[opcode];
      if (!act) throw this.problem(`a pickle with more than plain data, opcode 0x${opcode.toString(16)}`, at);
      act(this);
    }
  }

  /** The next `length` bytes. */
  take(length: number): Uint8Array {
    const end = this.position + length;
    if (end > this.bytes.length) {
      throw new CheckpointError("the file is truncated", {
        where: this.where,
        found: `${this.bytes.length} bytes`,
        expected: `at least ${end}`,
        advice: "Download it again.",
      });
    }
    const taken = this.bytes.subarray(this.position, end);
    this.position = end;
    return taken;
  }

  /** A whole number of 1, 2 or 4 bytes. */
  unsigned(length: 1 | 2 | 4): number {
    return this.take(length).reduceRight((number, byte) => number * 256 + byte, 0);
  }

  /** A whole number of any length, with a sign. Up to 53 bits as a number. */
  long(length: number): number | bigint {
    const bytes = this.take(length);
    const all = bytes.reduceRight((number, byte) => number * 256n + BigInt(byte), 0n);
    const signed = BigInt.asIntN(8 * length, all);
    const number = Number(signed);
    return Number.isSafeInteger(number) ? number : signed;
  }

  text(length: number): string {
    return new TextDecoder().decode(this.take(length));
  }

  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    const text = this.text((end < 0 ? this.bytes.length : end) - this.position);
    this.take(1);
    return text;
  }

  pop(): Plain {
    return this.pops(1)[0];
  }

  pops(count: number): Plain[] {
    if (this.stack.length - count < (this.marks.at(-1) ?? 0)) throw this.problem("a value is missing", this.position);
    return this.stack.splice(this.stack.length - count);
  }

  top(): Plain {
    const [top] = this.pops(1);
    this.stack.push(top);
    return top;
  }

  /** The values since the last mark. */
  marked(): Plain[] {
    const mark = this.marks.pop();
    if (mark === undefined) throw this.problem("a mark is missing", this.position);
    return this.stack.splice(mark);
  }

  known(number: number): Plain {
    const value = this.memo.get(number);
    if (value === undefined) throw this.problem(`value ${number} is not known`, this.position);
    return value;
  }

  append(values: readonly Plain[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.problem("not a list", this.position);
    for (const value of values) list.push(value);
  }

  enter(values: readonly Plain[]): void {
    const target = this.top();
    const entries = target instanceof Map ? target : isCall(target) ? target.entries : undefined;
    if (!entries || values.length % 2 !== 0) throw this.problem("not entries of a dictionary", this.position);
    for (let i = 0; i < values.length; i += 2) entries.set(values[i], values[i + 1]);
  }

  call(): void {
    const [callee, args] = this.pops(2);
    if (!Array.isArray(args)) throw this.problem("not the arguments of a call", this.position);
    this.stack.push({ callee, args, entries: new Map() });
  }

  private problem(what: string, at: number): CheckpointError {
    return new CheckpointError(`this pickle cannot be read: ${what}`, { where: `${this.where}, byte ${at}` });
  }
}

export const isName = (value: Plain, name: string): boolean =>
  typeof value === "object" && value !== null && "name" in value && value.name === name;
export const isCall = (value: Plain): value is Call => typeof value === "object" && value !== null && "callee" in value;
export const isStored = (value: Plain): value is Stored => typeof value === "object" && value !== null && "id" in value;

/** Quotes a value in a message. */
export function plainText(value: Plain): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return shown(value);
  if ("name" in value) return value.name;
  if (!isCall(value)) return isStored(value) ? "a stored value" : "a dictionary";
  const { callee } = value;
  return typeof callee === "object" && callee !== null && "name" in callee ? `a call of ${callee.name}` : "a call";
}
