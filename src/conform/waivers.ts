/**
 * Waivers: what QEMU is known to do against the architecture, so that a campaign can go on looking for something else. Each is narrow by
 * construction: it names a change of the sequence under which QEMU's way would be the right one (every access privileged, no global entry,
 * ...), and a finding is waived only if it is gone when the sequence is run again with that change, as far as it went. Everything else that
 * is wrong in the sequence would still be found. Each has its smallest case in corpus/conform, which a test runs: it fails as soon as
 * QEMU does no longer do it.
 */
import { getField, setField } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import { OP } from '../spec/command.js';
import { BIT_NG, BIT_UNPRIVILEGED, HI_APTABLE_PRIVILEGED } from '../spec/descriptor.js';
import { CR0_SMMUEN, CR2_RECINVSID, REG } from '../spec/register.js';
import { concatenatedTables } from '../spec/granule.js';
import { STE } from '../spec/ste.js';
import { newTableContext, stage2Context } from '../spec/tables.js';
import { replayMachine } from '../lockstep/machine-replay.js';
import type { Twins } from '../lockstep/twins.js';
import type { MachineCandidate } from '../fuzz/machine-shrink.js';
import type { MachineOperation } from '../stack/machine-world.js';
import { changeStores, Places, type PlaceKind, type Store } from './places.js';

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
  readonly undo?: (operations: readonly MachineOperation[]) => readonly MachineOperation[];
  /** Another such sequence, where the first takes away more than what QEMU does: only what is gone in both is waived. */
  readonly undoToo?: (operations: readonly MachineOperation[]) => readonly MachineOperation[];
  /** Where no sequence does: is it this, in the sequence that ends in the operation that shows it? */
  readonly shows?: (failing: MachineCandidate) => boolean;
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

const EL2: readonly number[] = [OP.TLBI_EL2_ALL, OP.TLBI_EL2_ASID, OP.TLBI_EL2_VA, OP.TLBI_EL2_VAA];

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
    undoToo: without((op) => commandOf(op) === OP.TLBI_NH_VA || commandOf(op) === OP.TLBI_EL2_VA), // else any mistake about global entries, ours too, would be waived
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
    id: 'el2-commands', from: '7.2', clause: 'IHI 0070 §4.4.2.7 to §4.4.2.10', behaviour: 'TLBI_EL2_* are taken by an SMMU without EL2 (IDR0.Hyp = 0), where they are CERROR_ILL',
    hides: 'drivers that send EL2 invalidations to an SMMU without EL2', undo: without((op) => EL2.includes(commandOf(op))),
  },
  {
    id: 'atc-commands', from: '7.2', clause: 'IHI 0070 §4.5', behaviour: 'CMD_ATC_INV is taken by an SMMU without ATS, where it is CERROR_ILL',
    hides: 'drivers that send ATC_INV to an SMMU without ATS', undo: without((op) => commandOf(op) === OP.ATC_INV),
  },
  {
    id: 'concatenated', from: '9.0', clause: 'VMSAv8-64 concatenated translation tables; IHI 0070 §5.2 STE.S2SL0',
    behaviour: 'of stage-2 start tables side by side only the first is used: addresses of the others fault with F_TRANSLATION, or come out where the first table says',
    hides: 'stage-2 domains with concatenated start tables do not work at all', shows: concatenated,
  },
  {
    id: 'hierarchical', from: '7.2', clause: 'VMSAv8-64 APTable; IHI 0070 §5.4 CD.HAD0, §3.3.4',
    behaviour: 'APTable is checked while the table descriptor is walked: an entry that a read has filled lets writes pass that APTable forbids, and a write faults with F_PERMISSION where the walk would end in F_TRANSLATION',
    hides: 'write protection by table descriptors', undo: (operations) => [CD.HAD0, CD.HAD1].reduce<readonly MachineOperation[]>((ops, field) => withField('cd', field, 1)(ops), operations),
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

/** The stream of the access at the end has, or had, an STE with stage-2 start tables side by side. */
function concatenated({ world, operations }: MachineCandidate): boolean {
  const access = operations.at(-1);
  const features = world.smmus[0]?.features;
  if (access?.op !== 'access' || features === undefined) return false;
  const places = new Places(operations);
  const words = new Uint32Array(16);
  return operations.some((op) => {
    if (op.op !== 'store' || places.streamOf(op) !== access.sid) return false;
    const word = (op.at % 64) / 8;
    words[2 * word] = op.lo;
    words[2 * word + 1] = op.hi;
    const { tg, inputBits, startLevel } = stage2Context(words, 0, features, newTableContext());
    return (getField(words, STE.Config) & 6) === 6 && concatenatedTables(tg, inputBits, startLevel) > 1;
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
  const cleanWith = (some: readonly Waiver[], undo: (w: Waiver) => Waiver['undo']): boolean => {
    const operations = some.reduce<readonly MachineOperation[]>((ops, w) => undo(w)?.(ops) ?? ops, failing.operations);
    const { violation, unmodelled } = replayMachine(failing.world, operations, { twins });
    return violation === null && unmodelled === null;
  };
  const clean = (some: readonly Waiver[]): boolean => cleanWith(some, (w) => w.undo)
    && (some.every((w) => w.undoToo === undefined) || cleanWith(some, (w) => w.undoToo ?? w.undo));
  const one = waivers.find((w) => w.shows?.(failing) ?? clean([w]));
  if (one !== undefined) return [one];
  if (waivers.length < 2 || !clean(waivers)) return null;
  let needed = waivers;
  for (const w of waivers) {
    const rest = needed.filter((x) => x !== w);
    if (clean(rest)) needed = rest;
  }
  return needed;
}
