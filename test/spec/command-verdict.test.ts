/**
 * Pins src/spec/command-verdict.ts: one command for each reason of each verdict, with the nearest legal one beside it, and what is left of
 * a command when reserved fields are ignored.
 */
import test from 'ava';
import {
  commandVerdict, decodeCommand, effectiveTtl, effectVerdict, encodeCommand, ignoreReserved, newCommand, OP, type Command, type CommandName, type VerdictKind,
} from '../../src/spec/command.js';
import { FULL_FEATURES, type Features } from '../../src/spec/features.js';
import { COMMAND_NAMES } from './command-fields.js';
import { rawWords } from './words.js';

interface Row {
  readonly why: string;
  readonly name: CommandName;
  readonly fields?: Partial<Command>;
  readonly without?: Partial<Features>;
  readonly verdict: VerdictKind;
}

function verdict(c: Partial<Command>, f: Features): VerdictKind {
  const words = new Uint32Array(8);
  encodeCommand({ ...newCommand(), ...c }, words, 4);
  return commandVerdict(decodeCommand(words, 4, newCommand()), words, 4, f).verdict;
}

const NO_STAGE1 = { stage1: false };
const NO_STAGE2 = { stage2: false };
const SMALL = { asidBits: 8, vmidBits: 8 } as const;
const RANGE = { tg: 1, num: 3, scale: 2, ttl: 3 };

const FEATURES: readonly Row[] = [
  { why: 'stage 1', name: 'CFGI_CD', verdict: 'legal' },
  ...(['CFGI_CD', 'CFGI_CD_ALL', 'TLBI_NH_ALL', 'TLBI_NH_ASID', 'TLBI_NH_VA', 'TLBI_NH_VAA'] as const).map((name) => ({ why: 'no stage 1', name, without: NO_STAGE1, verdict: 'illegal' as const })),
  ...(['CFGI_CD', 'CFGI_CD_ALL', 'TLBI_NH_ALL', 'TLBI_NH_ASID', 'TLBI_NH_VA', 'TLBI_NH_VAA'] as const).map((name) => ({ why: 'no stage 2', name, without: NO_STAGE2, verdict: 'legal' as const })),
  ...(['TLBI_S12_VMALL', 'TLBI_S2_IPA'] as const).map((name) => ({ why: 'no stage 2', name, without: NO_STAGE2, verdict: 'illegal' as const })),
  ...(['TLBI_S12_VMALL', 'TLBI_S2_IPA'] as const).map((name) => ({ why: 'no stage 1', name, without: NO_STAGE1, verdict: 'legal' as const })),
  ...(['TLBI_EL2_ALL', 'TLBI_EL2_ASID', 'TLBI_EL2_VA', 'TLBI_EL2_VAA'] as const).flatMap((name) => [
    { why: 'no EL2', name, without: { hyp: false }, verdict: 'illegal' as const }, { why: 'EL2', name, verdict: 'legal' as const }]),
  { why: 'no stage at all', name: 'TLBI_NSNH_ALL', without: { ...NO_STAGE1, ...NO_STAGE2, hyp: false, ats: false }, verdict: 'legal' },
  { why: 'ATS', name: 'ATC_INV', verdict: 'legal' },
  { why: 'no ATS', name: 'ATC_INV', without: { ats: false }, verdict: 'illegal' },
  { why: 'no PRI', name: 'PRI_RESP', verdict: 'illegal' },
  { why: 'no stalls', name: 'RESUME', verdict: 'illegal' },
  { why: 'no stalls', name: 'STALL_TERM', verdict: 'illegal' },
];

const FIELDS: readonly Row[] = [
  { why: 'SSec', name: 'CFGI_STE', fields: { ssec: 1 }, verdict: 'illegal' },
  { why: 'SSec', name: 'CFGI_STE_RANGE', fields: { ssec: 1, range: 31 }, verdict: 'illegal' },
  { why: 'SSec', name: 'PREFETCH_CONFIG', fields: { ssec: 1 }, verdict: 'illegal' },
  { why: 'CS = 2', name: 'SYNC', fields: { cs: 2 }, verdict: 'legal' },
  { why: 'CS = 3', name: 'SYNC', fields: { cs: 3 }, verdict: 'illegal' },
  { why: 'an MSI', name: 'SYNC', fields: { cs: 1, msiAddress: 0x1234, msiData: 7, msh: 3, msiAttr: 15 }, verdict: 'legal' },
  { why: 'Size 52', name: 'ATC_INV', fields: { size: 52 }, verdict: 'legal' },
  { why: 'Size 53', name: 'ATC_INV', fields: { size: 53 }, verdict: 'unpredictable' },
];

