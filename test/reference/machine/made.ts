/** Facts made by hand, without a machine: VMID 3, ASID 7, frame 0x200 → 0x900, streams and CDs as a test says. */
import type { AtcFact, Element, LeafFact, Page, Regime, StructureFact, Structures, TableFact } from '../../../src/reference/machine/facts.js';
import { newTableContext } from '../../../src/spec/tables.js';

const COMMON = { id: 1, premises: [], ref: -1, lo: 0, hi: 0, starts: [0], ends: [Infinity], alive: true, diedAt: Infinity, diedBy: -1, memoFor: null, memo: 0 };
export const REGIME: Regime = { kind: 'regime', key: '', world: 0, vmid: 0, asid: 0, stage: 1, nested: false, half: 0, context: newTableContext(), supports: [], past: [], roots: [] };
const NO_PAGE: Page | null = null;
/** World EL1. */
const EL1 = 0;

export function leafFact(change: Partial<LeafFact>): LeafFact {
  return {
    ...COMMON, kind: 'leaf', regime: REGIME, world: EL1, vmid: 3, asid: 7, stage: 1, tg: 12, level: 3, va: 0x200, frames: 1, target: 0x900, limits: 0, run: false, first: null, second: null, ...change,
  };
}

export function tableFact(change: Partial<TableFact>): TableFact {
  return { ...COMMON, kind: 'table', regime: REGIME, world: EL1, vmid: 3, asid: 7, stage: 1, tg: 12, level: 2, va: 0x200, frames: 512, target: 0x900, limits: 0, page: NO_PAGE, ...change };
}

export function combined(change: Partial<LeafFact>): LeafFact {
  const first = leafFact(change);
  return { ...first, stage: 3, first, second: leafFact({ stage: 2, asid: -1 }) };
}

export function structure(kind: StructureFact['kind'], sid: number, [index, span]: readonly [number, number]): StructureFact {
  const owned = kind === 'cd' || kind === 'l1cd';
  const table: Structures = {
    kind, sid: owned ? sid : -1, first: index, span, count: 4, address: 0, stride: 8, premises: [], since: 0, elements: new Map(), open: true,
  };
  const element: Element = { table, index, ref: 0, words: [], vectors: null };
  return { ...COMMON, kind, element, word: 0 };
}

export function atc(change: Partial<AtcFact>): AtcFact {
  return { ...COMMON, kind: 'atc', sid: 5, ssid: -1, va: 0x200, frames: 1, target: 0x900, split: false, aliases: false, canRead: true, canWrite: true, ...change };
}
