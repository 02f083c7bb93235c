/**
 * Pins src/spec/command.ts: opcodes, every bit of every field of every command both ways, reserved bits, recorded commands,
 * what is illegal and what is not, range arithmetic and text.
 */
import test from 'ava';
import {
  commandError, commandName, commandShape, decodeCommand, decodeWords, describeCommand, encodeCommand, hasAddress, newCommand, OP,
  rangeAlignment, rangeGranules, reservedBits, WORDS_PER_COMMAND, type Command, type CommandFeatures, type CommandName,
} from '../../src/spec/command.js';
import type { Tg } from '../../src/spec/granule.js';
import { COMMAND_FIELDS, COMMAND_NAMES, definedBits, OPCODES } from './command-fields.js';
import { rawWords, shownWords } from './words.js';

/** A command with the fields given, everything else 0. */
function command(name: CommandName, fields: Partial<Command> = {}): Command {
  return { ...newCommand(), op: OPCODES[name], ...fields };
}

function encoded(c: Command): string {
  const out = new Uint32Array(WORDS_PER_COMMAND).fill(0xffffffff);
  encodeCommand(c, out);
  return shownWords(out);
}

function decoded(word0: string, word1: string): Command {
  return decodeCommand(rawWords(word0, word1), 0, newCommand());
}

test('opcodes are those of §4.1.1', (t) => {
  t.deepEqual(OP, OPCODES);
});

test('every opcode has its name and the other bytes have none', (t) => {
  const names = new Map(COMMAND_NAMES.map((name) => [OPCODES[name], name]));
  for (let op = 0; op < 256; op += 1) {
    t.is(commandName(op), names.get(op));
    t.is(commandShape(op) !== undefined, names.has(op), `opcode ${op}`);
  }
});

test('a new command has no bit set', (t) => {
  t.deepEqual(Object.values(newCommand()).filter((value) => value !== 0), []);
});

test('only the by-address invalidations have an address', (t) => {
  t.deepEqual(COMMAND_NAMES.filter((name) => hasAddress(OPCODES[name])),
    ['TLBI_NH_VA', 'TLBI_NH_VAA', 'TLBI_EL2_VA', 'TLBI_EL2_VAA', 'TLBI_S2_IPA']);
});

for (const name of COMMAND_NAMES) {
  for (const { field, value, word0, word1 } of COMMAND_FIELDS[name]) {
    test(`${name} keeps ${field} 0x${value.toString(16)} at ${word0} ${word1}`, (t) => {
      const c = command(name, { [field]: value });
      t.is(encoded(c), shownWords(rawWords(word0, word1)));
      t.deepEqual(decoded(word0, word1), c);
      t.false(reservedBits(rawWords(word0, word1), 0));
    });
  }

  test(`${name} writes no field of other commands`, (t) => {
    const own = new Set<string>(COMMAND_FIELDS[name].map((r) => r.field));
    for (const field of Object.keys(newCommand()) as (keyof Command)[]) {
      if (field === 'op' || own.has(field)) continue;
      t.is(encoded(command(name, { [field]: 1 })), `w0 0x${OPCODES[name].toString(16)}`, field);
    }
  });

  test(`${name} reads no field of other commands`, (t) => {
    const own = new Set<string>(COMMAND_FIELDS[name].map((r) => r.field));
    const c = decoded(`0xffffffffffffff${OPCODES[name].toString(16).padStart(2, '0')}`, '0xffffffffffffffff');
    for (const field of Object.keys(c) as (keyof Command)[]) t.is(c[field] !== 0, field === 'op' || own.has(field), field);
  });

  test(`${name} reports every bit outside its fields as reserved`, (t) => {
    for (let bit = 8; bit < 128; bit += 1) {
      const word0 = BigInt(OPCODES[name]) | (bit < 64 ? 1n << BigInt(bit) : 0n);
      const word1 = bit < 64 ? 0n : 1n << BigInt(bit - 64);
      const reserved = (definedBits(name) & (1n << BigInt(bit))) === 0n;
      t.is(reservedBits(rawWords(`0x${word0.toString(16)}`, `0x${word1.toString(16)}`), 0), reserved, `bit ${bit}`);
    }
  });
}