const RANGES: readonly Row[] = [
  { why: 'a range', name: 'TLBI_NH_VA', fields: RANGE, verdict: 'legal' },
  { why: 'one granule with a level', name: 'TLBI_NH_VA', fields: { tg: 1, ttl: 3 }, verdict: 'legal' },
  { why: 'one granule without a level', name: 'TLBI_NH_VA', fields: { tg: 1 }, verdict: 'illegal' },
  { why: 'one granule without a level', name: 'TLBI_S2_IPA', fields: { tg: 3 }, verdict: 'illegal' },
  { why: 'two granules without a level', name: 'TLBI_S2_IPA', fields: { tg: 3, num: 1 }, verdict: 'legal' },
  { why: 'a scale without a level', name: 'TLBI_S2_IPA', fields: { tg: 3, scale: 1 }, verdict: 'legal' },
  { why: 'one 16K granule of level 1', name: 'TLBI_NH_VAA', fields: { tg: 2, ttl: 1 }, verdict: 'illegal' },
  { why: 'one 16K granule of level 1 with DS', name: 'TLBI_NH_VAA', fields: { tg: 2, ttl: 1 }, without: { ds: true }, verdict: 'legal' },
  { why: 'two 16K granules of level 1, which is any level', name: 'TLBI_NH_VAA', fields: { tg: 2, ttl: 1, num: 1, frame: 4 }, verdict: 'legal' },
  { why: 'TG without RIL', name: 'TLBI_NH_VA', fields: { tg: 1 }, without: { range: false }, verdict: 'reserved' },
  { why: 'TTL without RIL', name: 'TLBI_NH_VA', fields: { ttl: 1 }, without: { range: false }, verdict: 'reserved' },
  { why: 'NUM without RIL', name: 'TLBI_NH_VA', fields: { num: 1 }, without: { range: false }, verdict: 'reserved' },
  { why: 'SCALE without RIL', name: 'TLBI_NH_VA', fields: { scale: 1 }, without: { range: false }, verdict: 'reserved' },
  { why: 'no range without RIL', name: 'TLBI_NH_VA', fields: { frame: 5, leaf: 1 }, without: { range: false }, verdict: 'legal' },
  { why: 'TTL without TG', name: 'TLBI_EL2_VA', fields: { ttl: 1 }, verdict: 'reserved' },
  { why: 'NUM without TG', name: 'TLBI_EL2_VAA', fields: { num: 1 }, verdict: 'reserved' },
  { why: 'SCALE without TG', name: 'TLBI_S2_IPA', fields: { scale: 1 }, verdict: 'reserved' },
  { why: 'SCALE 31', name: 'TLBI_NH_VA', fields: { tg: 1, scale: 31 }, verdict: 'legal' },
  { why: 'SCALE 32', name: 'TLBI_NH_VA', fields: { tg: 1, scale: 32 }, verdict: 'unpredictable' },
  { why: 'SCALE 39 with DS', name: 'TLBI_NH_VA', fields: { tg: 1, scale: 39 }, without: { ds: true }, verdict: 'legal' },
  { why: 'SCALE 40 with DS', name: 'TLBI_NH_VA', fields: { tg: 1, scale: 40 }, without: { ds: true }, verdict: 'unpredictable' },
  { why: 'an aligned 2M block', name: 'TLBI_NH_VA', fields: { tg: 1, ttl: 2, frame: 512 }, verdict: 'legal' },
  { why: 'a 2M block off by a page', name: 'TLBI_NH_VA', fields: { tg: 1, ttl: 2, frame: 513 }, verdict: 'unpredictable' },
  { why: 'a 16K granule off by a frame', name: 'TLBI_NH_VA', fields: { tg: 2, num: 1, frame: 5 }, verdict: 'unpredictable' },
  { why: 'a 64K granule off by a frame', name: 'TLBI_NH_VA', fields: { tg: 3, ttl: 3, frame: 17 }, verdict: 'unpredictable' },
  { why: 'an odd frame without TG', name: 'TLBI_NH_VA', fields: { frame: 17 }, verdict: 'legal' },
];

