/**
 * Every field of every command, typed in from IHI 0070 G.b §4.2–4.7: the field, a value with
 * all its bits set, and the two 64-bit words of a command in which nothing else is set.
 */
import type { Command, CommandName } from '../../src/spec/command.js';

export interface FieldRow {
  readonly field: Exclude<keyof Command, 'op'>;
  readonly value: number;
  readonly word0: string;
  readonly word1: string;
}

function row(field: FieldRow['field'], value: number, word0: string, word1: string): FieldRow {
  return { field, value, word0, word1 };
}

const FRAME = 0xfffffffffffff; // Address[63:12]
const IPA_FRAME = 0xfffffffffff; // Address[55:12]

export const OPCODES: Readonly<Record<CommandName, number>> = {
  PREFETCH_CONFIG: 0x01, PREFETCH_ADDR: 0x02, CFGI_STE: 0x03, CFGI_STE_RANGE: 0x04, CFGI_CD: 0x05, CFGI_CD_ALL: 0x06,
  TLBI_NH_ALL: 0x10, TLBI_NH_ASID: 0x11, TLBI_NH_VA: 0x12, TLBI_NH_VAA: 0x13,
  TLBI_EL2_ALL: 0x20, TLBI_EL2_ASID: 0x21, TLBI_EL2_VA: 0x22, TLBI_EL2_VAA: 0x23,
  TLBI_S12_VMALL: 0x28, TLBI_S2_IPA: 0x2a, TLBI_NSNH_ALL: 0x30,
  ATC_INV: 0x40, PRI_RESP: 0x41, RESUME: 0x44, STALL_TERM: 0x45, SYNC: 0x46,
};

