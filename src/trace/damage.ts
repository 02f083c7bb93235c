/** Damage: taking a recorded command out without disturbing the queue: a PREFETCH_CONFIG, which does nothing here, stands in its place. */
import { OP } from '../spec/command.js';
import type { Recorded } from '../captures/recorded.js';

export function noCommand(r: Recorded): Recorded {
  return r.what.kind !== 'cmd' ? r : { ...r, what: { ...r.what, op: 'PREFETCH_CONFIG', raw: [OP.PREFETCH_CONFIG, 0, 0, 0] } };
}

/** A TLBI that names an address under an ASID. */
export function isRangeTlbi(raw: readonly number[] | null): boolean {
  return raw !== null && ((raw[0] as number) & 0xff) === OP.TLBI_NH_VA;
}