const IDS: readonly Row[] = [
  { why: 'the largest ASID', name: 'TLBI_NH_ASID', fields: { asid: 255 }, without: SMALL, verdict: 'legal' },
  { why: 'an ASID beyond', name: 'TLBI_NH_ASID', fields: { asid: 256 }, without: SMALL, verdict: 'ineffective' },
  { why: 'an ASID of sixteen bits', name: 'TLBI_NH_ASID', fields: { asid: 0xffff }, verdict: 'legal' },
  { why: 'the largest VMID', name: 'TLBI_NH_ALL', fields: { vmid: 255 }, without: SMALL, verdict: 'legal' },
  { why: 'a VMID beyond', name: 'TLBI_NH_ALL', fields: { vmid: 256 }, without: SMALL, verdict: 'ineffective' },
  { why: 'a VMID without stage 2', name: 'TLBI_NH_ALL', fields: { vmid: 1 }, without: NO_STAGE2, verdict: 'ineffective' },
  { why: 'VMID 0 without stage 2', name: 'TLBI_NH_ALL', without: NO_STAGE2, verdict: 'legal' },
  { why: 'the last stream', name: 'CFGI_STE', fields: { sid: 0xffff }, verdict: 'legal' },
  { why: 'a stream beyond', name: 'CFGI_STE', fields: { sid: 0x10000 }, verdict: 'ineffective' },
  { why: 'a stream beyond', name: 'CFGI_CD', fields: { sid: 0x10000 }, verdict: 'ineffective' },
  { why: 'a stream beyond', name: 'CFGI_CD_ALL', fields: { sid: 0x10000 }, verdict: 'ineffective' },
  { why: 'a stream beyond', name: 'ATC_INV', fields: { sid: 0x10000 }, verdict: 'ineffective' },
  { why: 'the largest stream of 32 bits', name: 'CFGI_STE', fields: { sid: 0xffffffff }, without: { sidBits: 32 }, verdict: 'legal' },
  { why: 'the last CD', name: 'CFGI_CD', fields: { ssid: 1023 }, verdict: 'legal' },
  { why: 'a CD beyond', name: 'CFGI_CD', fields: { ssid: 1024 }, verdict: 'ineffective' },
  { why: 'CD 0 without substreams', name: 'CFGI_CD', without: { ssidBits: 0 }, verdict: 'legal' },
  { why: 'CD 1 without substreams', name: 'CFGI_CD', fields: { ssid: 1 }, without: { ssidBits: 0 }, verdict: 'ineffective' },
  { why: 'the last PASID', name: 'ATC_INV', fields: { ssv: 1, ssid: 1023 }, verdict: 'legal' },
  { why: 'a PASID beyond', name: 'ATC_INV', fields: { ssv: 1, ssid: 1024 }, verdict: 'ineffective' },
  { why: 'PASID 0 without substreams', name: 'ATC_INV', fields: { ssv: 1 }, without: { ssidBits: 0 }, verdict: 'ineffective' },
  { why: 'no PASID with a SubstreamID, which is ignored', name: 'ATC_INV', fields: { ssid: 1024 }, verdict: 'legal' },
  { why: 'a range that starts within', name: 'CFGI_STE_RANGE', fields: { sid: 0xffff, range: 3 }, verdict: 'legal' },
  { why: 'a range beyond', name: 'CFGI_STE_RANGE', fields: { sid: 0x10000, range: 3 }, verdict: 'ineffective' },
  { why: 'a range that starts just beyond', name: 'CFGI_STE_RANGE', fields: { sid: 0x10000, range: 15 }, verdict: 'ineffective' },
  { why: 'a range whose ignored bits are beyond', name: 'CFGI_STE_RANGE', fields: { sid: 0x10000, range: 16 }, verdict: 'legal' },
  { why: 'everything', name: 'CFGI_STE_RANGE', fields: { sid: 0xffffffff, range: 31 }, verdict: 'legal' },
  { why: 'a stream beyond, for nothing', name: 'PREFETCH_CONFIG', fields: { sid: 0x10000 }, verdict: 'legal' },
];

for (const { why, name, fields = {}, without = {}, verdict: expected } of [...FEATURES, ...FIELDS, ...RANGES, ...IDS]) {
  test(`${name} is ${expected}: ${why} ${JSON.stringify({ ...fields, ...without })}`, (t) => {
    t.is(verdict({ op: OP[name], ...fields }, { ...FULL_FEATURES, ...without }), expected);
  });
}

test('reserved opcodes and those of other queues are illegal', (t) => {
  const known = new Set<number>(COMMAND_NAMES.map((name) => OP[name]));
  for (let op = 0; op < 256; op += 1) {
    if (known.has(op)) continue;
    const words = rawWords(`0x${op.toString(16)}`, '0x0');
    t.is(commandVerdict(decodeCommand(words, 0, newCommand()), words, 0, FULL_FEATURES).verdict, 'illegal', `opcode ${op}`);
  }
});

