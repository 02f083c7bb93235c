/**
 * The literal walker: the translation of one stream straight from the bits of its STE, its CD and its descriptors, in 64-bit whole numbers, without
 * any cache, and without any room of src but the event numbers. Field positions are those of IHI 0070 §5.2 and §5.4 and of the VMSAv8-64
 * descriptor formats. It is for legal structures with one CD, and updates memory as hardware would.
 */
import { EVENT } from '../../../src/spec/event.js';

/** 64-bit words of memory by byte address; null where there is none. */
export interface Words {
  read(address: bigint): bigint | null;
  write(address: bigint, value: bigint): void;
}

export interface Access {
  readonly address: bigint;
  readonly write: boolean;
  readonly privileged: boolean;
  readonly fetch: boolean;
}

/** The SMMU: output size in bits, 52-bit addresses with small granules, CR2.E2H. */
export interface Chip {
  readonly oas: number;
  readonly ds: boolean;
  readonly e2h: boolean;
}

/** Where it goes, or the event with stage, class and IPA. */
export type Literal = { readonly pa: bigint } | { readonly event: number; readonly stage2: boolean; readonly cls: number; readonly ipa: bigint };

class Failure extends Error {
  constructor(readonly event: number, readonly stage2: boolean, readonly cls: number, readonly ipa: bigint) {
    super('fault');
  }
}

const CLASS_CD = 0;
const CLASS_TT = 1;
const CLASS_IN = 2;
const SIZES = [32, 36, 40, 42, 44, 48, 52, 56] as const;
const CHECK: Access = { address: 0n, write: false, privileged: true, fetch: false };

function bits(value: bigint, high: number, low: number): number {
  return Number((value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));
}

function big(value: bigint, high: number, low: number): bigint {
  return ((value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n)) << BigInt(low);
}

function below(value: bigint, size: bigint): bigint {
  return value - (value % size);
}

/** One table, from whichever structure. */
interface Table {
  readonly g: number;
  readonly size: number;
  readonly level: number;
  readonly root: bigint;
  readonly out: number;
  readonly ds: boolean;
  readonly wide: boolean;
  readonly ha: boolean;
  readonly hd: boolean;
  readonly affd: boolean;
}

function align(root: bigint, t: Omit<Table, 'root'>): bigint {
  const entries = t.size - (t.g + (t.g - 3) * (3 - t.level));
  const least = t.out > 48 ? 6 : 4;
  return below(root, 1n << BigInt(Math.max(least, entries + 3)));
}

function outputSize(code: number, g: number, ds: boolean, chip: Chip): number {
  const size = Math.min(SIZES[code] as number, chip.oas);
  return g < 16 && !ds ? Math.min(size, 48) : size;
}

function stage1Table(cd: bigint, upper: boolean, chip: Chip): Table {
  const at = upper ? 16 : 0;
  const code = bits(cd, at + 7, at + 6);
  const g = upper ? [0, 14, 12, 16][code] as number : [12, 16, 14][code] as number;
  const size = 64 - bits(cd, at + 5, at);
  const ds = chip.ds && g < 16 && bits(cd, 186, 186) === 1;
  let level = 3;
  while (size > g + (g - 3) * (4 - level)) level -= 1;
  const ha = bits(cd, 43, 43) === 1;
  const t = {
    g, size, level, ds, out: outputSize(bits(cd, 34, 32), g, ds, chip), wide: g === 16 && chip.oas === 52, ha, hd: ha && bits(cd, 42, 42) === 1, affd: !ha && bits(cd, 35, 35) === 1,
  };
  return { ...t, root: align(BigInt(upper ? bits(cd, 179, 132) : bits(cd, 115, 68)) << 4n, t) };
}

