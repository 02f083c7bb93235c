/**
 * Facts: what the weakest legal SMMU has cached. A fact is its value *and* the one
 * derivation it came from: two ways to the same leaf are two facts.
 *
 * What memory justifies now is implied by the words themselves and by `Way` objects (one per table descriptor
 * under one regime); what memory no longer says is recorded: a `LeafRec`, a way whose state is not 'current',
 * an `EntryFact` whose last segment has ended.
 *
 * Times are values of the world's logical clock. A word's value holds over segments [start, end); `end` is
 * Infinity while it stands in memory.
 */
import { levelFrames } from '../../spec/granule.js';
import type { Command } from '../../spec/command.js';

export const NEVER = Infinity;

/** A command that the SMMU may have consumed and that no completed SYNC covers yet. */
export interface Pending {
  readonly command: Command;
  /** The earliest moment at which it may take effect. */
  readonly visible: number;
}

/** One 64-bit word of a structure with one of its values, and when memory held it. Shared by the facts that have it. */
export interface WordHold {
  readonly lo: number;
  readonly hi: number;
  readonly starts: number[];
  readonly ends: number[];
}

/**
 * An STE, CD or level-1 descriptor as it may be cached: 16 uint32 (a level-1 descriptor: the first two). Its words may have been fetched at different times, in any order (IHI 0070 §3.21.3), so
 * it need never have stood in memory as a whole: any combination of values that the words had while they could be fetched is a fact.
 */
export interface EntryFact {
  readonly kind: 'l1std' | 'ste' | 'cd';
  /** Level-1 descriptor: the first stream that it serves. */
  readonly sid: number;
  /** Reference of its first word in memory. */
  readonly ref: number;
  readonly words: Uint32Array;
  /** When it came into being. */
  readonly born: number;
  /** Its eight words; `ends` of a word is Infinity while memory holds that value. */
  readonly own: readonly WordHold[];
  /** CD: the STE that points to it. STE: null. */
  readonly ste: EntryFact | null;
  /** STE: the CDs reached through it. */
  readonly cds: EntryFact[];
  /** STE of a two-level table: the level-1 descriptor that points to its table. */
  readonly level1: EntryFact | null;
  /** Level-1 descriptor: not cached any more, and memory holds another. */
  dead: boolean;
}

/** Is it what memory says? */
export function isCurrent(f: EntryFact): boolean {
  return f.own.every((w) => w.ends[w.ends.length - 1] === Infinity);
}

/** A stage-1 translation regime: a tag together with the tables it walks. */
export interface Regime {
  readonly asid: number;
  /** Start-level table. */
  readonly frame: number;
  readonly startLevel: number;
  readonly inputBits: number;
  readonly outputBits: number;
  /** (STE, CD) pairs, cached or in memory, that give this tag and these tables. */
  readonly supports: Support[];
  root: Way | null;
  /** Leaves that memory no longer says, or that can no longer be derived. */
  leafRecs: LeafRec[];
  /** Table descriptors of that kind; what hangs below them is implied. */
  wayRecs: Way[];
  /** Which domain the rules hold it to, once an attach has returned; -1 before. */
  domain: number;
}

export interface Support {
  readonly ste: EntryFact;
  readonly cd: EntryFact;
}

/** current: the word stands; hidden: it does not; orphan: cached, but what led to it is gone; dead: not cached. */
export type WayState = 'current' | 'hidden' | 'orphan' | 'dead';

/** One table descriptor under one regime (or the regime's table base, when `parent` is null and `slot` is -1). */
export interface Way {
  readonly regime: Regime;
  parent: Way | null;
  /** Word index of the descriptor in the parent's page; -1 for the regime's base. */
  readonly index: number;
  /** The descriptor's value. */
  readonly lo: number;
  readonly hi: number;
  /** Page it points to: frame and slot in memory (-1 when outside of it). */
  readonly frame: number;
  readonly slot: number;
  /** Level of the entries in that page; the descriptor itself is one level above. */
  readonly level: number;
  /** First frame of the span, which is 512 entries at `level`. */
  readonly va: number;
  readonly starts: number[];
  readonly ends: number[];
  /** Ways below it whose descriptor stands in its page, by word index. */
  readonly kids: Map<number, Way>;
  state: WayState;
  /** The last answer of the justification rule, and the commands it was for. */
  memoFor: readonly Pending[] | null;
  memo: number;
}

/** A leaf that memory no longer says (or that nothing derives any more). */
export interface LeafRec {
  readonly regime: Regime;
  /** The way to its page; null when that died first (it stays cached, but cannot be rebuilt). */
  way: Way | null;
  readonly index: number;
  readonly lo: number;
  readonly hi: number;
  readonly level: number;
  readonly va: number;
  /** When its word stopped holding it. */
  readonly until: number;
}

/** Frames spanned by one entry in the page that a way points to. */
export function entryFrames(level: number): number {
  return levelFrames(12, level);
}

/** Span in frames of the table descriptor itself. */
export function waySpan(way: Way): number {
  return 512 * entryFrames(way.level);
}
