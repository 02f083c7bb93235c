/**
 * Place: what the commands of a sequence do to the fact at one place, in words, and the commands that must remove it (IHI 0070 §4.3, §4.4).
 */
import { newCommand, OP, rangeGranules, type Command } from '../spec/command.js';
import { matchesCd, matchesLeaf, matchesSte, matchesTable } from '../reference/stage1/match.js';
import type { FactPlace } from '../stack/violation.js';

export function address(frame: number): string {
  return `0x${(frame * 4096).toString(16)}`;
}

/** Does the command ask for such a fact at all? */
export function names(c: Command, place: FactPlace): boolean {
  switch (place.kind) {
    case 'ste': return matchesSte(c, place.sid ?? -1);
    case 'cd': return matchesCd(c, place.sid ?? -1);
    case 'leaf': return matchesLeaf(c, place.asid ?? -1, place.level ?? 3, place.frame ?? 0, place.frames ?? 1);
    case 'table': return matchesTable(c, place.asid ?? -1, place.level ?? 2, place.frame ?? 0, place.frames ?? 1);
  }
}

/** Why a command leaves the fact. */
export function whyNot(c: Command, place: FactPlace): string {
  if (place.kind === 'ste') return matchesSte(c, place.sid ?? -1) ? 'names it, but memory still showed the older form when it could act' : 'does not name that STE';
  if (place.kind === 'cd') return matchesCd(c, place.sid ?? -1) ? 'names it, but the older form could be read again' : 'does not name that CD';
  const asid = place.asid ?? -1;
  const frame = place.frame ?? 0;
  const frames = place.frames ?? 1;
  const level = place.level ?? 3;
  if (names(c, place)) return 'names it, but what it is derived from was still visible or cached when it could act, so it comes back';
  if (c.op < OP.TLBI_NH_ALL) return 'CFGI need not touch the TLB (§4.3.1)';
  if (c.asid !== asid) return `names asid ${c.asid}, not ${asid}`;
  if (place.kind === 'table' && c.leaf !== 0) return 'Leaf = 1 asks for no table descriptor (§4.4.1.1)';
  const last = c.tg === 0 ? c.frame : c.frame + rangeGranules(c) - 1;
  if (last < frame || c.frame >= frame + frames) return `covers ${address(c.frame)}..${address(last + 1)}, not ${address(frame)}`;
  if (c.ttl !== 0) return `TTL = ${c.ttl} does not ask for level ${level} ${place.kind === 'leaf' ? 'leaves' : 'tables'} (§4.4.1.1)`;
  return 'does not match it';
}

/** Commands that must remove a fact at this place, the narrowest first. */
export function remedies(place: FactPlace): Command[] {
  const make = (fields: Partial<Command>): Command => ({ ...newCommand(), ...fields });
  switch (place.kind) {
    case 'leaf': return [
      make({ op: OP.TLBI_NH_VA, asid: place.asid ?? 0, frame: place.frame ?? 0, leaf: 1 }),
      make({ op: OP.TLBI_NH_VA, asid: place.asid ?? 0, frame: place.frame ?? 0 }),
      make({ op: OP.TLBI_NH_ASID, asid: place.asid ?? 0 }),
    ];
    case 'table': return [make({ op: OP.TLBI_NH_VA, asid: place.asid ?? 0, frame: place.frame ?? 0 }), make({ op: OP.TLBI_NH_ASID, asid: place.asid ?? 0 })];
    case 'ste': return [make({ op: OP.CFGI_STE, sid: place.sid ?? 0, leaf: 1 }), make({ op: OP.CFGI_STE_RANGE, range: 31 })];
    case 'cd': return [make({ op: OP.CFGI_CD, sid: place.sid ?? 0, leaf: 1 }), make({ op: OP.CFGI_STE, sid: place.sid ?? 0, leaf: 1 })];
  }
}
