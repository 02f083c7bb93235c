/**
 * Tlb: the concrete machine's cached leaves (IHI 0070 §3.17, §16.2): VA to the output of stage 1, IPA to PA, and VA to PA
 * through both stages, the last with the span of the smaller. Only results without a translation, address size or access
 * fault get here, but leaves that deny the access at hand do: permission is judged at each hit. A stale leaf answers
 * until a TLBI of §4.4 names it or replacement takes it.
 *
 * Why it equals its slow twin: see span-cache.ts; where several entries could answer (a block and a page of it, both
 * cached after a change without TLBI) the smallest span wins, the entry of the ASID before the global one, always, and
 * any of them would be legal. Global entries have the ASID part of their tag 0.
 */
import { bothPermissions } from './permissions.js';
import { SpanCache } from './span-cache.js';

/** log2 of the frames that leaves and contiguous runs can span, over all granules. */
export const LEAF_SHIFTS: readonly number[] = [0, 2, 4, 9, 13, 17, 18, 22, 24, 27, 30, 31, 35];
const CLASS_OF_SHIFT: readonly number[] = Array.from({ length: 36 }, (_, shift) => LEAF_SHIFTS.indexOf(shift));

/** Class of a span of 2^shift frames. */
export function leafClass(shift: number): number {
  return CLASS_OF_SHIFT[shift] as number;
}

export class Tlb extends SpanCache {
  /** Permission bits (permissions.ts): of the whole; of stage 1 and of stage 2 alone where both were used. */
  readonly permissions: Uint8Array;
  readonly stage1Permissions: Uint8Array;
  readonly stage2Permissions: Uint8Array;
  /** Output frame less input frame; and that of the IPA in between. */
  readonly delta: Float64Array;
  readonly ipaDelta: Float64Array;

  constructor(entries: number) {
    super(entries, LEAF_SHIFTS);
    this.permissions = new Uint8Array(entries);
    this.stage1Permissions = new Uint8Array(entries);
    this.stage2Permissions = new Uint8Array(entries);
    this.delta = new Float64Array(entries);
    this.ipaDelta = new Float64Array(entries);
  }

  /** What a claimed entry of one stage grants and where it leads. */
  fill(entry: number, permissions: number, delta: number): void {
    this.permissions[entry] = permissions;
    this.delta[entry] = delta;
  }

  /** What each stage of a claimed entry of both stages grants. */
  fillBoth(entry: number, first: number, second: number): void {
    this.permissions[entry] = bothPermissions(first, second);
    this.stage1Permissions[entry] = first;
    this.stage2Permissions[entry] = second;
  }

  /** Output frame of an input frame that `entry` covers. */
  translate(entry: number, frame: number): number {
    return frame + (this.delta[entry] as number);
  }

  /** IPA frame of an input frame that `entry`, one of both stages, covers. */
  ipaOf(entry: number, frame: number): number {
    return frame + (this.ipaDelta[entry] as number);
  }
}