test('a reserved opcode has no fields', (t) => {
  t.deepEqual(decoded('0xffffffffffffff00', '0xffffffffffffffff'), newCommand());
  t.true(reservedBits(rawWords('0x100', '0x0'), 0));
  t.false(reservedBits(rawWords('0x0', '0x0'), 0));
});

const RECORDED: readonly { why: string; raw: [string, string]; command: Command; text: string }[] = [
  { why: 'CFGI_CD', raw: ['0x5', '0x1'], command: command('CFGI_CD', { leaf: 1 }), text: 'CFGI_CD sid 0 ssid 0 leaf' },
  { why: 'CFGI_STE', raw: ['0x3', '0x1'], command: command('CFGI_STE', { leaf: 1 }), text: 'CFGI_STE sid 0 leaf' },
  { why: 'CFGI_ALL', raw: ['0x4', '0x1f'], command: command('CFGI_STE_RANGE', { range: 31 }), text: 'CFGI_STE_RANGE all' },
  { why: 'TLBI_NSNH_ALL', raw: ['0x30', '0x0'], command: command('TLBI_NSNH_ALL'), text: 'TLBI_NSNH_ALL' },
  { why: 'SYNC', raw: ['0xfc02046', '0x0'], command: command('SYNC', { cs: 2, msh: 3, msiAttr: 15 }), text: 'SYNC sev' },
];

for (const { why, raw, command: expected, text } of RECORDED) {
  test(`the recorded ${why} decodes, encodes and reads as ${text}`, (t) => {
    t.deepEqual(decoded(...raw), expected);
    t.is(encoded(expected), shownWords(rawWords(...raw)));
    t.false(reservedBits(rawWords(...raw), 0));
    t.is(describeCommand(expected), text);
    t.is(commandError(expected, FULL), undefined);
  });
}

test('a command is read and written at its place in a queue', (t) => {
  const queue = new Uint32Array(12).fill(0xffffffff);
  const c = command('TLBI_NH_ASID', { vmid: 2, asid: 7 });
  encodeCommand(c, queue, 4);
  t.is(shownWords(queue.subarray(4, 8)), 'w0 0x7000200000011');
  t.deepEqual([...queue.subarray(0, 4), ...queue.subarray(8)], Array.from({ length: 8 }, () => 0xffffffff));
  t.deepEqual(decodeCommand(queue, 4, newCommand()), c);
  t.false(reservedBits(queue, 4));
  t.true(reservedBits(queue, 0));
});

test('decoding clears what the command held before', (t) => {
  const c = decoded('0xffffffffffffff12', '0xffffffffffffffff');
  t.deepEqual(decodeWords(0x30, 0, 0, 0, c), command('TLBI_NSNH_ALL'));
});

test('decoding fills and returns the command it was given', (t) => {
  const c = newCommand();
  t.is(decodeWords(0x10, 9, 0, 0, c), c);
  t.is(c.vmid, 9);
});

