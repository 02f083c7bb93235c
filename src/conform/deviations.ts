/**
 * Deviations: what QEMU's SMMUv3 is known to do against the architecture, one waiver each (waivers.ts). In every one the clause was read
 * before it was put here, and QEMU and not our reference is the one that is wrong. Its smallest case is corpus/conform/<id>.json; a test
 * runs it, and fails as soon as the QEMU at hand does not do it any more: then `until` gets a version. The list by version, with what each
 * would hide or break, is corpus/tables/qemu.md.
 */
import { getField, setField, type Field } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import { decodeCommand, encodeCommand, newCommand, OP, type Command } from '../spec/command.js';
import { BIT_NG, BIT_UNPRIVILEGED, HI_APTABLE_PRIVILEGED } from '../spec/descriptor.js';
import { concatenatedTables } from '../spec/granule.js';
import { CR2_RECINVSID, REG } from '../spec/register.js';
import { CONFIG_NESTED, STE } from '../spec/ste.js';
import { newTableContext, stage2Context } from '../spec/tables.js';
import type { MachineCandidate } from '../fuzz/machine-shrink.js';
import type { MachineOperation } from '../stack/machine-world.js';
import { changeStores, Places, type PlaceKind, type Store } from './places.js';
import { applies, type Waiver } from './waivers.js';

type Operations = readonly MachineOperation[];
type Changer = (operations: Operations) => Operations;

/** A bit field of a structure set to a value wherever its word is stored. */
function withField(kind: PlaceKind, field: Field, value: number): Changer {
  return (operations) => changeStores(operations, kind, (s, word) => (word === field.word ? changed(s, field, value) : s));
}

function changed(s: Store, field: Field, value: number): Store {
  const words = Uint32Array.from([s.lo, s.hi]);
  setField(words, { ...field, word: 0 }, value);
  return { ...s, lo: words[0] as number, hi: words[1] as number };
}

function descriptors(change: (s: Store) => Partial<Store>): Changer {
  return (operations) => changeStores(operations, 'descriptor', (s) => ({ ...s, ...change(s) }));
}

/** Each command by another; null: without it. */
function commands(change: (c: Command) => Command | null): Changer {
  return (operations) => operations.flatMap((op): Operations => {
    if (op.op !== 'command' && op.op !== 'raw') return [op];
    const words = new Uint32Array(4);
    if (op.op === 'raw') words.set(op.words);
    else encodeCommand(op.command, words);
    const before = decodeCommand(words, 0, newCommand());
    const after = change(before);
    return after === before ? [op] : after === null ? [] : [{ op: 'command', smmu: op.smmu, queue: op.queue, command: after }];
  });
}

function withoutCommands(...ops: readonly number[]): Changer {
  return commands((c) => (ops.includes(c.op) ? null : c));
}

function withoutRegister(offset: number): Changer {
  return (operations) => operations.filter((op) => op.op !== 'register' || op.offset !== offset);
}

/** C_BAD_STREAMID is asked for. */
function recordUnknown(operations: Operations): Operations {
  return operations.map((op) => {
    if (op.op === 'boot') return { ...op, boot: { ...op.boot, recordUnknown: true } };
    return op.op === 'register' && op.offset === REG.CR2 && Math.floor(op.value / CR2_RECINVSID) % 2 === 0 ? { ...op, value: op.value + CR2_RECINVSID } : op;
  });
}

/** Bits [63:56] of each input address as bit 55 says. */
function untagged(operations: Operations): Operations {
  return operations.map((op) => {
    if (op.op !== 'access') return op;
    const address = op.iova % 2 ** 56;
    return { ...op, iova: address < 2 ** 55 ? address : address + (2 ** 64 - 2 ** 56) };
  });
}

/** The stream of the access at the end has, or had, an STE with stage-2 start tables side by side, and the address may be of another one than the first. */
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
    const config = getField(words, STE.Config);
    const tables = concatenatedTables(tg, inputBits, startLevel);
    return (config & 6) === 6 && tables > 1 && (config === CONFIG_NESTED || access.iova >= 2 ** inputBits / tables); // nested, the address is not what stage 2 gets
  });
}

