/**
 * Facts: what the weakest legal SMMU has cached, each listed by itself. A fact is its value *and* the one derivation
 * it came from: the word it was read from and its premises. Two ways to the same leaf are two facts.
 *
 * Kinds: level-1 stream table and CD descriptors; STEs and CDs, one fact a 64-bit word, because a structure may be fetched
 * word by word in any order (IHI 0070 §3.21.3): every combination of words that are facts may be cached; table descriptors;
 * leaves; ATC entries. A nested table descriptor is also a fact together with the stage-2 leaf that translated the address
 * of the next table (stage 3: it holds a PA), and a nested leaf together with a stage-2 leaf is a combined entry (stage 3).
 * A leaf with the Contiguous bit is a fact of its own size and another of the size of the run.
 *
 * Times are values of the world's logical clock. A word's value holds over segments [start, end); `end` is Infinity while
 * it stands in memory and the SMMU may fetch it. Facts without a word of their own hold from when they came into being.
 */
import type { Command } from '../../spec/command.js';
import type { TableContext } from '../../spec/tables.js';

export const NEVER = Infinity;

/** A command that the SMMU may have consumed and that no completed SYNC of its queue covers yet. */
export interface Pending {
  readonly command: Command;
  /** The earliest moment at which it may take effect. */
  readonly visible: number;
}

interface Common {
  readonly id: number;
  /** What it was derived from; all must be there for it to be derived again. */
  readonly premises: readonly Premise[];
  /** Memory reference of its own word, or -1. */
  readonly ref: number;
  /** The word as it counts (access flag set where the SMMU sets it by itself). */
  readonly lo: number;
  readonly hi: number;
  readonly starts: number[];
  readonly ends: number[];
  alive: boolean;
  /** When, and by a SYNC of which queue, it was removed. */
  gone?: { readonly at: number; readonly queue: number };
  /** Answer of the justification rule for one set of commands. */
  memoFor: readonly Pending[] | null;
  memo: number;
}

/** One word of a structure: all of a level-1 descriptor, word `word` of an STE or CD. */
export interface StructureFact extends Common {
  readonly kind: 'l1std' | 'ste' | 'l1cd' | 'cd';
  readonly element: Element;
  readonly word: number;
}

/** The tags by which TLBs and TLBIs name a translation (§3.3.3, §3.17). */
export interface Tag {
  readonly world: number;
  readonly vmid: number;
  /** -1: global, or a world or stage without ASIDs. */
  readonly asid: number;
  /** 1: from VA; 2: from IPA; 3: from VA through both stages. */
  readonly stage: number;
  /** log2 of the granule and level of the stage's descriptor (stage 3: of stage 1). */
  readonly tg: number;
  readonly level: number;
  /** Input span in 4 KiB frames. */
  readonly va: number;
  readonly frames: number;
}

export interface TableFact extends Common, Tag {
  readonly kind: 'table';
  readonly regime: Regime;
  /** Frame of the next table: an IPA in nested stage 1, else a PA. */
  readonly target: number;
  /** Attributes that table descriptors from the root to here impose (permissions.ts). */
  readonly limits: number;
  /** The page it leads to; null when a stage-2 translation is still needed. */
  page: Page | null;
}

export interface LeafFact extends Common, Tag {
  readonly kind: 'leaf';
  readonly regime: Regime;
  readonly target: number;
  readonly limits: number;
  /** Is it a whole contiguous run, derived from one member? */
  readonly run: boolean;
  /** Stage 3: the stage-1 and stage-2 leaves that it combines. */
  readonly first: LeafFact | null;
  readonly second: LeafFact | null;
}

/** What an endpoint may hold: recorded when something that it was answered from goes. */
export interface AtcFact extends Common {
  readonly kind: 'atc';
  readonly sid: number;
  /** PASID or -1. */
  readonly ssid: number;
  readonly va: number;
  readonly frames: number;
  /** Output frame of the span's first frame; an IPA when `split`. */
  readonly target: number;
  readonly split: boolean;
  /** Also for the addresses that differ in the ignored top byte alone (TBI): each is an entry of its own to the endpoint (§3.9.1). */
  readonly aliases: boolean;
  readonly canRead: boolean;
  readonly canWrite: boolean;
}