/** (addr, TG, NUM, SCALE, TTL, Leaf) as NH_VA of ASID 1, and the granules covered. */
const RANGES = [
  { frame: 0x1, tg: 1, num: 0, scale: 0, ttl: 3, leaf: 1, word0: '0x1000000000012', word1: '0x1701', granules: 1 },
  { frame: 0, tg: 1, num: 0, scale: 1, ttl: 3, leaf: 1, word0: '0x1000000100012', word1: '0x701', granules: 2 },
  { frame: 0, tg: 1, num: 16, scale: 1, ttl: 0, leaf: 0, word0: '0x1000000110012', word1: '0x400', granules: 34 },
  { frame: 0, tg: 1, num: 0, scale: 5, ttl: 3, leaf: 1, word0: '0x1000000500012', word1: '0x701', granules: 32 },
  { frame: 0, tg: 1, num: 0, scale: 9, ttl: 2, leaf: 1, word0: '0x1000000900012', word1: '0x601', granules: 512 },
  { frame: 0x1, tg: 1, num: 0, scale: 10, ttl: 3, leaf: 1, word0: '0x1000000a00012', word1: '0x1701', granules: 1024 },
  { frame: 0, tg: 2, num: 0, scale: 11, ttl: 2, leaf: 1, word0: '0x1000000b00012', word1: '0xa01', granules: 2048 },
  { frame: 0, tg: 3, num: 0, scale: 13, ttl: 2, leaf: 1, word0: '0x1000000d00012', word1: '0xe01', granules: 8192 },
  { frame: 0x7f0000006, tg: 1, num: 12, scale: 6, ttl: 3, leaf: 1, word0: '0x100000060c012', word1: '0x7f0000006701', granules: 832 },
  { frame: 0x7f0000346, tg: 1, num: 8, scale: 13, ttl: 3, leaf: 1, word0: '0x1000000d08012', word1: '0x7f0000346701', granules: 73728 },
  { frame: 0, tg: 1, num: 31, scale: 13, ttl: 2, leaf: 0, word0: '0x1000000d1f012', word1: '0x600', granules: 262144 },
  { frame: 0, tg: 2, num: 31, scale: 17, ttl: 2, leaf: 0, word0: '0x100000111f012', word1: '0xa00', granules: 4194304 },
  { frame: 0x200, tg: 3, num: 31, scale: 0, ttl: 3, leaf: 1, word0: '0x100000001f012', word1: '0x200f01', granules: 32 },
  { frame: 0, tg: 1, num: 31, scale: 31, ttl: 3, leaf: 1, word0: '0x1000001f1f012', word1: '0x701', granules: 2 ** 36 },
];

for (const { word0, word1, granules, ...fields } of RANGES) {
  test(`the range command ${word0} ${word1} covers ${granules} granules and is legal`, (t) => {
    const c = command('TLBI_NH_VA', { asid: 1, ...fields });
    t.deepEqual(decoded(word0, word1), c);
    t.is(encoded(c), shownWords(rawWords(word0, word1)));
    t.is(rangeGranules(c), granules);
    t.is(commandError(c, FULL), undefined);
  });
}

/** Sizing rows: SCALE, NUM, granules covered. */
const SIZES = [
  [0, 0, 1], [0, 30, 31], [0, 31, 32], [1, 16, 34], [1, 31, 64], [2, 16, 68], [2, 31, 128], [3, 16, 136], [5, 31, 1024],
  [6, 16, 1088], [7, 16, 2176], [13, 31, 262144], [14, 16, 278528], [39, 31, 17592186044416],
] as const;

for (const [scale, num, granules] of SIZES) {
  test(`SCALE ${scale} and NUM ${num} cover ${granules} granules`, (t) => {
    t.is(rangeGranules(command('TLBI_NH_VA', { scale, num })), granules);
  });
}

/** The alignment table of IHI 0070 §4.4.1.1: granule, DS, then log2 bytes for TTL 0 to 3. */
const ALIGNMENTS: readonly { tg: Tg; ds: boolean; log2: [number, number, number, number] }[] = [
  { tg: 12, ds: false, log2: [12, 30, 21, 12] },
  { tg: 12, ds: true, log2: [12, 30, 21, 12] },
  { tg: 14, ds: false, log2: [14, 14, 25, 14] },
  { tg: 14, ds: true, log2: [14, 36, 25, 14] },
  { tg: 16, ds: false, log2: [16, 42, 29, 16] },
  { tg: 16, ds: true, log2: [16, 42, 29, 16] },
];

for (const { tg, ds, log2 } of ALIGNMENTS) {
  test(`a ${2 ** (tg - 10)}K range ${ds ? 'with' : 'without'} DS needs alignment to 2^${log2.join(', 2^')} for TTL 0 to 3`, (t) => {
    t.deepEqual([0, 1, 2, 3].map((ttl) => rangeAlignment(tg, ttl, ds)), log2);
  });
}

