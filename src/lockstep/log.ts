/**
 * Log: what happened inside the operations of a failing sequence, for its explanation: kept only when a failure is
 * run again to be explained.
 */
import type { Command } from '../spec/command.js';

export type Entry =
  | { readonly kind: 'operation'; readonly op: number }
  /** A leaf stopped being what memory says. */
  | { readonly kind: 'hidden'; readonly op: number; readonly smmu: number; readonly asid: number; readonly va: number; readonly frames: number; readonly level: number; readonly pa: number }
  | { readonly kind: 'unlinked'; readonly op: number; readonly smmu: number; readonly asid: number; readonly va: number; readonly frames: number; readonly level: number }
  /** The last STE and CD of a tag went: what is cached under it can no longer be derived, and stays. */
  | { readonly kind: 'closed'; readonly op: number; readonly smmu: number; readonly asid: number }
  /** An STE or CD changed in memory. */
  | { readonly kind: 'entry'; readonly op: number; readonly smmu: number; readonly entry: 'ste' | 'cd'; readonly sid: number }
  | { readonly kind: 'command'; readonly op: number; readonly smmu: number; readonly command: Command; readonly time: number }
  | { readonly kind: 'synced'; readonly op: number; readonly smmu: number; readonly covered: number };

export class Log {
  readonly entries: Entry[] = [];
  op = 0;
  /** What would have ended the failure: each a list of commands, every one with a CMD_SYNC behind it; narrowest first. */
  remedies: readonly (readonly Command[])[] = [];

  add(entry: Entry): void {
    if (this.entries.length < 200_000) this.entries.push(entry);
  }
}
