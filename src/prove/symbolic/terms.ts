/**
 * Terms: the formulas of the symbolic claims as small trees, with two readings that a test compares: the text for an SMT solver (SMT-LIB
 * 2.6, theory of fixed-size bit-vectors) and the value for given inputs. All bit-vectors of one query have one width, which is chosen so
 * that nothing of what the planners calculate overflows; both readings wrap at that width all the same.
 */
interface Node {
  readonly op: string;
  readonly args: readonly Term[];
  /** Of `var`. */
  readonly name?: string;
  /** Of `num`. */
  readonly value?: bigint;
}
/** A bit-vector, read as an unsigned number. */
export interface Bits extends Node { readonly sort: 'bits' }
export interface Bool extends Node { readonly sort: 'bool' }
export type Term = Bits | Bool;

const bits = (op: string, ...args: readonly Term[]): Bits => ({ sort: 'bits', op, args });
const bool = (op: string, ...args: readonly Term[]): Bool => ({ sort: 'bool', op, args });

export const bitsVar = (name: string): Bits => ({ sort: 'bits', op: 'var', args: [], name });
export const boolVar = (name: string): Bool => ({ sort: 'bool', op: 'var', args: [], name });
export const num = (value: number | bigint): Bits => ({ sort: 'bits', op: 'num', args: [], value: BigInt(value) });
export const TRUE: Bool = bool('true');
export const FALSE: Bool = bool('false');

export const add = (a: Bits, b: Bits): Bits => bits('bvadd', a, b);
export const sub = (a: Bits, b: Bits): Bits => bits('bvsub', a, b);
export const shl = (a: Bits, b: Bits): Bits => bits('bvshl', a, b);
export const shr = (a: Bits, b: Bits): Bits => bits('bvlshr', a, b);
export const mask = (a: Bits, b: Bits): Bits => bits('bvand', a, b);
export const join = (a: Bits, b: Bits): Bits => bits('bvor', a, b);
export const when = (c: Bool, a: Bits, b: Bits): Bits => bits('ite', c, a, b);

export const eq = (a: Bits, b: Bits): Bool => bool('=', a, b);
export const lt = (a: Bits, b: Bits): Bool => bool('bvult', a, b);
export const le = (a: Bits, b: Bits): Bool => bool('bvule', a, b);
export const not = (a: Bool): Bool => bool('not', a);
export const and = (...args: readonly Bool[]): Bool => (args.length === 1 ? (args[0] as Bool) : args.length === 0 ? TRUE : bool('and', ...args));
export const or = (...args: readonly Bool[]): Bool => (args.length === 1 ? (args[0] as Bool) : args.length === 0 ? FALSE : bool('or', ...args));
export const implies = (a: Bool, b: Bool): Bool => or(not(a), b);

/** Low `n` bits of `a` (n a constant). */
export const lowBits = (a: Bits, n: number): Bits => mask(a, num((1n << BigInt(n)) - 1n));
export const isAligned = (a: Bits, n: number): Bool => eq(lowBits(a, n), num(0));
export const hasBit = (a: Bits, n: number): Bool => not(eq(mask(a, num(1n << BigInt(n))), num(0)));

/** The places of a binary search over `width` bits: 32, 16, 8 ... 1. */
function halves(width: number): number[] {
  const places: number[] = [];
  for (let p = 1; p < width; p *= 2) places.unshift(p);
  return places;
}

/** Bits that `a` needs; 0 for 0. */
export function bitLength(a: Bits, width: number): Bits {
  let rest = a;
  let length = num(0);
  for (const p of halves(width)) {
    const high = shr(rest, num(p));
    const there = not(eq(high, num(0)));
    length = when(there, add(length, num(p)), length);
    rest = when(there, high, rest);
  }
  return add(length, rest); // what is left is 0 or 1
}

/** Trailing zeros of `a`; `a` is not 0. */
export function trailingZeros(a: Bits, width: number): Bits {
  let rest = a;
  let zeros = num(0);
  for (const p of halves(width)) {
    const none = isAligned(rest, p);
    zeros = when(none, add(zeros, num(p)), zeros);
    rest = when(none, shr(rest, num(p)), rest);
  }
  return zeros;
}

/** The commands of a script that defines `terms` and everything they need; names of the terms in their order. */
export function smtText(terms: readonly Term[], width: number): { readonly text: string; readonly names: readonly string[] } {
  const seen = new Map<Term, string>();
  const variables = new Map<string, string>();
  const lines: string[] = [];
  const visit = (t: Term): string => {
    const known = seen.get(t);
    if (known !== undefined) return known;
    let name: string;
    if (t.op === 'var') {
      name = t.name as string;
      variables.set(name, `(declare-const ${name} ${t.sort === 'bits' ? `(_ BitVec ${width})` : 'Bool'})`);
    } else if (t.op === 'num') {
      name = `(_ bv${BigInt.asUintN(width, t.value as bigint)} ${width})`;
    } else if (t.args.length === 0) {
      name = t.op;
    } else {
      const args = t.args.map(visit);
      name = `t${lines.length}`;
      lines.push(`(define-fun ${name} () ${t.sort === 'bits' ? `(_ BitVec ${width})` : 'Bool'} (${t.op} ${args.join(' ')}))`);
    }
    seen.set(t, name);
    return name;
  };
  const names = terms.map(visit);
  return { text: [...variables.values(), ...lines].join('\n'), names };
}

export type Values = ReadonlyMap<string, bigint>;

/** The second reading: the value of terms for given inputs. Booleans are 0 and 1; an input that is not given is 0. */
export class Evaluation {
  readonly #known = new Map<Term, bigint>();
  readonly #values: Values;
  readonly #width: number;

  constructor(values: Values, width: number) {
    this.#values = values;
    this.#width = width;
  }

  of(t: Term): bigint {
    let value = this.#known.get(t);
    if (value === undefined) {
      value = t.op === 'ite' ? this.#choice(t) : this.#plain(t);
      if (t.sort === 'bits') value = BigInt.asUintN(this.#width, value);
      this.#known.set(t, value);
    }
    return value;
  }

  holds(t: Bool): boolean {
    return this.of(t) !== 0n;
  }

  #choice(t: Term): bigint {
    return this.of(t.args[this.of(t.args[0] as Term) !== 0n ? 1 : 2] as Term);
  }

  #plain(t: Term): bigint {
    const a = t.args.length > 0 ? this.of(t.args[0] as Term) : 0n;
    const b = t.args.length > 1 ? this.of(t.args[1] as Term) : 0n;
    switch (t.op) {
      case 'var': return this.#values.get(t.name as string) ?? 0n;
      case 'num': return t.value as bigint;
      case 'true': return 1n;
      case 'false': return 0n;
      case 'bvadd': return a + b;
      case 'bvsub': return a - b;
      case 'bvshl': return b >= BigInt(this.#width) ? 0n : a << b;
      case 'bvlshr': return b >= BigInt(this.#width) ? 0n : a >> b;
      case 'bvand': return a & b;
      case 'bvor': return a | b;
      case '=': return a === b ? 1n : 0n;
      case 'bvult': return a < b ? 1n : 0n;
      case 'bvule': return a <= b ? 1n : 0n;
      case 'not': return a === 0n ? 1n : 0n;
      case 'and': return t.args.every((x) => this.of(x) !== 0n) ? 1n : 0n;
      case 'or': return t.args.some((x) => this.of(x) !== 0n) ? 1n : 0n;
      default: throw new Error(`a term has no operation ${t.op}`);
    }
  }
}