const FULL: CommandFeatures = {
  stage1: true, stage2: true, hyp: true, range: true, ds: false, ats: true, pri: true, stall: true, asidBits: 16, vmidBits: 16,
};

/** Commands that need a feature: legal with everything, illegal without it. */
const NEEDS: readonly { names: CommandName[]; without: Partial<CommandFeatures>; error: string }[] = [
  { names: ['CFGI_CD', 'CFGI_CD_ALL', 'TLBI_NH_ALL', 'TLBI_NH_ASID', 'TLBI_NH_VA', 'TLBI_NH_VAA'], without: { stage1: false },
    error: 'the SMMU has no stage 1 (§4.3.3, §4.4.2)' },
  { names: ['TLBI_EL2_ALL', 'TLBI_EL2_ASID', 'TLBI_EL2_VA', 'TLBI_EL2_VAA'], without: { hyp: false }, error: 'IDR0.Hyp is 0 (§4.4.2.7)' },
  { names: ['TLBI_S12_VMALL', 'TLBI_S2_IPA'], without: { stage2: false }, error: 'the SMMU has no stage 2 (§4.4.3)' },
  { names: ['ATC_INV'], without: { ats: false }, error: 'IDR0.ATS is 0 (§4.5.1)' },
  { names: ['PRI_RESP'], without: { pri: false }, error: 'IDR0.PRI is 0 (§4.5.2)' },
  { names: ['RESUME', 'STALL_TERM'], without: { stall: false }, error: 'the SMMU does not stall (§4.7.1)' },
];

for (const { names, without, error } of NEEDS) {
  for (const name of names) {
    test(`${name} is illegal when ${error}`, (t) => {
      t.is(commandError(command(name), FULL), undefined);
      t.is(commandError(command(name), { ...FULL, ...without }), error);
    });
  }
  test(`no other command is illegal when ${error}`, (t) => {
    for (const name of COMMAND_NAMES.filter((other) => !names.includes(other))) {
      t.is(commandError(command(name), { ...FULL, ...without }), undefined, name);
    }
  });
}

const BARE: CommandFeatures = {
  stage1: false, stage2: false, hyp: false, range: false, ds: false, ats: false, pri: false, stall: false, asidBits: 8, vmidBits: 8,
};

test('prefetches, STE invalidations, TLBI_NSNH_ALL and SYNC are legal on the barest SMMU', (t) => {
  t.deepEqual(COMMAND_NAMES.filter((name) => commandError(command(name), BARE) === undefined),
    ['PREFETCH_CONFIG', 'PREFETCH_ADDR', 'CFGI_STE', 'CFGI_STE_RANGE', 'TLBI_NSNH_ALL', 'SYNC']);
});

for (const op of [0x00, 0x07, 0x08, 0x09, 0x0a, 0x14, 0x18, 0x1a, 0x24, 0x29, 0x50, 0x58, 0x60, 0x70, 0x80, 0xff]) {
  test(`opcode 0x${op.toString(16)} is illegal on a Non-secure queue`, (t) => {
    t.is(commandError({ ...newCommand(), op }, FULL), `opcode 0x${op.toString(16)} is reserved (§4.1.1)`);
  });
}

const SECURE = 'SSec is 1 on a Non-secure queue (§4.1.6)';
for (const name of COMMAND_NAMES.filter((n) => COMMAND_FIELDS[n].some((r) => r.field === 'ssec'))) {
  test(`${name} is illegal with SSec`, (t) => {
    t.is(commandError(command(name, { ssec: 1 }), FULL), SECURE);
  });
}

const RESERVED = 'NUM, SCALE and TTL are all zero with TG set: reserved (§4.4.1.1)';
const NO_RIL = 'range fields are set and IDR3.RIL is 0 (§4.4.1.1)';
const NO_TG = 'TTL, NUM or SCALE is set without TG (§4.4.1.1)';
const TTL1 = 'TTL = 1 with a 16K granule is reserved without DS (§4.4.1.1)';

