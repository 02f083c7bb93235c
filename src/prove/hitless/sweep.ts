/**
 * Sweep: the entry writer on every pair of configurations. At each state that the SMMU may read, a device must see what the old entry gives or
 * what the new one gives; V = 0 only where no order of stores avoids it. That a pair must go through V = 0 is decided here by what
 * single bits mean, not by the writer's own tables: when two words have bits that both entries look at and that differ, some store
 * changes one of them first, and the entry is then neither. Otherwise the ignored bits can move first, and one word decides: that order is
 * built and looked at in the same way, so that "could be avoided" is never only said.
 */
import { planEntry } from '../../optimised/driver/entry.steps.js';
import { STE } from '../../spec/ste.js';
import { atsOf, GONE, ILLEGAL, translationOf, type EntryKind } from '../../spec/meaning.js';
import type { Configuration } from './lattice.js';
import { groupOf, tornReads, WatchedWrite, type Group, type Writer } from './watched-write.js';

/** SYNCs that one update may take: the ignored bits, the word that decides, the rest; or V = 0, the body, word 0. */
const SYNCS_MOST = 3;

export interface Sum {
  pairs: number;
  /** States that were looked at, torn reads included. */
  states: number;
  hitless: number;
  /** Through V = 0 because it must be; because an entry was or becomes invalid; and although an order without it exists. */
  broken: number;
  invalid: number;
  avoidable: number;
  /** Updates by their number of SYNCs. */
  readonly syncs: number[];
  /** The kinds of pairs whose break could be avoided. */
  readonly avoidableKinds: Map<string, number>;
  /** One of these pairs with the fewest differing bits. */
  closest: { readonly from: string; readonly to: string; readonly bits: number } | null;
  wrong: Wrong | null;
}

export interface Wrong {
  readonly from: string;
  readonly to: string;
  readonly what: string;
}

/** STE.EATS as bits of the words as uint32. */
const EATS_WORD = STE.EATS.word * 2;
const EATS_BITS = 3 << STE.EATS.shift;

export function newSum(): Sum {
  return { pairs: 0, states: 0, hitless: 0, broken: 0, invalid: 0, avoidable: 0, syncs: new Array<number>(SYNCS_MOST + 1).fill(0), avoidableKinds: new Map(), closest: null, wrong: null };
}

/**
 * Which bits decide what an entry means: those that change its translation when they are flipped. Of EATS both together: one bit of 1 (full)
 * gives 0 or 3, which are as legal; both give 2 (split stage), which is not.
 */
function decisive(kind: EntryKind, words: Uint32Array): Uint32Array {
  const mask = new Uint32Array(16);
  const probe = words.slice();
  const key = translationOf(kind, words);
  if (kind === 'ste') {
    probe[EATS_WORD] = ((probe[EATS_WORD] as number) ^ EATS_BITS) >>> 0;
    if (translationOf(kind, probe) !== key) mask[EATS_WORD] = EATS_BITS;
    probe[EATS_WORD] = words[EATS_WORD] as number;
  }
  for (let i = 0; i < 16; i += 1) {
    for (let bit = 0; bit < 32; bit += 1) {
      probe[i] = ((probe[i] as number) ^ (1 << bit)) >>> 0;
      if (translationOf(kind, probe) !== key) mask[i] = ((mask[i] as number) | (1 << bit)) >>> 0;
      probe[i] = words[i] as number;
    }
  }
  return mask;
}

interface Known extends Configuration {
  readonly translation: string;
  readonly ats: number;
  readonly decisive: Uint32Array;
}

export class Sweep {
  readonly kind: EntryKind;
  readonly #known: readonly Known[];
  readonly #write: WatchedWrite;
  readonly #seen = new Uint32Array(16);

  constructor(kind: EntryKind, configurations: readonly Configuration[], writer?: Writer) {
    this.kind = kind;
    this.#write = new WatchedWrite(writer);
    this.#known = configurations.map((c) => ({ ...c, translation: translationOf(kind, c.words), ats: atsOf(kind, c.words), decisive: decisive(kind, c.words) }));
  }

  get configurations(): number {
    return this.#known.length;
  }

