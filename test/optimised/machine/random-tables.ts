/**
 * Random tables for one stream: an STE, a CD and trees of descriptors of both stages with every granule, size and start level; leaves, tables,
 * reserved encodings, stray bits and holes. Mappings are made for a few addresses, which are then worth asking about.
 */
import { setField } from '../../../src/spec/bits.js';
import { CD, CD_HALF, cdVerdict } from '../../../src/spec/cd.js';
import { FULL_FEATURES, type Features } from '../../../src/spec/features.js';
import { cdTg0, cdTg1, stage2Sl0, type Tg } from '../../../src/spec/granule.js';
import { CONFIG_NESTED, CONFIG_S1, CONFIG_S2, STE, steVerdict } from '../../../src/spec/ste.js';
import { mix, RAM_BASE, type Memory } from '../../../src/memory/memory.js';
import type { Chip } from './literal.js';

export type Next = (bound: number) => number;

/** A fixed sequence of numbers below `bound`. */
export function sequence(seed: number): Next {
  let state = seed;
  return (bound) => {
    state = (state + 0x9e3779b9) | 0;
    return (mix(state) >>> 0) % bound;
  };
}

/** Shape of a tree and where its root is. */
interface Tree {
  readonly tg: Tg;
  readonly bits: number;
  readonly start: number;
  readonly ds: boolean;
  readonly wide: boolean;
  readonly out: number;
  readonly stage: 1 | 2;
  root: Place;
  /** Tables made so far, by the address of the descriptor that names them. */
  readonly below: Map<bigint, Place>;
}

/** A table: its address as descriptors say it, and the PA of each of its 4 KiB frames, with an offset for small roots. */
interface Place {
  readonly address: bigint;
  readonly frames: readonly number[];
  readonly offset: number;
}

const OUT_BITS = [32, 36, 40, 42, 44, 48, 52] as const;
const TGS: readonly Tg[] = [12, 14, 16];
const NOWHERE: Place = { address: 0n, frames: [], offset: 0 };

/** The draw does not fit: this case is none. */
export class NoRoom extends Error {}

export class RandomStream {
  readonly features: Features;
  readonly chip: Chip;
  readonly ste = new Uint32Array(16);
  readonly cd = new Uint32Array(16);
  /** Addresses worth asking about. */
  readonly inputs: bigint[] = [];
  readonly #memory: Memory;
  readonly #next: Next;
  readonly #config: number;
  readonly #second: Tree;
  /** Slots of memory in use. */
  used = 8;