const DESCRIPTORS: readonly Waiver[] = [
  {
    id: 'access-flag', hint: /only (.* or )?F_ACCESS/, from: '7.2', until: '10.0', clause: 'VMSAv8-64 access flag; IHI 0070 §5.4 CD.AFFD', behaviour: 'a descriptor with AF = 0 translates without F_ACCESS, as if CD.AFFD were 1',
    hides: 'drivers that forget the access flag, and access flag management by fault', undo: withField('cd', CD.AFFD, 1),
  },
  {
    id: 'unprivileged', hint: /answers ok where only (.* or )?F_PERMISSION/, from: '7.2', clause: 'VMSAv8-64 AP[1]; IHI 0070 §3.3.4', behaviour: 'pages without unprivileged access (AP[1] = 0) are open to unprivileged devices',
    hides: 'mappings for privileged devices only that other devices reach', undo: descriptors((s) => ({ lo: (s.lo | BIT_UNPRIVILEGED) >>> 0, hi: (s.hi & ~HI_APTABLE_PRIVILEGED) >>> 0 })),
  },
  {
    id: 'global', hint: /ok where only F_TRANSLATION|wrong page/, from: '7.2', clause: 'IHI 0070 §3.17.1, §4.4.2', behaviour: 'nG = 0 is ignored: entries are tagged with the ASID, and a TLBI_NH_VA with another ASID leaves them',
    hides: 'nothing of what Linux does (none of its entries is global); a stack that shares global entries sees stale ones', undo: descriptors((s) => ({ lo: (s.lo | BIT_NG) >>> 0 })),
    undoToo: withoutCommands(OP.TLBI_NH_VA), // else any mistake about global entries, ours too, would be waived
  },
  {
    id: 'hierarchical', hint: /F_PERMISSION/, from: '7.2', clause: 'VMSAv8-64 APTable; IHI 0070 §5.4 CD.HAD0, §3.3.4',
    behaviour: 'APTable is checked while the table descriptor is walked: through an entry that a read has filled, writes pass that APTable forbids; and a write faults with F_PERMISSION where the walk would end in F_TRANSLATION',
    hides: 'write protection by table descriptors', undo: (operations) => withField('cd', CD.HAD1, 1)(withField('cd', CD.HAD0, 1)(operations)),
  },
  {
    id: 'output-size', hint: /F_ADDR_SIZE/, from: '7.2', until: '10.0', clause: 'IHI 0070 §3.4, §5.4 CD.IPS', behaviour: 'an output address above CD.IPS goes out without F_ADDR_SIZE', hides: 'drivers that set IPS too small',
    undo: withField('cd', CD.IPS, 4),
  },
  {
    id: 'address-tags', hint: /answers ok/, from: '11.0', clause: 'IHI 0070 §5.4 CD.TBI0, §4.4.2; VMSAv8-64 top byte ignore', behaviour: 'with TBI, an entry that an access with a tagged address has filled is kept under the tagged address: TLBI_NH_VA of the address leaves it',
    hides: 'nothing: with tagged addresses a correct driver sees stale translations', undo: untagged,
    undoToo: withoutCommands(OP.TLBI_NH_VA, OP.TLBI_NH_VAA),
  },
  {
    id: 'wide-input', from: '11.0', clause: 'IHI 0070 §3.4, §7.3.14', behaviour: 'an address above the output size of the SMMU leaves no F_ADDR_SIZE where stage 1 is bypassed, or stage 2 alone translates', hides: 'devices that send such addresses',
    shows: ({ operations }, v) => {
      const access = operations.at(-1);
      return access?.op === 'access' && access.iova >= 2 ** 44 && /^QEMU answers abort where only (.* or )?F_ADDR_SIZE( or .*)? is permitted$/.test(v.cause);
    },
  },
  {
    id: 'concatenated', from: '10.0', clause: 'VMSAv8-64 concatenated translation tables; IHI 0070 §5.2 STE.S2SL0',
    behaviour: 'of stage-2 start tables side by side only the first is used: addresses of the others fault with F_TRANSLATION, or come out where the first one says',
    hides: 'nothing: stage-2 domains with concatenated start tables do not work at all', shows: concatenated,
  },
];