interface Judged {
  readonly why: string;
  readonly name: CommandName;
  readonly fields: Partial<Command>;
  readonly features?: Partial<CommandFeatures>;
  readonly error: string | undefined;
}

function unaligned(log2: number): string {
  return `the address is not aligned to 2^${log2} bytes as TG and TTL ask (§4.4.1.1)`;
}

const JUDGED: readonly Judged[] = [
  { why: 'CS 0', name: 'SYNC', fields: { cs: 0 }, error: undefined },
  { why: 'CS 1', name: 'SYNC', fields: { cs: 1 }, error: undefined },
  { why: 'CS 2', name: 'SYNC', fields: { cs: 2 }, error: undefined },
  { why: 'CS 3', name: 'SYNC', fields: { cs: 3 }, error: 'CS = 3 is reserved (§4.7.3)' },
  { why: 'response 2', name: 'PRI_RESP', fields: { resp: 2 }, error: undefined },
  { why: 'response 3', name: 'PRI_RESP', fields: { resp: 3 }, error: 'Resp = 3 is reserved (§4.5.2)' },
  { why: 'size 52', name: 'ATC_INV', fields: { size: 52 }, error: undefined },
  { why: 'size 53', name: 'ATC_INV', fields: { size: 53 }, error: 'Size is above 52 (§4.5.1)' },
  { why: 'size 31', name: 'PREFETCH_ADDR', fields: { size: 31 }, error: undefined },
  { why: 'range 31', name: 'CFGI_STE_RANGE', fields: { range: 31 }, error: undefined },

  { why: 'the largest 8-bit ASID', name: 'TLBI_NH_ASID', fields: { asid: 255 }, features: { asidBits: 8 }, error: undefined },
  { why: 'an ASID of nine bits', name: 'TLBI_NH_ASID', fields: { asid: 256 }, features: { asidBits: 8 },
    error: 'ASID 256 does not fit 8 bits (§4.4)' },
  { why: 'an ASID of sixteen bits on ASID16', name: 'TLBI_NH_VA', fields: { asid: 0xffff }, error: undefined },
  { why: 'an ASID of nine bits by address', name: 'TLBI_EL2_VA', fields: { asid: 511 }, features: { asidBits: 8 },
    error: 'ASID 511 does not fit 8 bits (§4.4)' },
  { why: 'the largest 8-bit VMID', name: 'TLBI_S12_VMALL', fields: { vmid: 255 }, features: { vmidBits: 8 }, error: undefined },
  { why: 'a VMID of nine bits', name: 'TLBI_S12_VMALL', fields: { vmid: 256 }, features: { vmidBits: 8 },
    error: 'VMID 256 does not fit this SMMU (§4.4, §4.4.2)' },
  { why: 'VMID 0 without stage 2', name: 'TLBI_NH_ALL', fields: { vmid: 0 }, features: { stage2: false }, error: undefined },
  { why: 'VMID 1 without stage 2', name: 'TLBI_NH_ALL', fields: { vmid: 1 }, features: { stage2: false },
    error: 'VMID 1 does not fit this SMMU (§4.4, §4.4.2)' },

  { why: 'a single address without RIL', name: 'TLBI_NH_VA', fields: { frame: 5, leaf: 1 }, features: { range: false }, error: undefined },
  { why: 'TG without RIL', name: 'TLBI_NH_VA', fields: { tg: 1 }, features: { range: false }, error: NO_RIL },
  { why: 'TTL without RIL', name: 'TLBI_NH_VA', fields: { ttl: 3 }, features: { range: false }, error: NO_RIL },
  { why: 'NUM without RIL', name: 'TLBI_NH_VAA', fields: { num: 1 }, features: { range: false }, error: NO_RIL },
  { why: 'SCALE without RIL', name: 'TLBI_S2_IPA', fields: { scale: 1 }, features: { range: false }, error: NO_RIL },

  { why: 'a single address with RIL', name: 'TLBI_EL2_VAA', fields: { frame: 5, leaf: 1 }, error: undefined },
  { why: 'TTL without TG', name: 'TLBI_NH_VA', fields: { ttl: 1 }, error: NO_TG },
  { why: 'NUM without TG', name: 'TLBI_NH_VA', fields: { num: 1 }, error: NO_TG },
  { why: 'SCALE without TG', name: 'TLBI_NH_VA', fields: { scale: 1 }, error: NO_TG },

  { why: 'one 4K granule without level', name: 'TLBI_NH_VA', fields: { tg: 1 }, error: RESERVED },
  { why: 'one 16K granule without level', name: 'TLBI_NH_VAA', fields: { tg: 2, leaf: 1 }, error: RESERVED },
  { why: 'one 64K granule without level', name: 'TLBI_S2_IPA', fields: { tg: 3 }, error: RESERVED },
  { why: 'one 4K granule at level 3', name: 'TLBI_NH_VA', fields: { tg: 1, ttl: 3, frame: 1 }, error: undefined },
  { why: 'two granules by NUM without level', name: 'TLBI_NH_VA', fields: { tg: 1, num: 1 }, error: undefined },
  { why: 'two granules by SCALE without level', name: 'TLBI_NH_VA', fields: { tg: 1, scale: 1 }, error: undefined },
  { why: 'one 4K granule at level 1', name: 'TLBI_NH_VA', fields: { tg: 1, ttl: 1 }, error: undefined },
  { why: 'one 16K granule at level 1 without DS', name: 'TLBI_NH_VA', fields: { tg: 2, ttl: 1 }, error: RESERVED },
  { why: 'two 16K granules at level 1 without DS', name: 'TLBI_NH_VA', fields: { tg: 2, ttl: 1, num: 1 }, error: TTL1 },
  { why: 'one 16K granule at level 1 with DS', name: 'TLBI_NH_VA', fields: { tg: 2, ttl: 1 }, features: { ds: true }, error: undefined },

  { why: 'SCALE 31', name: 'TLBI_NH_VA', fields: { tg: 1, scale: 31 }, error: undefined },
  { why: 'SCALE 32 without DS', name: 'TLBI_NH_VA', fields: { tg: 1, scale: 32 }, error: 'SCALE 32 is above 31 (§4.4.1.1)' },
  { why: 'SCALE 39 with DS', name: 'TLBI_NH_VA', fields: { tg: 1, scale: 39 }, features: { ds: true }, error: undefined },
  { why: 'SCALE 40 with DS', name: 'TLBI_NH_VA', fields: { tg: 1, scale: 40 }, features: { ds: true },
    error: 'SCALE 40 is above 39 (§4.4.1.1)' },

  { why: '4K TTL 0 at any page', name: 'TLBI_NH_VA', fields: { tg: 1, num: 1, frame: 1 }, error: undefined },
  { why: '4K TTL 3 at any page', name: 'TLBI_NH_VA', fields: { tg: 1, ttl: 3, frame: 0xfffffffffffff }, error: undefined },
  { why: '4K TTL 2 at 2 MB', name: 'TLBI_NH_VA', fields: { tg: 1, ttl: 2, frame: 0x200 }, error: undefined },
  { why: '4K TTL 2 at 1 MB', name: 'TLBI_NH_VA', fields: { tg: 1, ttl: 2, frame: 0x100 }, error: unaligned(21) },
  { why: '4K TTL 1 at 1 GB', name: 'TLBI_NH_VA', fields: { tg: 1, ttl: 1, frame: 0x40000 }, error: undefined },
  { why: '4K TTL 1 at 512 MB', name: 'TLBI_NH_VA', fields: { tg: 1, ttl: 1, frame: 0x20000 }, error: unaligned(30) },
  { why: '16K TTL 0 at 16 KB', name: 'TLBI_NH_VA', fields: { tg: 2, num: 1, frame: 4 }, error: undefined },
  { why: '16K TTL 0 at 8 KB', name: 'TLBI_NH_VA', fields: { tg: 2, num: 1, frame: 2 }, error: unaligned(14) },
  { why: '16K TTL 3 at 4 KB', name: 'TLBI_NH_VA', fields: { tg: 2, ttl: 3, frame: 1 }, error: unaligned(14) },
  { why: '16K TTL 2 at 32 MB', name: 'TLBI_NH_VA', fields: { tg: 2, ttl: 2, frame: 0x2000 }, error: undefined },
  { why: '16K TTL 2 at 16 MB', name: 'TLBI_NH_VA', fields: { tg: 2, ttl: 2, frame: 0x1000 }, error: unaligned(25) },
  { why: '16K TTL 1 at 64 GB with DS', name: 'TLBI_NH_VA', fields: { tg: 2, ttl: 1, frame: 0x1000000 }, features: { ds: true },
    error: undefined },
  { why: '16K TTL 1 at 32 GB with DS', name: 'TLBI_NH_VA', fields: { tg: 2, ttl: 1, frame: 0x800000 }, features: { ds: true },
    error: unaligned(36) },
  { why: '64K TTL 0 at 64 KB', name: 'TLBI_NH_VA', fields: { tg: 3, num: 1, frame: 16 }, error: undefined },
  { why: '64K TTL 0 at 32 KB', name: 'TLBI_NH_VA', fields: { tg: 3, num: 1, frame: 8 }, error: unaligned(16) },
  { why: '64K TTL 3 at 4 KB', name: 'TLBI_NH_VA', fields: { tg: 3, ttl: 3, frame: 1 }, error: unaligned(16) },
  { why: '64K TTL 2 at 512 MB', name: 'TLBI_NH_VA', fields: { tg: 3, ttl: 2, frame: 0x20000 }, error: undefined },
  { why: '64K TTL 2 at 256 MB', name: 'TLBI_NH_VA', fields: { tg: 3, ttl: 2, frame: 0x10000 }, error: unaligned(29) },
  { why: '64K TTL 1 at 4 TB', name: 'TLBI_NH_VA', fields: { tg: 3, ttl: 1, frame: 0x40000000 }, error: undefined },
  { why: '64K TTL 1 at 2 TB', name: 'TLBI_NH_VA', fields: { tg: 3, ttl: 1, frame: 0x20000000 }, error: unaligned(42) },
  { why: 'a misaligned single address, whose low bits are ignored', name: 'TLBI_NH_VA', fields: { frame: 0x12345 }, error: undefined },
];

