/**
 * Waivers: what QEMU is known to do against the architecture, so that a campaign can go on looking for something else. Each is narrow by
 * construction: it names a change of the sequence under which QEMU's way would be the right one (every access privileged, no global entry,
 * ...), and a finding is waived only if it is gone when the sequence is run again with that change, as far as it went. Everything else that
 * is wrong in the sequence would still be found. Each has its smallest case in corpus/conform, which a test runs: it fails as soon as
 * QEMU does no longer do it.
 */
import { setField } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import { OP } from '../spec/command.js';
import { BIT_NG, BIT_UNPRIVILEGED, HI_APTABLE_PRIVILEGED } from '../spec/descriptor.js';
import { CR0_SMMUEN, CR2_RECINVSID, REG } from '../spec/register.js';
import { replayMachine } from '../lockstep/machine-replay.js';
import type { Twins } from '../lockstep/twins.js';
import type { MachineCandidate } from '../fuzz/machine-shrink.js';
import type { MachineOperation } from '../stack/machine-world.js';
import { changeStores, type PlaceKind, type Store } from './places.js';

export interface Waiver {
  readonly id: string;
  /** First version that does it, and the first that does not any more. */
  readonly from: string;
  readonly until?: string;
  readonly clause: string;
  /** What QEMU does. */
  readonly behaviour: string;
  /** What it would hide or break. */
  readonly hides: string;
  /** The sequence in which what QEMU does is what the architecture asks for. */
  undo(operations: readonly MachineOperation[]): readonly MachineOperation[];
}

type Changer = (operations: readonly MachineOperation[]) => MachineOperation[];

/** One bit field of a structure's word set to a value. */
function withField(kind: PlaceKind, field: { readonly word: number; readonly shift: number; readonly width: number }, value: number): Changer {
  return (operations) => changeStores(operations, kind, (s, word) => (word === Math.floor(field.word / 2) ? changed(s, field, value) : s));
}

function changed(s: Store, field: { readonly word: number; readonly shift: number; readonly width: number }, value: number): Store {
  const words = Uint32Array.from([s.lo, s.hi]);
  setField(words, { ...field, word: field.word % 2 }, value);
  return { ...s, lo: words[0] as number, hi: words[1] as number };
}

function without(unwanted: (op: MachineOperation) => boolean): Changer {
  return (operations) => operations.filter((op) => !unwanted(op));
}

function commandOf(op: MachineOperation): number {
  return op.op === 'command' ? op.command.op : op.op === 'raw' ? op.words[0] % 256 : -1;
}

export const WAIVERS: readonly Waiver[] = [
  {
    id: 'access-flag', from: '7.2', clause: 'VMSAv8-64 access flag; IHI 0070 §5.4 CD.AFFD', behaviour: 'a descriptor with AF = 0 translates without F_ACCESS, as if CD.AFFD were 1',
    hides: 'drivers that forget the access flag, and access flag management by fault', undo: withField('cd', CD.AFFD, 1),
  },
  {
    id: 'unprivileged', from: '7.2', clause: 'VMSAv8-64 AP[1]; IHI 0070 §3.3.4', behaviour: 'pages without unprivileged access (AP[1] = 0) are open to unprivileged devices',
    hides: 'mappings for privileged devices only that other devices reach', undo: (operations) => changeStores(operations, 'descriptor', (s) => ({ ...s, lo: (s.lo | BIT_UNPRIVILEGED) >>> 0, hi: (s.hi & ~HI_APTABLE_PRIVILEGED) >>> 0 })),
  },
  {
    id: 'global', from: '7.2', clause: 'IHI 0070 §3.17.1, §4.4.2', behaviour: 'nG = 0 is ignored: entries are tagged with the ASID and a TLBI_NH_VA with another ASID leaves them',
    hides: 'nothing that Linux does (its entries are not global); a stack that shares global entries sees stale ones', undo: (operations) => changeStores(operations, 'descriptor', (s) => ({ ...s, lo: (s.lo | BIT_NG) >>> 0 })),
  },
  {
    id: 'recinvsid', from: '7.2', clause: 'IHI 0070 §6.3.12 CR2.RECINVSID, §7.3.3', behaviour: 'C_BAD_STREAMID is recorded although CR2.RECINVSID is 0',
    hides: 'nothing; a driver gets records that it did not ask for', undo: (operations) => operations.map((op) => (op.op === 'boot' ? { ...op, boot: { ...op.boot, recordUnknown: true } } : op.op === 'register' && op.offset === REG.CR2 && Math.floor(op.value / CR2_RECINVSID) % 2 === 0 ? { ...op, value: op.value + CR2_RECINVSID } : op)),
  },
  {
    id: 'stage-2-commands', from: '7.2', clause: 'IHI 0070 §4.4.3', behaviour: 'TLBI_S12_VMALL and TLBI_S2_IPA are taken by an SMMU without stage 2, where they are CERROR_ILL',
    hides: 'drivers that send stage-2 invalidations to an SMMU without stage 2', undo: without((op) => commandOf(op) === OP.TLBI_S12_VMALL || commandOf(op) === OP.TLBI_S2_IPA),
  },
  {
    id: 'strtab-guard', from: '7.2', clause: 'IHI 0070 §6.3.24, §6.3.25', behaviour: 'STRTAB_BASE takes a new value while SMMUEN is 1',
    hides: 'drivers that write it too early (before SMMUv3.2 it is CONSTRAINED UNPREDICTABLE)', undo: (operations) => guarded(operations),
  },
];

/** Writes to STRTAB_BASE, STRTAB_BASE_CFG and CR2 only while SMMUEN is 0. */
function guarded(operations: readonly MachineOperation[]): MachineOperation[] {
  let enabled = false;
  return operations.filter((op) => {
    if (op.op === 'boot') enabled = !op.boot.skip.includes('enable');
    if (op.op !== 'register') return true;
    if (op.offset === REG.CR0) enabled = (op.value & CR0_SMMUEN) !== 0;
    return !enabled || (op.offset !== REG.STRTAB_BASE && op.offset !== REG.STRTAB_BASE_CFG && op.offset !== REG.CR2);
  });
}

/** Numbers of a version, "7.2.22" < "10.0". */
function compareVersions(a: string, b: string): number {
  const [x, y] = [a, b].map((v) => v.split('.').map(Number));
  for (let i = 0; i < 3; i += 1) {
    const d = ((x as number[])[i] ?? 0) - ((y as number[])[i] ?? 0);
    if (d !== 0) return d;
  }
  return 0;
}

export function applies(w: Waiver, version: string): boolean {
  return compareVersions(version, w.from) >= 0 && (w.until === undefined || compareVersions(version, w.until) < 0);
}

export function waiversFor(version: string): readonly Waiver[] {
  return WAIVERS.filter((w) => applies(w, version));
}

/** The fewest waivers (one, or all that are needed) under which a failing sequence does not fail; null: there are none. */
export function waiversOf(waivers: readonly Waiver[], failing: MachineCandidate, twins: Twins): readonly Waiver[] | null {
  const clean = (some: readonly Waiver[]): boolean => {
    const operations = some.reduce<readonly MachineOperation[]>((ops, w) => w.undo(ops), failing.operations);
    const { violation, unmodelled } = replayMachine(failing.world, operations, { twins });
    return violation === null && unmodelled === null;
  };
  const one = waivers.find((w) => clean([w]));
  if (one !== undefined) return [one];
  if (waivers.length < 2 || !clean(waivers)) return null;
  let needed = waivers;
  for (const w of waivers) {
    const rest = needed.filter((x) => x !== w);
    if (clean(rest)) needed = rest;
  }
  return needed;
}