const RECORDS: readonly Waiver[] = [
  {
    id: 'stage-2-of-walks', hint: /abort|without a record/, from: '10.0', clause: 'IHI 0070 §7.3.13 S2, §5.2 STE.S2R', behaviour: 'a stage-2 fault of a stage-1 walk (CLASS TT) is recorded with S2 = 0, and if CD.R is 1, whatever STE.S2R says', hides: 'drivers that tell the stages apart by S2; S2R of nested streams',
    when: (f) => f.stage2, undo: (operations) => withField('ste', STE.S2R, 1)(withField('cd', CD.R, 1)(operations)),
  },
  {
    id: 'recinvsid', hint: /C_BAD_STREAMID/, from: '7.2', clause: 'IHI 0070 §6.3.12 CR2.RECINVSID, §7.3.3', behaviour: 'C_BAD_STREAMID is recorded although CR2.RECINVSID is 0', hides: 'nothing; a driver gets records that it did not ask for', undo: recordUnknown,
  },
  {
    id: 'stage-2-permission', from: '10.0', clause: 'IHI 0070 §5.2 STE.S2R, §7.3.16', behaviour: 'a write to a page that stage 2 makes read-only leaves no F_PERMISSION when a read has filled the TLB, although S2R is 1',
    hides: 'drivers that wait for the record', shows: (_, v) => /^QEMU answers abort where only (.* or )?F_PERMISSION at stage 2( or .*)? is permitted$/.test(v.cause),
  },
  {
    id: 'cd-fetch-direction', from: '10.0', clause: 'IHI 0070 §7.3.13 RnW', behaviour: 'records of stage-2 faults of a CD fetch (CLASS CD) say that it was a read when the transaction was a write', hides: 'nothing much: RnW of such records means nothing here',
    loosens: 'direction-of-cd-fetch',
  },
  {
    id: 'bypass-abort', from: '7.2', until: '10.0', clause: 'IHI 0070 §6.3.14 GBPA.ABORT', behaviour: 'GBPA.ABORT is ignored: while SMMUEN is 0 every device reaches memory', hides: 'drivers that leave a window in which devices pass',
    undo: withoutRegister(REG.GBPA),
  },
];

/** TLBI_EL3_ALL and TLBI_EL3_VA: not for a Non-secure queue. */
const EL3: readonly number[] = [0x18, 0x1a];

/** Some STE translates by both stages. */
function nests(operations: Operations): boolean {
  const places = new Places(operations);
  return operations.some((op) => op.op === 'store' && places.streamOf(op) >= 0 && op.at % 64 === 0 && getField(Uint32Array.from([op.lo, op.hi]), STE.Config) === CONFIG_NESTED);
}

const STAGE_2: readonly number[] = [OP.TLBI_S12_VMALL, OP.TLBI_S2_IPA, OP.TLBI_NSNH_ALL, OP.TLBI_NH_ALL];

/** Where streams are nested, every TLBI that is about stage 2 is followed by a CFGI of everything. */
function configurationGoesToo(operations: Operations): Operations {
  if (!nests(operations)) return operations;
  return operations.flatMap((op): Operations => {
    const opcode = op.op === 'command' ? op.command.op : op.op === 'raw' ? op.words[0] % 256 : -1;
    return STAGE_2.includes(opcode) && (op.op === 'command' || op.op === 'raw') ? [op, { op: 'command', smmu: op.smmu, queue: op.queue, command: { ...newCommand(), op: OP.CFGI_STE_RANGE, range: 31 } }] : [op];
  });
}