  /** All pairs with this first configuration; ends at the first that is wrong. */
  row(from: number, sum: Sum): void {
    for (let to = 0; to < this.#known.length && sum.wrong === null; to += 1) if (to !== from) this.pair(from, to, sum);
  }

  pair(from: number, to: number, sum: Sum): void {
    const a = this.#known[from] as Known;
    const b = this.#known[to] as Known;
    sum.pairs += 1;
    const groups = this.#write.run(this.kind, a.words, b.words);
    const what = this.#judge(a, b, groups, sum);
    if (what !== null) sum.wrong = { from: a.name, to: b.name, what };
  }

  #judge(a: Known, b: Known, groups: readonly Group[], sum: Sum): string | null {
    const syncs = groups.filter((g) => g.synced).length;
    if (groups.some((g) => !g.synced)) return 'the last stores are followed by no CFGI and SYNC';
    if (syncs > SYNCS_MOST) return `${syncs} SYNCs, at most ${SYNCS_MOST} are needed`;
    if (groups.some((g) => g.values.every((v) => v.length === 1))) return 'a SYNC stands after no store';
    sum.syncs[syncs] = (sum.syncs[syncs] as number) + 1;
    const end = this.#write.entry();
    if (end.some((w, i) => w !== (b.words[i] as number))) return 'the entry is not what was to be written';
    let gone = false;
    for (const [i, group] of groups.entries()) {
      const bad = this.#mixed(a, b, group, sum);
      if (bad === GONE) gone = true;
      else if (bad !== null) return `before SYNC ${i + 1} of ${syncs} ${bad}`;
    }
    return this.#count(a, b, gone, sum);
  }

  /** What a device may get in this group that neither entry gives; V = 0 alone is told as GONE. */
  #mixed(a: Known, b: Known, group: Group, sum: Sum): string | null {
    let bad = null as string | null;
    tornReads(group, this.#seen, () => {
      sum.states += 1;
      const seen = translationOf(this.kind, this.#seen);
      const ats = atsOf(this.kind, this.#seen);
      if (seen === a.translation || seen === b.translation) {
        if (ats === a.ats || ats === b.ats) return false;
        bad = `ATS may be ${ats}, which neither entry says`;
        return true;
      }
      bad = seen === GONE ? GONE : `a device may get what neither entry gives: ${seen === ILLEGAL ? 'an ILLEGAL entry' : seen}`;
      return seen !== GONE;
    });
    return bad;
  }

  #count(a: Known, b: Known, gone: boolean, sum: Sum): string | null {
    if (a.translation === GONE || b.translation === GONE) {
      sum.invalid += 1;
      return null;
    }
    const must = conflicts(a, b) >= 2;
    if (!gone) {
      sum.hitless += 1;
      return must ? 'it is said to need V = 0, and went without: the judgement contradicts itself' : null;
    }
    if (must) {
      sum.broken += 1;
      return null;
    }
    if (planEntry(this.kind, a.words, b.words).differing < 2) return 'V = 0, although one word decides by the bits that the driver calls used';
    for (const group of otherOrder(a, b)) if (this.#mixed(a, b, group, sum) !== null) return 'it is said not to need V = 0, but the order without it is wrong: the judgement contradicts itself';
    sum.avoidable += 1;
    const bits = differingBits(a.words, b.words);
    if (sum.closest === null || bits < sum.closest.bits) sum.closest = { from: a.name, to: b.name, bits };
    const kinds = `${label(a)} → ${label(b)}`;
    sum.avoidableKinds.set(kinds, (sum.avoidableKinds.get(kinds) ?? 0) + 1);
    return null;
  }
}

/** 64-bit words with differing bits that decide both entries. */
function conflicts(a: Known, b: Known): number {
  let n = 0;
  for (let q = 0; q < 8; q += 1) {
    const differ = (i: number): number => ((a.words[i] as number) ^ (b.words[i] as number)) & (a.decisive[i] as number) & (b.decisive[i] as number);
    if (differ(q * 2) !== 0 || differ(q * 2 + 1) !== 0) n += 1;
  }
  return n;
}

function differingBits(a: Uint32Array, b: Uint32Array): number {
  let n = 0;
  for (let i = 0; i < 16; i += 1) for (let x = (a[i] as number) ^ (b[i] as number); x !== 0; x &= x - 1) n += 1;
  return n;
}

/** The order without V = 0: what `a` ignores, the word that decides, the rest; a SYNC after each. */
function otherOrder(a: Known, b: Known): readonly Group[] {
  const interim = a.words.map((w, i) => (w & (a.decisive[i] as number)) | ((b.words[i] as number) & ~(a.decisive[i] as number)));
  const decided = interim.map((w, i) => (w & ~(b.decisive[i] as number)) | ((b.words[i] as number) & (b.decisive[i] as number)));
  return [groupOf(a.words, interim), groupOf(interim, decided), groupOf(decided, b.words)];
}

/** What comes before the first choice in a name. */
function label(c: Configuration): string {
  return c.name.replace(/( \S+=\S+)+$/, '');
}