function stage2Table(ste: bigint, chip: Chip): Table {
  const g = [12, 16, 14][bits(ste, 175, 174)] as number;
  const size = 64 - bits(ste, 165, 160);
  const ds = chip.ds && g < 16 && bits(ste, 195, 195) === 1;
  const sl0 = bits(ste, 167, 166);
  const level = g === 12 ? (ds && bits(ste, 194, 194) === 1 ? -1 : [2, 1, 0, 3][sl0] as number) : 3 - sl0;
  const ha = bits(ste, 184, 184) === 1;
  const t = {
    g, size, level, ds, out: outputSize(bits(ste, 178, 176), g, ds, chip), wide: g === 16 && chip.oas === 52, ha, hd: ha && bits(ste, 183, 183) === 1, affd: !ha && bits(ste, 181, 181) === 1,
  };
  return { ...t, root: align(BigInt(bits(ste, 243, 196)) << 4n, t) };
}

/** Address bits of a descriptor, down to 2^low. */
function target(d: bigint, low: number, t: Table): bigint {
  if (t.ds) return below(big(d, 49, 12) | (BigInt(bits(d, 9, 8)) << 50n), 1n << BigInt(low));
  if (t.wide) return below(big(d, 47, 16) | (BigInt(bits(d, 15, 12)) << 48n), 1n << BigInt(low));
  return below(big(d, 47, 12), 1n << BigInt(low));
}

function blockAllowed(level: number, t: Table): boolean {
  if (level >= 2) return true;
  if (t.g === 12) return level === 1 || (level === 0 && t.ds);
  return level === 1 && (t.g === 14 ? t.ds : t.wide);
}

/** What the end of a walk is made of. `at`: address of the word as it was fetched. */
interface End {
  readonly at: bigint;
  readonly word: bigint;
  readonly output: bigint;
  readonly tables: readonly bigint[];
}

type Fail = (event: number) => Failure;

/** `input`: the address less the first of its half. */
function descend(t: Table, input: bigint, fetch: (address: bigint) => bigint, fail: Fail): End {
  const tables: bigint[] = [];
  let base = t.root;
  for (let level = t.level; ; level += 1) {
    const shift = t.g + (t.g - 3) * (3 - level);
    const index = level === t.level ? input >> BigInt(shift) : (input >> BigInt(shift)) % (1n << BigInt(t.g - 3));
    const at = base + index * 8n;
    const word = fetch(at);
    const type = bits(word, 1, 0);
    const leaf = level === 3 ? type === 3 : type === 1 && blockAllowed(level, t);
    if (!leaf && (level === 3 || type !== 3)) throw fail(EVENT.F_TRANSLATION);
    const to = target(word, leaf ? shift : t.g, t);
    if (to >> BigInt(t.out) !== 0n) throw fail(EVENT.F_ADDR_SIZE);
    if (leaf) return { at, word, output: to + (input % (1n << BigInt(shift))), tables };
    tables.push(word);
    base = to;
  }
}

export class LiteralWalker {
  readonly #words: Words;
  readonly #chip: Chip;

  constructor(words: Words, chip: Chip) {
    this.#words = words;
    this.#chip = chip;
  }