test('a bit outside of the fields is reserved, in every command', (t) => {
  const legal = COMMAND_NAMES.filter((name) => !['PRI_RESP', 'RESUME', 'STALL_TERM'].includes(name));
  for (const name of legal) {
    const words = rawWords(`0x${(OP[name] + 0x100).toString(16)}`, '0x0');
    t.is(commandVerdict(decodeCommand(words, 0, newCommand()), words, 0, FULL_FEATURES).verdict, 'reserved', name);
  }
  const high = rawWords('0x2a', '0x0100000000000000'); // an IPA has no bit 56
  t.is(commandVerdict(decodeCommand(high, 0, newCommand()), high, 0, FULL_FEATURES).verdict, 'reserved');
});

test('of several reasons the strongest counts', (t) => {
  const f = { ...FULL_FEATURES, ...SMALL };
  t.is(verdict({ op: OP.TLBI_NH_VA, asid: 256, tg: 1, ttl: 2, frame: 1 }, f), 'unpredictable');
  t.is(verdict({ op: OP.TLBI_NH_VA, asid: 256, ttl: 2, frame: 1 }, f), 'reserved');
  t.is(verdict({ op: OP.TLBI_NH_VA, asid: 256, tg: 1, frame: 1 }, f), 'illegal');
  t.is(verdict({ op: OP.TLBI_NH_VA, asid: 256, tg: 1, ttl: 2, frame: 1 }, { ...f, range: false }), 'reserved');
});

test('without RIL the reason is RIL, whichever range field is set', (t) => {
  const words = new Uint32Array(4);
  for (const fields of [{ tg: 1 }, { ttl: 1 }, { num: 1 }, { scale: 1 }]) {
    encodeCommand(c(fields), words);
    t.regex(commandVerdict(c(fields), words, 0, { ...FULL_FEATURES, range: false }).why, /RIL/);
    t.notRegex(commandVerdict(c(fields), words, 0, FULL_FEATURES).why, /RIL/);
  }
});

test('every verdict says why', (t) => {
  const words = new Uint32Array(4);
  for (const { name, fields = {}, without = {} } of [...FEATURES, ...FIELDS, ...RANGES, ...IDS]) {
    encodeCommand({ ...newCommand(), op: OP[name], ...fields }, words);
    const v = commandVerdict(decodeCommand(words, 0, newCommand()), words, 0, { ...FULL_FEATURES, ...without });
    t.is(v.verdict === 'legal', v.why === 'legal');
    t.true(v.verdict === 'legal' || /§\d/.test(v.why));
  }
});

function c(fields: Partial<Command>): Command {
  return { ...newCommand(), op: OP.TLBI_NH_VA, frame: 5, ...fields };
}

test('ignored range fields leave the command of one address', (t) => {
  t.deepEqual(ignoreReserved(c({ tg: 1, ttl: 2, num: 3, scale: 4 }), { ...FULL_FEATURES, range: false }), c({}));
  t.deepEqual(ignoreReserved(c({ ttl: 2, num: 3, scale: 4 }), FULL_FEATURES), c({}));
  t.deepEqual(ignoreReserved(c({ tg: 1, ttl: 2, num: 3, scale: 4 }), FULL_FEATURES), c({ tg: 1, ttl: 2, num: 3, scale: 4 }));
  t.deepEqual(ignoreReserved(c({ tg: 2, ttl: 1, num: 3 }), FULL_FEATURES), c({ tg: 2, num: 3 }));
  t.deepEqual(ignoreReserved(c({ tg: 2, ttl: 1, num: 3 }), { ...FULL_FEATURES, ds: true }), c({ tg: 2, ttl: 1, num: 3 }));
});

test('TTL 1 of a 16K range is any level without DS', (t) => {
  t.deepEqual([1, 2, 3].map((tg) => effectiveTtl(c({ tg, ttl: 1 }), FULL_FEATURES)), [1, 0, 1]);
  t.deepEqual([1, 2, 3].map((tg) => effectiveTtl(c({ tg, ttl: 1 }), { ...FULL_FEATURES, ds: true })), [1, 1, 1]);
  t.deepEqual([1, 2, 3].map((tg) => effectiveTtl(c({ tg, ttl: 2 }), FULL_FEATURES)), [2, 2, 2]);
});

test('once reserved fields are ignored the rest of the command is judged', (t) => {
  const f: Features = { ...FULL_FEATURES, ...SMALL, range: false };
  t.is(effectVerdict(c({ tg: 1, ttl: 2, frame: 1, scale: 63 }), f).verdict, 'legal');
  t.is(effectVerdict(c({ tg: 1, ttl: 2, asid: 256 }), f).verdict, 'ineffective');
  t.is(effectVerdict(c({ tg: 1, ttl: 2, frame: 1 }), FULL_FEATURES).verdict, 'unpredictable');
});