const COMMANDS: readonly Waiver[] = [
  {
    id: 'fragments', hint: /answers ok/, from: '10.0', clause: 'IHI 0070 §4.4.2, §3.17; VMSAv8-64: TLB maintenance by VA is for the stage-1 entry that translates the address',
    behaviour: 'nested, where a stage-1 page or block is cached in pieces of the smaller stage-2 entries, a TLBI_NH_VA or TLBI_NH_VAA removes only the piece that contains its address', hides: 'nothing: a correct guest sees stale translations',
    when: (f) => f.stage2, undo: (operations) => (nests(operations) ? commands((c) => (c.op === OP.TLBI_NH_VA || c.op === OP.TLBI_NH_VAA ? { ...newCommand(), op: OP.TLBI_NH_ALL, vmid: c.vmid } : c))(operations) : operations),
  },
  {
    id: 'stage-1-root', hint: /stage 2/, from: '10.0', clause: 'IHI 0070 §4.4.3, §3.21.1', behaviour: 'nested, the base of the stage-1 tables is translated by stage 2 once, when the CD is read: no TLBI ends that, only a CFGI of the stream',
    hides: 'nothing: a correct hypervisor that moves or takes away that page sees the old one used', when: (f) => f.stage2, undo: configurationGoesToo,
  },
  {
    id: 'stage-2-commands', hint: /accepts TLBI_S/, from: '7.2', clause: 'IHI 0070 §4.4.3', behaviour: 'TLBI_S12_VMALL and TLBI_S2_IPA are taken by an SMMU without stage 2, where they are CERROR_ILL',
    hides: 'drivers that send stage-2 invalidations to an SMMU without stage 2', when: (f) => !f.stage2, undo: withoutCommands(OP.TLBI_S12_VMALL, OP.TLBI_S2_IPA),
  },
  {
    id: 'el2-commands', hint: /accepts (TLBI_EL|command)/, from: '7.2', clause: 'IHI 0070 §4.4.2.7 to §4.4.2.10, §4.1.1', behaviour: 'TLBI_EL2_* are taken by an SMMU without EL2 (IDR0.Hyp = 0), and TLBI_EL3_* by a Non-secure queue, where they are CERROR_ILL',
    hides: 'drivers that send EL2 invalidations to an SMMU without EL2', when: (f) => !f.hyp, undo: withoutCommands(OP.TLBI_EL2_ALL, OP.TLBI_EL2_ASID, OP.TLBI_EL2_VA, OP.TLBI_EL2_VAA, ...EL3),
  },
  {
    id: 'atc-commands', hint: /accepts (ATC_INV|PRI_RESP)/, from: '7.2', clause: 'IHI 0070 §4.5, §4.1.3', behaviour: 'CMD_ATC_INV and CMD_PRI_RESP are taken by an SMMU without ATS and PRI, where they are CERROR_ILL', hides: 'drivers that send them to an SMMU without ATS',
    when: (f) => !f.ats, undo: withoutCommands(OP.ATC_INV, OP.PRI_RESP),
  },
  {
    id: 'stall-commands', hint: /accepts (RESUME|STALL)/, from: '7.2', clause: 'IHI 0070 §4.6, §4.1.3', behaviour: 'CMD_RESUME and CMD_STALL_TERM are taken by an SMMU that cannot stall (IDR0.STALL_MODEL = 1), where they are CERROR_ILL', hides: 'drivers that send them to an SMMU that cannot stall',
    undo: withoutCommands(OP.RESUME, OP.STALL_TERM),
  },
  {
    id: 'reserved-range', hint: /accepts TLBI_(NH|S2)/, from: '7.2', clause: 'IHI 0070 §4.4.1.1', behaviour: 'a TLBI with TG set and NUM, SCALE and TTL zero (TTL = 1 of 16K counts as zero) is taken as one page, where it is CERROR_ILL',
    hides: 'range encoders that use it for a single page', undo: commands((c) => (c.tg !== 0 && c.num === 0 && c.scale === 0 && (c.ttl === 0 || (c.ttl === 1 && c.tg === 2)) ? { ...c, tg: 0, ttl: 0 } : c)),
  },
  {
    id: 'secure-prefetch', hint: /accepts PREFETCH/, from: '7.2', clause: 'IHI 0070 §4.1.6', behaviour: 'CMD_PREFETCH_CONFIG and CMD_PREFETCH_ADDR with SSec = 1 are taken from a Non-secure queue, where they are CERROR_ILL', hides: 'drivers that set SSec',
    undo: commands((c) => ((c.op === OP.PREFETCH_CONFIG || c.op === OP.PREFETCH_ADDR) && c.ssec === 1 ? { ...c, ssec: 0 } : c)),
  },
  {
    id: 'reserved-signal', hint: /accepts SYNC/, from: '7.2', clause: 'IHI 0070 §4.7.3, §7.1', behaviour: 'CMD_SYNC with the reserved CS = 3 is taken', hides: 'drivers that send it', undo: commands((c) => (c.op === OP.SYNC && c.cs === 3 ? { ...c, cs: 0 } : c)),
  },
];

export const WAIVERS: readonly Waiver[] = [...DESCRIPTORS, ...RECORDS, ...COMMANDS];

export function waiversFor(version: string): readonly Waiver[] {
  return WAIVERS.filter((w) => applies(w, version));
}