  constructor(memory: Memory, next: Next) {
    this.#memory = memory;
    this.#next = next;
    const wide = next(2) === 0;
    const oas = wide ? 52 : [44, 48][next(2)] as number;
    this.features = { ...FULL_FEATURES, oas, ds: wide, wideInput: wide };
    this.#config = [CONFIG_S1, CONFIG_S2, CONFIG_NESTED, CONFIG_NESTED][next(4)] as number;
    this.chip = { oas, ds: wide, e2h: next(2) === 0 };
    this.#second = this.#stage2();
    setField(this.ste, STE.V, 1);
    setField(this.ste, STE.Config, this.#config);
    setField(this.ste, STE.S2VMID, next(4));
    if (this.#config === CONFIG_S1 && next(2) === 0) setField(this.ste, STE.STRW, 2);
    if (this.#config === CONFIG_S2) for (let i = 0; i < 4; i += 1) this.#ask(this.#second, this.#within(this.#second.bits));
    else this.#stage1();
  }

  #within(bits: number): bigint {
    const high = BigInt(this.#next(2 ** 30)) * 2n ** 30n + BigInt(this.#next(2 ** 30));
    return this.#next(3) === 0 ? high % 2n ** BigInt(Math.min(bits, 26)) : high % 2n ** BigInt(bits);
  }

  /** `count` neighbouring frames, aligned to their number. */
  #allocate(count: number): number {
    const first = Math.ceil(this.used / count) * count;
    this.used = first + count;
    if (this.used > this.#memory.slots) throw new NoRoom('memory');
    return RAM_BASE + first;
  }

  #stage2(): Tree {
    const next = this.#next;
    for (;;) {
      const tg = TGS[next(3)] as Tg;
      const ds = this.features.ds && next(2) === 0;
      const bits = 16 + next(this.features.oas - 15);
      const start = next(5) - 1;
      const ps = 1 + next(6);
      const sl0 = stage2Sl0(tg, start);
      if (sl0 < 0 || sl0 > 4) continue;
      const words = this.ste;
      words.fill(0);
      for (const [f, v] of [[STE.V, 1], [STE.Config, CONFIG_S2], [STE.S2AA64, 1], [STE.S2TG, cdTg0(tg)], [STE.S2T0SZ, 64 - bits], [STE.S2PS, ps], [STE.S2DS, ds ? 1 : 0],
        [STE.S2SL0, sl0 % 4], [STE.S2SL0_2, sl0 > 3 ? 1 : 0], [STE.S2R, 1], [STE.S2HA, next(2)], [STE.S2HD, next(2)], [STE.S2AFFD, next(3) === 0 ? 1 : 0]] as const) setField(words, f, v);
      if (steVerdict(words, 0, this.features) !== 'stage2') continue;
      const size = Math.min(OUT_BITS[ps] as number, this.features.oas);
      const effective = tg !== 16 && this.features.ds && ds;
      const tree: Tree = {
        tg, bits, start, ds: effective, wide: tg === 16 && this.features.oas === 52, out: tg === 16 || effective ? size : Math.min(size, 48), stage: 2, root: NOWHERE, below: new Map(),
      };
      tree.root = this.#rootOf(tree);
      setField(words, STE.S2TTB, Number(tree.root.address >> 4n) + next(2));
      if (steVerdict(words, 0, this.features) === 'stage2') return tree;
    }
  }

  /** A root of whatever size, somewhere in a page if it is small. */
  #rootOf(tree: Tree): Place {
    const bytes = 8 * 2 ** Math.max(0, tree.bits - (tree.tg + (tree.tg - 3) * (3 - tree.start)));
    const least = tree.out > 48 ? 64 : 16;
    const size = Math.max(bytes, least);
    if (tree.stage === 1 && this.#config === CONFIG_NESTED) return this.#through(size);
    const frame = this.#allocate(Math.max(1, size / 4096));
    const offset = size < 4096 ? this.#next(4096 / size) * size : 0;
    return { address: BigInt(frame) * 4096n + BigInt(offset), frames: Array.from({ length: Math.max(1, size / 4096) }, (_, i) => frame + i), offset };
  }

  /** A table or CD of stage 1 behind stage 2: an IPA, each stage-2 page of it placed by itself. */
  #through(size: number): Place {
    const tree = this.#second;
    const count = Math.max(1, size / 4096);
    const page = 2 ** (tree.tg - 12);
    const unit = BigInt(Math.max(count, page)) * 4096n;
    let address = 0n;
    let frames: number[] = [];
    for (let tries = 0; frames.length < count; tries += 1) {
      if (tries > 40) throw new NoRoom('the IPA space');
      address = (this.#within(Math.min(tree.bits, 44, tree.out)) / unit) * unit;
      frames = [];
      for (let i = 0; i < count; i += page) {
        const frame = this.#allocate(page);
        const to = BigInt(frame) * 4096n;
        if (this.#grow(tree, address + BigInt(i) * 4096n, to) !== to) break; // something is mapped there already
        for (let j = 0; j < page && i + j < count; j += 1) frames.push(frame + j);
      }
    }
    const offset = size < 4096 ? this.#next(4096 / size) * size : 0;
    return { address: address + BigInt(offset), frames, offset };
  }

  #stage1(): void {
    const next = this.#next;
    const el2 = this.#config === CONFIG_S1 && this.chip.e2h === false && new DataView(this.ste.buffer).getUint32(8, true) >>> 30 === 2;
    let trees: (Tree | null)[] = [];
    for (let tries = 0; ; tries += 1) {
      trees = this.#tryCd(el2);
      if (cdVerdict(this.cd, 0, this.ste, 0, this.features, this.chip.e2h)) break;
      if (tries > 200) throw new NoRoom('a legal CD');
    }
    trees.forEach((tree, half) => {
      if (tree === null) return;
      for (let i = 0; i < 3; i += 1) {
        const input = this.#within(tree.bits);
        this.#ask(tree, input);
        const top = half === 1 ? 2n ** 64n - 2n ** BigInt(tree.bits) : 0n;
        this.inputs.push(top + input);
        if (next(3) === 0) this.inputs.push((top + input) ^ (BigInt(1 + next(255)) << 56n));
      }
    });
    const place = this.#config === CONFIG_NESTED ? this.#through(64) : this.#plainPage();
    setField(this.ste, STE.S1ContextPtr, Number(place.address >> 6n));
    const ref = ((place.frames[0] as number) - RAM_BASE) * 512 + place.offset / 8;
    for (let i = 0; i < 8; i += 1) this.#memory.commit(ref + i, this.cd[2 * i] as number, this.cd[2 * i + 1] as number);
  }

  #plainPage(): Place {
    const frame = this.#allocate(1);
    return { address: BigInt(frame) * 4096n, frames: [frame], offset: 0 };
  }

  /** A CD with a tree for each half that it does not disable. */
  #tryCd(el2: boolean): (Tree | null)[] {
    const next = this.#next;
    const words = this.cd;
    words.fill(0);
    const ds = this.features.ds && next(2) === 0;
    const ips = 1 + next(6);
    for (const [f, v] of [[CD.V, 1], [CD.AA64, 1], [CD.A, 1], [CD.R, 1], [CD.IPS, ips], [CD.DS, ds ? 1 : 0], [CD.ASID, next(4)], [CD.HA, next(2)], [CD.HD, next(2)],
      [CD.AFFD, next(3) === 0 ? 1 : 0]] as const) setField(words, f, v);
    return ([0, 1] as const).map((half) => {
      const fields = CD_HALF[half];
      const tg = TGS[next(3)] as Tg;
      const bits = 64 - (12 + next(37));
      setField(words, fields.TxSZ, 64 - bits);
      setField(words, fields.TG, half === 0 ? cdTg0(tg) : cdTg1(tg));
      setField(words, fields.TBI, next(2));
      setField(words, fields.HAD, next(4) === 0 ? 1 : 0);
      if (next(6) === 0 || (half === 1 && el2)) {
        setField(words, fields.EPD, 1);
        return null;
      }
      let start = 3;
      while (bits > tg + (tg - 3) * (4 - start)) start -= 1;
      const size = Math.min(OUT_BITS[ips] as number, this.features.oas);
      const effective = tg !== 16 && ds;
      if (start < (effective && tg === 12 ? -1 : tg === 12 ? 0 : tg === 14 ? (effective ? 0 : 0) : 1)) return null;
      const tree: Tree = {
        tg, bits, start, ds: effective, wide: tg === 16 && this.features.oas === 52, out: tg === 16 || effective ? size : Math.min(size, 48), stage: 1, root: NOWHERE, below: new Map(),
      };
      if (bits > 52 || bits < 16 || (tg === 16 && bits < 17)) return null;
      tree.root = this.#rootOf(tree);
      setField(words, fields.TTB, Number(tree.root.address >> 4n) % 2 ** 48);
      return tree;
    });
  }