export type TranslationFact = TableFact | LeafFact;
export type Fact = StructureFact | TranslationFact | AtcFact;
export type Premise = Fact | Regime;

/** An array of structures that the SMMU may fetch: a stream table, a level-1 table, a CD table. */
export interface Structures {
  readonly kind: StructureFact['kind'];
  /** CDs and L1CDs: whose they are. STEs and L1STDs: -1. */
  readonly sid: number;
  /** StreamID or CD index that element 0 serves first, and how many each element serves (1 but for level-1 tables). */
  readonly first: number;
  readonly span: number;
  readonly count: number;
  /** Bytes: physical address of element 0, and distance of elements. */
  readonly address: number;
  readonly stride: number;
  readonly premises: readonly Premise[];
  readonly since: number;
  readonly elements: Map<number, Element>;
  /** May it be fetched from (SMMUEN, its premises)? */
  open: boolean;
}

export interface Element {
  readonly table: Structures;
  /** The first StreamID or CD index that it serves. */
  readonly index: number;
  /** Memory reference of its first word; -1: an external abort. */
  readonly ref: number;
  /** Per tracked word: every value that may be cached. */
  readonly words: StructureFact[][];
  /** Every combination of one cached value for each word; null when a word has changed since they were made. */
  vectors: readonly Vector[] | null;
}

/** One combination of cached words: the facts, and the words as uint32 halves. Nobody changes it. */
export interface Vector {
  readonly facts: readonly StructureFact[];
  readonly words: Uint32Array;
}

/** A translation regime: tags together with the tables that they walk. Not cached itself. */
export interface Regime {
  readonly kind: 'regime';
  readonly key: string;
  readonly world: number;
  readonly vmid: number;
  readonly asid: number;
  readonly stage: 1 | 2;
  /** Stage 1 whose output goes through stage 2. */
  readonly nested: boolean;
  /** 0: TTB0 (and stage 2), 1: TTB1. */
  readonly half: 0 | 1;
  readonly context: TableContext;
  supports: Support[];
  /** Supports of which something was removed: a command that another queue made visible before may have met them. */
  past: Support[];
  /** Root pages: one, or for nested stage 1 one for each stage-2 leaf under the root. */
  roots: Page[];
}

/** Words of an STE and of a CD that together give a regime. */
export interface Support {
  readonly key: string;
  readonly facts: readonly StructureFact[];
}

/** A table, or the part of it that one stage-2 leaf reaches: where descriptors are read. */
export interface Page {
  readonly regime: Regime;
  /** The descriptor that leads here; null: the regime's own base. */
  readonly from: TableFact | null;
  /** Level of the entries. */
  readonly level: number;
  /** First frame of the span of entry `firstIndex`, which is the first entry here. */
  readonly va: number;
  readonly firstIndex: number;
  readonly entries: number;
  readonly frame: number;
  /** Memory reference of its first entry, which is at `frame`. */
  readonly offset: number;
  readonly limits: number;
  /** Stage 2 lets the SMMU write to it (hardware updates). Stage 1 alone: yes. */
  readonly writable: boolean;
  /** By entry: what is, or was, derived from it. */
  readonly kids: Map<number, TranslationFact[]>;
}

/** Is the fact what memory says now? (Its premises may still be stale.) */
export function stands(f: Fact): boolean {
  return f.ends[f.ends.length - 1] === Infinity;
}

export function isRegime(p: Premise): p is Regime {
  return p.kind === 'regime';
}

export function sameWord(f: Fact, lo: number, hi: number): boolean {
  return f.lo === lo && f.hi === hi;
}

/** Its word no longer holds the value, or it may no longer be fetched. */
export function endSegment(f: Fact, now: number): void {
  if (stands(f)) f.ends[f.ends.length - 1] = now;
}

/** Its word holds the value again. */
export function beginSegment(f: Fact, now: number): void {
  if (stands(f)) return;
  f.starts.push(now);
  f.ends.push(Infinity);
}

/** The fact is no longer cached: a SYNC of `queue` completed. */
export function bury(f: Fact, now: number, queue: number): void {
  f.alive = false;
  f.gone = { at: now, queue };
}