for (const { why, name, fields, features, error } of JUDGED) {
  test(`${name} is ${error === undefined ? 'legal' : 'illegal'}: ${why}`, (t) => {
    t.is(commandError(command(name, fields), { ...FULL, ...features }), error);
  });
}

/** An ATC invalidation names its first frame and a power of two of frames. */
const ATC = [
  { frame: 0, size: 52, word1: '0x34', text: 'ATC_INV sid 3 everything' },
  { frame: 1, size: 0, word1: '0x1000', text: 'ATC_INV sid 3 va 0x1000 size 0' },
  { frame: 8, size: 2, word1: '0x8002', text: 'ATC_INV sid 3 va 0x8000 size 2' },
  { frame: 0, size: 4, word1: '0x4', text: 'ATC_INV sid 3 va 0x0 size 4' },
  { frame: 0, size: 36, word1: '0x24', text: 'ATC_INV sid 3 va 0x0 size 36' },
];

for (const { frame, size, word1, text } of ATC) {
  test(`the ATC invalidation 0x300000040 ${word1} reads as ${text}`, (t) => {
    const c = command('ATC_INV', { sid: 3, frame, size });
    t.deepEqual(decoded('0x300000040', word1), c);
    t.is(encoded(c), shownWords(rawWords('0x300000040', word1)));
    t.is(describeCommand(c), text);
  });
}