  /** Makes a mapping of `input`, and of its output at stage 2. */
  #ask(tree: Tree, input: bigint): void {
    const output = this.#grow(tree, input, null);
    if (tree.stage === 2) this.inputs.push(input);
    else if (this.#config === CONFIG_NESTED && output !== null && this.#next(8) !== 0) this.#grow(this.#second, output % 2n ** BigInt(this.#second.bits), null);
  }

  /** Goes down to the leaf of `input`, making what is missing. `to`: where a page must lead, else chance decides. Returns the output. */
  #grow(tree: Tree, input: bigint, to: bigint | null): bigint | null {
    let table = tree.root;
    for (let level = tree.start; ; level += 1) {
      const shift = BigInt(tree.tg + (tree.tg - 3) * (3 - level));
      const index = level === tree.start ? Number(input >> shift) : Number((input >> shift) % 2n ** BigInt(tree.tg - 3));
      const byte = table.offset + index * 8;
      const at = BigInt(table.frames[Math.floor(byte / 4096)] as number) * 4096n + BigInt(byte % 4096);
      const below = tree.below.get(at);
      if (below !== undefined) {
        table = below;
        continue;
      }
      if (this.#read(at) !== 0n) return null;
      const chance = this.#next(100);
      if (level < 3 && (to !== null || chance < 72)) {
        const made = this.#newTable(tree);
        tree.below.set(at, made);
        this.#store(at, this.#address(made.address, tree) | 3n | (this.#next(3) === 0 ? this.#tableBits(tree) : 0n));
        table = made;
        continue;
      }
      return this.#leaf(tree, level, at, input, to);
    }
  }

