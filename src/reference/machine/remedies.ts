/**
 * Remedies: commands that must remove a fact, narrowest first (IHI 0070 §4.3–§4.5), as match.ts has it. For trying out what a driver left out.
 */
import { newCommand, OP, type Command } from '../../spec/command.js';
import { WORLD_EL1 } from '../../stack/transaction.js';
import type { Fact, LeafFact, TableFact } from './facts.js';
import { matches, type MatchContext } from './match.js';

export function remediesFor(f: Fact, m: MatchContext): Command[] {
  return candidates(f).map((c) => ({ ...newCommand(), ...c })).filter((c) => matches(c, f, m));
}

function candidates(f: Fact): Partial<Command>[] {
  switch (f.kind) {
    case 'ste': return [{ op: OP.CFGI_STE, sid: f.element.index, leaf: 1 }];
    case 'l1std': return [{ op: OP.CFGI_STE, sid: f.element.index }];
    case 'cd': return [{ op: OP.CFGI_CD, sid: f.element.table.sid, ssid: f.element.index, leaf: 1 }, { op: OP.CFGI_CD_ALL, sid: f.element.table.sid }];
    case 'l1cd': return [{ op: OP.CFGI_CD, sid: f.element.table.sid, ssid: f.element.index }];
    case 'atc': return [
      { op: OP.ATC_INV, sid: f.sid, ssv: f.ssid < 0 ? 0 : 1, ssid: Math.max(0, f.ssid), frame: f.va, size: log2Up(f.frames) },
      { op: OP.ATC_INV, sid: f.sid, size: 52 },
    ];
    default: return translation(f);
  }
}

function translation(f: LeafFact | TableFact): Partial<Command>[] {
  const leaf = f.kind === 'leaf' ? 1 : 0;
  if (f.stage === 2) return [{ op: OP.TLBI_S2_IPA, vmid: f.vmid, frame: f.va, leaf }, { op: OP.TLBI_S12_VMALL, vmid: f.vmid }];
  const asid = Math.max(0, f.asid);
  if (f.world !== WORLD_EL1) return [{ op: OP.TLBI_EL2_VA, asid, frame: f.va, leaf }, { op: OP.TLBI_EL2_ASID, asid }];
  return [{ op: OP.TLBI_NH_VA, vmid: f.vmid, asid, frame: f.va, leaf }, { op: OP.TLBI_NH_ASID, vmid: f.vmid, asid }, { op: OP.TLBI_NH_ALL, vmid: f.vmid }];
}

/** The least n with 2^n not below `frames`. */
function log2Up(frames: number): number {
  let n = 0;
  while (2 ** n < frames && n < 52) n += 1;
  return n;
}