const TEXTS: readonly { command: Command; text: string }[] = [
  { command: command('PREFETCH_CONFIG', { sid: 1 }), text: 'PREFETCH_CONFIG sid 1' },
  { command: command('PREFETCH_CONFIG', { sid: 1, ssv: 1, ssid: 2 }), text: 'PREFETCH_CONFIG sid 1 ssid 2' },
  { command: command('PREFETCH_ADDR', { sid: 1, frame: 5, size: 3 }), text: 'PREFETCH_ADDR sid 1 va 0x5000 size 3' },
  { command: command('CFGI_STE', { sid: 4 }), text: 'CFGI_STE sid 4' },
  { command: command('CFGI_STE_RANGE', { sid: 4, range: 7 }), text: 'CFGI_STE_RANGE sid 4 range 7' },
  { command: command('CFGI_CD', { sid: 4, ssid: 1 }), text: 'CFGI_CD sid 4 ssid 1' },
  { command: command('CFGI_CD_ALL', { sid: 4 }), text: 'CFGI_CD_ALL sid 4' },
  { command: command('TLBI_NH_ALL', { vmid: 2 }), text: 'TLBI_NH_ALL vmid 2' },
  { command: command('TLBI_NH_ASID', { vmid: 2, asid: 7 }), text: 'TLBI_NH_ASID vmid 2 asid 7' },
  { command: command('TLBI_NH_VA', { asid: 7, frame: 4, leaf: 1 }), text: 'TLBI_NH_VA vmid 0 asid 7 va 0x4000 leaf' },
  { command: command('TLBI_NH_VA', { asid: 7, tg: 3, num: 1, scale: 2, ttl: 3 }),
    text: 'TLBI_NH_VA vmid 0 asid 7 va 0x0 tg 64K num 1 scale 2 ttl 3 (8 granules)' },
  { command: command('TLBI_NH_VAA', { vmid: 1, frame: 0xfffffffffffff }), text: 'TLBI_NH_VAA vmid 1 va 0xfffffffffffff000' },
  { command: command('TLBI_EL2_ALL'), text: 'TLBI_EL2_ALL' },
  { command: command('TLBI_EL2_ASID', { asid: 9 }), text: 'TLBI_EL2_ASID asid 9' },
  { command: command('TLBI_EL2_VA', { asid: 9, frame: 1 }), text: 'TLBI_EL2_VA asid 9 va 0x1000' },
  { command: command('TLBI_EL2_VAA', { frame: 1, leaf: 1 }), text: 'TLBI_EL2_VAA va 0x1000 leaf' },
  { command: command('TLBI_S12_VMALL', { vmid: 3 }), text: 'TLBI_S12_VMALL vmid 3' },
  { command: command('TLBI_S2_IPA', { vmid: 3, frame: 1 }), text: 'TLBI_S2_IPA vmid 3 ipa 0x1000' },
  { command: command('ATC_INV', { sid: 3, ssv: 1, ssid: 5, global: 1, size: 52 }), text: 'ATC_INV sid 3 ssid 5 global everything' },
  { command: command('PRI_RESP', { sid: 3, prg: 4, resp: 2 }), text: 'PRI_RESP sid 3 group 4 response 2' },
  { command: command('RESUME', { sid: 3, stag: 6, ac: 1 }), text: 'RESUME sid 3 stag 6 retry' },
  { command: command('RESUME', { sid: 3, stag: 6, ab: 1 }), text: 'RESUME sid 3 stag 6 abort' },
  { command: command('RESUME', { sid: 3, stag: 6 }), text: 'RESUME sid 3 stag 6 terminate' },
  { command: command('STALL_TERM', { sid: 3 }), text: 'STALL_TERM sid 3' },
  { command: command('SYNC'), text: 'SYNC' },
  { command: command('SYNC', { cs: 1 }), text: 'SYNC msi' },
  { command: { ...newCommand(), op: 0x7f }, text: '0x7f' },
];

for (const { command: c, text } of TEXTS) {
  test(`a command reads ${text}`, (t) => {
    t.is(describeCommand(c), text);
  });
}