export const COMMAND_FIELDS: Readonly<Record<CommandName, readonly FieldRow[]>> = {
  PREFETCH_CONFIG: [
    row('ssec', 1, '0x401', '0x0'),
    row('ssv', 1, '0x801', '0x0'),
    row('ssid', 0xfffff, '0xfffff001', '0x0'),
    row('sid', 0xffffffff, '0xffffffff00000001', '0x0'),
  ],
  PREFETCH_ADDR: [
    row('ssec', 1, '0x402', '0x0'),
    row('ssv', 1, '0x802', '0x0'),
    row('ssid', 0xfffff, '0xfffff002', '0x0'),
    row('sid', 0xffffffff, '0xffffffff00000002', '0x0'),
    row('size', 31, '0x2', '0x1f'),
    row('frame', FRAME, '0x2', '0xfffffffffffff000'),
  ],
  CFGI_STE: [
    row('ssec', 1, '0x403', '0x0'),
    row('sid', 0xffffffff, '0xffffffff00000003', '0x0'),
    row('leaf', 1, '0x3', '0x1'),
  ],
  CFGI_STE_RANGE: [
    row('ssec', 1, '0x404', '0x0'),
    row('sid', 0xffffffff, '0xffffffff00000004', '0x0'),
    row('range', 31, '0x4', '0x1f'),
  ],
  CFGI_CD: [
    row('ssec', 1, '0x405', '0x0'),
    row('ssid', 0xfffff, '0xfffff005', '0x0'),
    row('sid', 0xffffffff, '0xffffffff00000005', '0x0'),
    row('leaf', 1, '0x5', '0x1'),
  ],
  CFGI_CD_ALL: [
    row('ssec', 1, '0x406', '0x0'),
    row('sid', 0xffffffff, '0xffffffff00000006', '0x0'),
  ],
  TLBI_NH_ALL: [row('vmid', 0xffff, '0xffff00000010', '0x0')],
  TLBI_NH_ASID: [
    row('vmid', 0xffff, '0xffff00000011', '0x0'),
    row('asid', 0xffff, '0xffff000000000011', '0x0'),
  ],
  TLBI_NH_VA: [
    row('num', 31, '0x1f012', '0x0'),
    row('scale', 63, '0x3f00012', '0x0'),
    row('vmid', 0xffff, '0xffff00000012', '0x0'),
    row('asid', 0xffff, '0xffff000000000012', '0x0'),
    row('leaf', 1, '0x12', '0x1'),
    row('ttl', 3, '0x12', '0x300'),
    row('tg', 3, '0x12', '0xc00'),
    row('frame', FRAME, '0x12', '0xfffffffffffff000'),
  ],
  TLBI_NH_VAA: [
    row('num', 31, '0x1f013', '0x0'),
    row('scale', 63, '0x3f00013', '0x0'),
    row('vmid', 0xffff, '0xffff00000013', '0x0'),
    row('leaf', 1, '0x13', '0x1'),
    row('ttl', 3, '0x13', '0x300'),
    row('tg', 3, '0x13', '0xc00'),
    row('frame', FRAME, '0x13', '0xfffffffffffff000'),
  ],
  TLBI_EL2_ALL: [],
  TLBI_EL2_ASID: [row('asid', 0xffff, '0xffff000000000021', '0x0')],
  TLBI_EL2_VA: [
    row('num', 31, '0x1f022', '0x0'),
    row('scale', 63, '0x3f00022', '0x0'),
    row('asid', 0xffff, '0xffff000000000022', '0x0'),
    row('leaf', 1, '0x22', '0x1'),
    row('ttl', 3, '0x22', '0x300'),
    row('tg', 3, '0x22', '0xc00'),
    row('frame', FRAME, '0x22', '0xfffffffffffff000'),
  ],
  TLBI_EL2_VAA: [
    row('num', 31, '0x1f023', '0x0'),
    row('scale', 63, '0x3f00023', '0x0'),
    row('leaf', 1, '0x23', '0x1'),
    row('ttl', 3, '0x23', '0x300'),
    row('tg', 3, '0x23', '0xc00'),
    row('frame', FRAME, '0x23', '0xfffffffffffff000'),
  ],
  TLBI_S12_VMALL: [row('vmid', 0xffff, '0xffff00000028', '0x0')],
  TLBI_S2_IPA: [
    row('num', 31, '0x1f02a', '0x0'),
    row('scale', 63, '0x3f0002a', '0x0'),
    row('vmid', 0xffff, '0xffff0000002a', '0x0'),
    row('leaf', 1, '0x2a', '0x1'),
    row('ttl', 3, '0x2a', '0x300'),
    row('tg', 3, '0x2a', '0xc00'),
    row('frame', IPA_FRAME, '0x2a', '0xfffffffffff000'),
  ],
  TLBI_NSNH_ALL: [],
  ATC_INV: [
    row('global', 1, '0x240', '0x0'),
    row('ssv', 1, '0x840', '0x0'),
    row('ssid', 0xfffff, '0xfffff040', '0x0'),
    row('sid', 0xffffffff, '0xffffffff00000040', '0x0'),
    row('size', 63, '0x40', '0x3f'),
    row('frame', FRAME, '0x40', '0xfffffffffffff000'),
  ],
  PRI_RESP: [
    row('ssv', 1, '0x841', '0x0'),
    row('ssid', 0xfffff, '0xfffff041', '0x0'),
    row('sid', 0xffffffff, '0xffffffff00000041', '0x0'),
    row('prg', 0x1ff, '0x41', '0x1ff'),
    row('resp', 3, '0x41', '0x3000'),
  ],
  RESUME: [
    row('ssec', 1, '0x444', '0x0'),
    row('ac', 1, '0x1044', '0x0'),
    row('ab', 1, '0x2044', '0x0'),
    row('sid', 0xffffffff, '0xffffffff00000044', '0x0'),
    row('stag', 0xffff, '0x44', '0xffff'),
  ],
  STALL_TERM: [
    row('ssec', 1, '0x445', '0x0'),
    row('sid', 0xffffffff, '0xffffffff00000045', '0x0'),
  ],
  SYNC: [
    row('cs', 3, '0x3046', '0x0'),
    row('msh', 3, '0xc00046', '0x0'),
    row('msiAttr', 15, '0xf000046', '0x0'),
    row('msiData', 0xffffffff, '0xffffffff00000046', '0x0'),
    // Address[55:2] in units of 4 bytes: 54 bits, one more than a number holds, hence two rows.
    row('msiAddress', 0x1fffffffffffff, '0x46', '0x7ffffffffffffc'),
    row('msiAddress', 0x20000000000000, '0x46', '0x80000000000000'),
  ],
};

export const COMMAND_NAMES = Object.keys(COMMAND_FIELDS) as CommandName[];

/** Bits of the 128-bit command that its opcode defines, the opcode's own byte included. */
export function definedBits(name: CommandName): bigint {
  return COMMAND_FIELDS[name].reduce((bits, r) => bits | BigInt(r.word0) | (BigInt(r.word1) << 64n), 0xffn);
}