  /** `ste`: the 512 bits of a legal STE that uses a stage. */
  translate(ste: bigint, a: Access): Literal {
    try {
      const config = bits(ste, 3, 1);
      if (config !== 6) return { pa: this.#stage1(ste, a) };
      if (a.address >> BigInt(this.#chip.oas) !== 0n) throw new Failure(EVENT.F_ADDR_SIZE, false, CLASS_IN, 0n);
      return { pa: this.#stage2(ste, a.address, a, CLASS_IN) };
    } catch (error) {
      if (error instanceof Failure) return { event: error.event, stage2: error.stage2, cls: error.cls, ipa: error.ipa };
      throw error;
    }
  }

  #stage2(ste: bigint, ipa: bigint, a: Access, cls: number): bigint {
    const t = stage2Table(ste, this.#chip);
    const fail = (event: number): Failure => new Failure(event, true, cls, event === EVENT.F_WALK_EABT ? 0n : ipa);
    if (ipa >> BigInt(t.size) !== 0n) throw fail(EVENT.F_TRANSLATION);
    const end = descend(t, ipa, (address) => {
      const word = this.#words.read(address);
      if (word === null) throw fail(EVENT.F_WALK_EABT);
      return word;
    }, fail);
    let word = end.word;
    if (bits(word, 10, 10) === 0 && !t.affd) {
      if (!t.ha) throw fail(EVENT.F_ACCESS);
      word |= 1n << 10n;
      this.#words.write(end.at, word);
    }
    if (a.write && bits(word, 7, 7) === 0) {
      if (!t.hd || bits(word, 51, 51) === 0) throw fail(EVENT.F_PERMISSION);
      this.#words.write(end.at, word | (1n << 7n));
    }
    if (!a.write && bits(word, 6, 6) === 0) throw fail(EVENT.F_PERMISSION);
    if (!a.write && a.fetch && bits(word, 54, 53) !== 0) throw fail(EVENT.F_PERMISSION);
    return end.output;
  }

  /** The CD, stage 1, and stage 2 of its output when nested. */
  #stage1(ste: bigint, a: Access): bigint {
    const nested = bits(ste, 3, 1) === 7;
    const world = nested || bits(ste, 95, 94) !== 2 ? 0 : this.#chip.e2h ? 2 : 1;
    const through = (address: bigint, access: Access, cls: number): bigint => (nested ? this.#stage2(ste, address, access, cls) : address);
    let cd = 0n;
    const pointer = big(ste, 55, 6);
    const place = through(pointer, CHECK, CLASS_CD);
    for (let i = 7n; i >= 0n; i -= 1n) {
      const word = this.#words.read(place + i * 8n);
      if (word === null) throw new Failure(EVENT.F_CD_FETCH, false, CLASS_IN, 0n);
      cd = (cd << 64n) | word;
    }
    const output = this.#walk1(cd, world, a, through);
    return through(output, a, CLASS_IN);
  }

  #walk1(cd: bigint, world: number, a: Access, through: (address: bigint, access: Access, cls: number) => bigint): bigint {
    const fail = (event: number): Failure => new Failure(event, false, CLASS_IN, 0n);
    const upper = world !== 1 && bits(a.address, 55, 55) === 1;
    if (bits(cd, upper ? 30 : 14, upper ? 30 : 14) === 1) throw fail(EVENT.F_TRANSLATION);
    const t = stage1Table(cd, upper, this.#chip);
    const tbi = bits(cd, upper ? 39 : 38, upper ? 39 : 38) === 1;
    const top = tbi ? 56 : 64;
    const rest = big(a.address, top - 1, t.size);
    if (rest !== (upper ? (1n << BigInt(top)) - (1n << BigInt(t.size)) : 0n)) throw fail(EVENT.F_TRANSLATION);
    const end = descend(t, big(a.address, t.size - 1, 0), (address) => {
      const word = this.#words.read(through(address, CHECK, CLASS_TT));
      if (word === null) throw new Failure(EVENT.F_WALK_EABT, false, CLASS_TT, 0n);
      return word;
    }, fail);
    let word = end.word;
    const update = (): bigint => through(end.at, { ...CHECK, write: true }, CLASS_TT);
    if (bits(word, 10, 10) === 0 && !t.affd) {
      if (!t.ha) throw fail(EVENT.F_ACCESS);
      word |= 1n << 10n;
      this.#words.write(update(), word);
    }
    const had = bits(cd, upper ? 129 : 65, upper ? 129 : 65) === 1;
    const above = (bit: number): boolean => !had && end.tables.some((d) => bits(d, bit, bit) === 1);
    const user = world === 1 || (bits(word, 6, 6) === 1 && !above(61));
    if (!a.privileged && !user) throw fail(EVENT.F_PERMISSION);
    if (!a.write) {
      const xn = world === 1 || !a.privileged ? bits(word, 54, 54) === 1 || above(60) : bits(word, 53, 53) === 1 || above(59);
      if (a.fetch && xn) throw fail(EVENT.F_PERMISSION);
      return end.output;
    }
    if (above(62)) throw fail(EVENT.F_PERMISSION);
    if (bits(word, 7, 7) === 0) return end.output;
    if (!t.hd || bits(word, 51, 51) === 0) throw fail(EVENT.F_PERMISSION);
    const place = update();
    through(end.output, a, CLASS_IN); // nothing may fail after the update
    this.#words.write(place, word & ~(1n << 7n));
    return end.output;
  }
}
