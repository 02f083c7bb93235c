/**
 * Shapes of adversary worlds: granule, kinds of streams, tags, tables of one or two levels, ATS; and the low halves of the descriptors that stand in them.
 */
import { FULL_FEATURES, type Features } from '../../src/spec/features.js';
import type { Tg } from '../../src/spec/granule.js';
import type { Chooser } from '../../src/stack/chooser.js';

export const FEATURES: Features = { ...FULL_FEATURES, httu: 0, extraQueues: 0, sidBits: 8, ssidBits: 7, bbml: 2 };

export interface Shape {
  readonly tg: Tg;
  /** Input size of both stages. */
  readonly bits: number;
  readonly kinds: readonly ('stage1' | 'stage2' | 'nested' | 'el2')[];
  readonly vmids: readonly number[];
  readonly split: number;
  readonly twoLevelCds: boolean;
  readonly ats: boolean;
  readonly e2h: boolean;
  readonly vmw: number;
  /** Nothing stands in memory at first. */
  readonly bare?: boolean;
}

/** Low half of an address. */
export function low(frame: number): number { return (frame % 2 ** 20) * 4096; }

/** A leaf for anybody to read and write: AF, shareable; stage 1: AP[1], nG; stage 2: S2AP. */
export function leafLow(frame: number, level: number, stage: 1 | 2): number {
  return low(frame) + (level === 3 ? 3 : 1) + (1 << 10) + (3 << 8) + (stage === 1 ? (1 << 6) + (1 << 11) : 0xc0 + 0x3c);
}

const KINDS: readonly (readonly Shape['kinds'][number][])[] = [['stage1'], ['stage1', 'stage2'], ['nested'], ['nested', 'stage2'], ['nested', 'nested', 'stage1'], ['el2', 'stage1']];

export function randomShape(c: Chooser): Shape {
  const chance = (percent: number): boolean => c.index(100) < percent;
  const pick = <T>(from: readonly T[]): T => from[c.index(from.length)] as T;
  const tg: Tg = chance(70) ? 12 : pick([14, 16] as const);
  return {
    tg, bits: tg === 12 ? 39 : 36, kinds: pick(KINDS), vmids: pick([[1], [1, 2]]), split: chance(25) ? 6 : 0, twoLevelCds: chance(20), ats: chance(35), e2h: chance(50), vmw: chance(10) ? 1 : 0,
  };
}
