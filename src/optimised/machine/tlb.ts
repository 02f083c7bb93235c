/**
 * Tlb: the concrete machine's cached leaves, by (ASID, span, level); VMID is 0 throughout (stage 1 only, IHI 0070
 * §3.17). Only results without a translation, address size or access fault get here, but
 * leaves that deny the access at hand do: permission is judged at each hit. A stale leaf answers until a TLBI of §4.4
 * names it or replacement takes it.
 *
 * Why it equals its slow twin: see span-cache.ts; where several levels could answer (a block and a page of it, both
 * cached after a change without TLBI) the smallest span wins, always, and any of them would be legal.
 */
import { BIT_READ_ONLY } from '../../spec/descriptor.js';
import { SpanCache } from './span-cache.js';

export class Tlb extends SpanCache {
  /** Entry that translates `frame`, or -1. */
  lookup(asid: number, frame: number): number {
    let entry = this.find(asid, 3, frame);
    if (entry >= 0) return entry;
    entry = this.find(asid, 2, frame);
    return entry >= 0 ? entry : this.find(asid, 1, frame);
  }

  writable(entry: number): boolean {
    return ((this.lo[entry] as number) & BIT_READ_ONLY) === 0;
  }

  /** Output frame of an input frame that `entry` covers. */
  translate(entry: number, frame: number): number {
    return (this.target[entry] as number) + (frame - this.startOf(entry));
  }
}
