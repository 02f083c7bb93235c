/**
 * Search: what one way to clean leaves behind in tables of one geometry. Every range of ranges.ts is mapped by itself into an empty table, and once more with a
 * page in each table next to it; then it is synced. Only the walker's view says whether something is stale; lines, warnings and tables that were
 * entered are cost. Of each kind of finding and each reason the smallest range is kept: fewest leaves, then the
 * shortest, then the lowest.
 */
import type { GranuleRange } from './ranges.js';
import type { StaleEntry } from './paths.js';

/** What came of one range. */
export interface Seen {
  /** 4 KiB frames of the range that the walker does not find as they are, and the first descriptor that it sees differently. */
  readonly staleFrames: number;
  readonly stale: StaleEntry | null;
  /** Lines that hold leaves of the range. */
  readonly touched: number;
  /** Leaf lines that were cleaned, and how often lines were cleaned in calls. */
  readonly lines: number;
  readonly calls: number;
  readonly warnings: number;
  /** Tables that were read or cleaned and in which nothing of the range stands. */
  readonly foreign: number;
  /** Entries behind the end of a table that were taken. */
  readonly beyond: number;
}

/** A table of one geometry that is empty before every question. */
export interface Ground {
  ask(range: GranuleRange, neighbours: boolean): Seen;
}

/** Kinds of findings. */
export const DEFECTS = ['stale', 'over', 'warnings', 'foreign', 'beyond'] as const;
export type Defect = (typeof DEFECTS)[number];

export interface Finding {
  /** Ranges that show it. */
  ranges: number;
  /** Most that one range shows: stale frames, lines too many, warnings, foreign tables, entries. */
  worst: number;
}

/** The smallest range that shows a kind of finding for one reason. */
export interface Example {
  readonly defect: Defect;
  readonly why: string;
  readonly range: GranuleRange;
  readonly neighbours: boolean;
  readonly seen: Seen;
}

export interface Searched {
  readonly ranges: number;
  readonly findings: Readonly<Record<Defect, Finding>>;
  readonly examples: readonly Example[];
}

/** Tells reasons apart. */
export type Why = (range: GranuleRange, seen: Seen, defect: Defect) => string;

export function amount(defect: Defect, seen: Seen): number {
  switch (defect) {
    case 'stale': return seen.staleFrames;
    case 'over': return Math.max(0, seen.lines - seen.touched);
    case 'warnings': return seen.warnings;
    case 'foreign': return seen.foreign;
    case 'beyond': return seen.beyond;
  }
}

/** Ranges with more leaves are asked without neighbours only. */
const LEAVES_BESIDE = 100;

/** `ranges`: the smallest first. */
export function search(ground: Ground, ranges: readonly GranuleRange[], why: Why = () => ''): Searched {
  const findings = Object.fromEntries(DEFECTS.map((d): [Defect, Finding] => [d, { ranges: 0, worst: 0 }])) as Record<Defect, Finding>;
  const examples = new Map<string, Example>();
  for (const range of ranges) {
    const shown = new Set<Defect>();
    for (const neighbours of range.leaves <= LEAVES_BESIDE ? [false, true] : [false]) {
      const seen = ground.ask(range, neighbours);
      for (const defect of DEFECTS) {
        const much = amount(defect, seen);
        if (much === 0) continue;
        const f = findings[defect];
        f.worst = Math.max(f.worst, much);
        if (shown.has(defect)) continue;
        shown.add(defect);
        f.ranges += 1;
        const reason = why(range, seen, defect);
        if (!examples.has(`${defect} ${reason}`)) examples.set(`${defect} ${reason}`, { defect, why: reason, range, neighbours, seen });
      }
    }
  }
  return { ranges: ranges.length, findings, examples: [...examples.values()] };
}