  #newTable(tree: Tree): Place {
    const count = 2 ** (tree.tg - 12);
    if (tree.stage === 1 && this.#config === CONFIG_NESTED) return this.#through(count * 4096);
    const frame = this.#allocate(count);
    return { address: BigInt(frame) * 4096n, frames: Array.from({ length: count }, (_, i) => frame + i), offset: 0 };
  }

  /** A leaf, a run of leaves, or something that is none. */
  #leaf(tree: Tree, level: number, at: bigint, input: bigint, to: bigint | null): bigint | null {
    const size = 2n ** BigInt(tree.tg + (tree.tg - 3) * (3 - level));
    const chance = this.#next(100);
    if (to === null && chance < 4) return null;
    if (level < 3 && chance < 24 && to === null) { // a table anywhere
      this.#store(at, this.#address((this.#within(Math.min(tree.out, 52)) >> 16n) << 16n, tree) | 3n);
      return null;
    }
    if (to === null && chance < 28) {
      this.#store(at, BigInt(this.#next(2 ** 30)) * 2n ** 34n + BigInt(this.#next(2 ** 30)) * 16n + BigInt(this.#next(16)));
      return null;
    }
    const limit = BigInt(Math.min(tree.out, tree.stage === 1 && this.#config === CONFIG_NESTED && this.#next(4) !== 0 ? this.#second.bits : 52));
    const output = to ?? ((this.#within(Number(limit)) / size) * size);
    const type = level === 3 ? (chance < 31 && to === null ? 1n : 3n) : 1n;
    const attributes = this.#leafBits(tree, to !== null);
    if (to === null && this.#next(4) === 0) this.#run(tree, level, at, size, attributes | type);
    else this.#store(at, this.#address(output, tree) | attributes | type);
    return output + (input % size);
  }

  /** Sixteen to 128 like neighbours with the contiguous bit, from an aligned output on. */
  #run(tree: Tree, level: number, at: bigint, size: bigint, word: bigint): void {
    const count = tree.tg === 12 ? 16 : tree.tg === 16 ? 32 : level === 3 ? 128 : 32;
    const first = at - (at % BigInt(count * 8));
    const output = (this.#within(tree.out) / (size * BigInt(count))) * size * BigInt(count);
    for (let i = 0n; i < BigInt(count); i += 1n) {
      if (this.#read(first + i * 8n) !== 0n || first / 4096n !== at / 4096n) continue;
      this.#store(first + i * 8n, (this.#address(output + i * size, tree) | word | (1n << 52n)) ^ (this.#next(200) === 0 ? 1n << 54n : 0n));
    }
  }

  #leafBits(tree: Tree, kind: boolean): bigint {
    const next = this.#next;
    const flag = (chance: number, bit: number): bigint => (next(100) < chance ? 1n << BigInt(bit) : 0n);
    const shared = flag(kind ? 96 : 85, 10) | flag(50, 51) | flag(5, 52) | flag(30, 53) | flag(30, 54) | BigInt(next(4)) << 2n | flag(50, 55);
    const share = tree.ds ? 0n : flag(50, 9);
    if (tree.stage === 1) return shared | share | flag(80, 6) | flag(50, 7) | flag(60, 11);
    return shared | share | flag(kind ? 97 : 85, 6) | flag(70, 7) | flag(50, 11);
  }

  #tableBits(tree: Tree): bigint {
    const next = this.#next;
    const low = tree.stage === 1 ? 59n : 55n;
    return BigInt(next(16)) << low | BigInt(next(2)) << 10n;
  }

  #address(address: bigint, tree: Tree): bigint {
    if (tree.ds) return (address % 2n ** 50n) | ((address >> 50n) << 8n);
    if (tree.wide) return (address % 2n ** 48n) | ((address >> 48n) << 12n);
    return address % 2n ** 48n;
  }

  #read(at: bigint): bigint {
    const ref = Number(at / 8n) - RAM_BASE * 512;
    return BigInt(this.#memory.hi[ref] as number) * 2n ** 32n + BigInt(this.#memory.lo[ref] as number);
  }

  #store(at: bigint, word: bigint): void {
    const ref = Number(at / 8n) - RAM_BASE * 512;
    this.#memory.commit(ref, Number(word % 2n ** 32n), Number((word >> 32n) % 2n ** 32n));
  }
}
