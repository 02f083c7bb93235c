/** Guests: which STEs and commands are taken, what becomes of them, and how much of a list is done when one of it is refused. */
import test from 'ava';
import { guestWantsAts, physicalSte } from '../../../src/optimised/driver/guest.js';
import { setField, getField } from '../../../src/spec/bits.js';
import { encodeCommand, newCommand, OP, type Command } from '../../../src/spec/command.js';
import { STE, steVerdict } from '../../../src/spec/ste.js';
import { stage2Ste } from '../../../src/optimised/driver/structures.js';
import { FULL_FEATURES } from '../../../src/spec/features.js';
import type { DriverRig } from './rig.js';
import { attach, close, guest, guestBypass, open, substream, S1_A, S2, PARENT, SYSTEM, systemRig } from './system-world.js';

const HOST = stage2Ste({ rootFrame: 0x100010, inputBits: 44, startLevel: 0, outputBits: 44, vmid: 6, forceWriteBack: true, ats: false });

/** Words 0 and 1 of a guest's STE, 16 uint32. */
function guestSte(config: number, change: Partial<Record<keyof typeof STE, number>> = {}): Uint32Array {
  const w = new Uint32Array(16);
  setField(w, STE.V, 1);
  setField(w, STE.Config, config);
  for (const [name, value] of Object.entries(change)) setField(w, STE[name as keyof typeof STE], value);
  return w;
}

test('V = 0 and abort become abort, whatever else stands there of V = 0', (t) => {
  const invalid = guestSte(5, { STRW: 2, SHCFG: 1 });
  setField(invalid, STE.V, 0);
  for (const w of [invalid, guestSte(0)]) t.is(steVerdict(physicalSte(w, HOST, false) ?? HOST, 0, FULL_FEATURES), 'abort');
});

test('bypass becomes the parent alone, with its VMID', (t) => {
  t.deepEqual(physicalSte(guestSte(4), HOST, false), HOST);
});

test('stage 1 becomes nested: the guest\'s stage 1 over the host\'s stage 2, events merged', (t) => {
  const w = guestSte(5, { S1ContextPtr: 0x12340, S1Fmt: 1, S1CDMax: 7, S1DSS: 2, S1CIR: 1, S1COR: 2, S1CSH: 3, EATS: 1 });
  for (const ats of [false, true]) {
    const out = physicalSte(w, HOST, ats) ?? HOST;
    t.is(steVerdict(out, 0, FULL_FEATURES), 'nested');
    for (const name of ['S1ContextPtr', 'S1Fmt', 'S1CDMax', 'S1DSS', 'S1CIR', 'S1COR', 'S1CSH'] as const) t.is(getField(out, STE[name]), getField(w, STE[name]), name);
    t.deepEqual(out.subarray(4), HOST.subarray(4), 'words 2 and on are the host\'s');
    t.deepEqual([getField(out, STE.EATS), getField(out, STE.MEV), getField(out, STE.SHCFG), getField(out, STE.S2FWB)], [ats ? 1 : 0, 1, 1, 1]);
  }
});

test('EATS of the guest says only whether it wants ATS, and only of stage 1', (t) => {
  t.deepEqual([guestSte(5, { EATS: 1 }), guestSte(5), guestSte(4, { EATS: 1 }), guestSte(0, { EATS: 1 })].map(guestWantsAts), [true, false, false, false]);
});

for (const config of [1, 2, 3, 6, 7]) test(`Config ${config} is refused`, (t) => { t.is(physicalSte(guestSte(config), HOST, false), null); });
for (const eats of [2, 3]) test(`EATS ${eats} is refused`, (t) => { t.is(physicalSte(guestSte(5, { EATS: eats }), HOST, false), null); });
const OTHER = ['S2HWU', 'DRE', 'CONT', 'DCP', 'PPAR', 'MEV', 'S1PIE', 'S2FWB', 'S1MPAM', 'STRW', 'MemAttr', 'MTCFG', 'ALLOCCFG', 'SHCFG', 'NSCFG', 'PRIVCFG', 'INSTCFG'] as const;
for (const name of OTHER) {
  test(`${name} is refused, with each configuration`, (t) => { for (const config of [0, 4, 5]) t.is(physicalSte(guestSte(config, { [name]: 1 }), HOST, false), null); });
}

// ---- commands

function command(op: number, change: Partial<Command> = {}): number[] {
  const out = new Uint32Array(4);
  encodeCommand({ ...newCommand(), ...change, op }, out);
  return [...out];
}

/** vSMMU 1, VMID 2, with devices 0 and 1; vSMMU 0, VMID 1, with device 2. */
function guests(): DriverRig {
  return systemRig([open(), open(1), guest(1, 1, 0, 1), guest(1, 0, 1, 1), guest(1, 0, 2, 0)]);
}

function issue(r: DriverRig, ...commands: number[][]): { said: string[]; code: string; consumed: number | undefined } {
  r.forget();
  const { code, consumed } = r.does({ op: 'guest-commands', vsmmu: 1, words: commands.flat() });
  return { said: [...r.trace], code, consumed };
}

const NH_VA = { vmid: 77, asid: 9, frame: 0x123, leaf: 1 };

for (const [what, words, wanted] of [
  ['everything becomes everything of its VMID', command(OP.TLBI_NSNH_ALL), 'TLBI_NH_ALL vmid 2'],
  ['NH_ALL', command(OP.TLBI_NH_ALL, { vmid: 77 }), 'TLBI_NH_ALL vmid 2'],
  ['NH_ASID', command(OP.TLBI_NH_ASID, { vmid: 77, asid: 65535 }), 'TLBI_NH_ASID vmid 2 asid 65535'],
  ['NH_VA', command(OP.TLBI_NH_VA, NH_VA), 'TLBI_NH_VA vmid 2 asid 9 va 0x123000 leaf'],
  ['NH_VAA', command(OP.TLBI_NH_VAA, NH_VA), 'TLBI_NH_VAA vmid 2 va 0x123000 leaf'],
  ['CFGI_CD goes to the device\'s stream', command(OP.CFGI_CD, { sid: 0, ssid: 3, leaf: 1 }), 'CFGI_CD sid 5 ssid 3 leaf'],
  ['CFGI_CD_ALL goes to each stream', command(OP.CFGI_CD_ALL, { sid: 1 }), 'CFGI_CD_ALL sid 9, CFGI_CD_ALL sid 7'],
  ['ATC_INV', command(OP.ATC_INV, { sid: 0, frame: 0x40, size: 2 }), 'ATC_INV sid 5 va 0x40000 size 2'],
] as const) {
  test(`taken: ${what}`, (t) => { t.deepEqual(issue(guests(), words), { said: [`0: ${wanted}, SYNC`], code: 'ok', consumed: 1 }); });
}

const REFUSED: readonly (readonly [string, number[]])[] = [
  ['CFGI_STE', command(OP.CFGI_STE, { sid: 0, leaf: 1 })],
  ['CFGI_ALL', command(OP.CFGI_STE_RANGE, { range: 31 })],
  ['PREFETCH', command(OP.PREFETCH_CONFIG, { sid: 0 })],
  ['EL2_ALL', command(OP.TLBI_EL2_ALL)],
  ['EL2_VA', command(OP.TLBI_EL2_VA, { asid: 1 })],
  ['S12_VMALL', command(OP.TLBI_S12_VMALL, { vmid: 2 })],
  ['S2_IPA', command(OP.TLBI_S2_IPA, { vmid: 2 })],
  ['SYNC', command(OP.SYNC)],
  ['PRI_RESP', command(OP.PRI_RESP, { sid: 0 })],
  ['RESUME', command(OP.RESUME, { sid: 0 })],
  ['no opcode', [0, 0, 0, 0]],
  ['a stream of another vSMMU', command(OP.CFGI_CD_ALL, { sid: 2 })],
  ['a stream of the host', command(OP.ATC_INV, { sid: 3, size: 52 })],
  ['a stream that there is none', command(OP.CFGI_CD, { sid: 999 })],
  ['SSec', command(OP.CFGI_CD, { sid: 0, ssec: 1 })],
  ['a substream that the SMMU does not have', command(OP.CFGI_CD, { sid: 0, ssid: 256 })],
  ['a reserved bit of word 0', command(OP.TLBI_NH_ASID).map((w, i) => (i === 0 ? w | 0x100 : w))],
  ['a reserved bit of word 2', command(OP.TLBI_NH_ALL).map((w, i) => (i === 2 ? 1 : w))],
  ['a range of nothing', command(OP.TLBI_NH_VA, { tg: 1 })],
  ['a range without granule', command(OP.TLBI_NH_VA, { num: 3 })],
  ['a range that is not aligned to its TTL', command(OP.TLBI_NH_VA, { tg: 1, ttl: 2, frame: 1 })],
  ['SCALE beyond 31', command(OP.TLBI_NH_VA, { tg: 1, scale: 32, num: 1 })],
  ['a size of ATC_INV beyond 52', command(OP.ATC_INV, { sid: 0, size: 60 })],
];
for (const [what, words] of REFUSED) {
  test(`refused: ${what}`, (t) => { t.deepEqual(issue(guests(), words), { said: [], code: 'command-rejected', consumed: 0 }); });
}

for (const at of [0, 1, 62, 63, 64, 126]) {
  test(`a list of 130 with a wrong one at ${at}: those before it are done, and counted`, (t) => {
    const list = Array.from({ length: 130 }, (_, i) => (i === at ? command(OP.TLBI_S12_VMALL) : command(OP.TLBI_NH_ASID, { asid: i })));
    const { said, code, consumed } = issue(guests(), ...list);
    t.is(code, 'command-rejected');
    t.is(consumed, at);
    const commands = said.flatMap((line) => line.slice(3).split(', '));
    t.deepEqual(commands.filter((c) => c !== 'SYNC'), Array.from({ length: at }, (_, i) => `TLBI_NH_ASID vmid 2 asid ${i}`));
    t.is(commands.filter((c) => c === 'SYNC').length, Math.ceil(at / 63));
    t.is(commands.at(-1), at === 0 ? undefined : 'SYNC');
  });
}

test('batches of 63 and a SYNC each; one command of two streams is never torn', (t) => {
  const whole = issue(guests(), ...Array.from({ length: 127 }, () => command(OP.TLBI_NH_ALL)));
  t.deepEqual(whole.said.map((line) => line.split(', ').length), [64, 64, 2]);
  t.deepEqual([whole.code, whole.consumed], ['ok', 127]);
  const two = issue(guests(), ...Array.from({ length: 32 }, () => command(OP.CFGI_CD_ALL, { sid: 1 })));
  t.deepEqual(two.said.map((line) => line.split(', ').length), [63, 3]);
});

test('an empty list is done, and says nothing', (t) => {
  t.deepEqual(issue(guests()), { said: [], code: 'ok', consumed: 0 });
});

test('a stream is the guest\'s no longer when its device has left', (t) => {
  const r = guests();
  r.says(attach('blocked', 0));
  t.is(issue(r, command(OP.CFGI_CD_ALL, { sid: 0 })).code, 'command-rejected');
});

test('refusals of vSMMUs', (t) => {
  const parents = [{ smmu: 0, parent: PARENT }, { smmu: 0, parent: S2 }, { smmu: 0, parent: S1_A }, { smmu: 1, parent: PARENT }, { smmu: 1, parent: PARENT }, { smmu: 1, parent: PARENT }, { smmu: 0, parent: 99 }];
  const r = systemRig([], { vsmmus: parents });
  const codes = (...ops: Parameters<DriverRig['does']>[0][]): string[] => ops.map((op) => r.does(op).code);
  t.deepEqual(codes(open(9), close(9), close(0), open(1), open(2), open(6)), ['unknown-vsmmu', 'unknown-vsmmu', 'vsmmu-closed', 'not-a-parent', 'not-a-parent', 'not-a-parent']);
  t.deepEqual(codes(guest(1), { op: 'guest-commands', vsmmu: 0, words: [] }, { op: 'guest-commands', vsmmu: 9, words: [] }), ['vsmmu-closed', 'vsmmu-closed', 'unknown-vsmmu']);
  t.deepEqual(codes(open(0), open(0), open(3), open(4), open(5)), ['ok', 'vsmmu-open', 'ok', 'ok', 'no-tags']);
  t.deepEqual(codes(guest(1, 0, 9), guest(1, 0, 0, 9), guest(1, 0, 3, 0), { op: 'attach-nested', device: 0, vsmmu: 0, ste: [1 | (6 << 1), 0, 0, 0] }), ['unknown-device', 'unknown-vsmmu', 'incompatible', 'ste-rejected']);
  t.deepEqual(codes(substream(1, S1_A), guest(1)), ['ok', 'busy']);
  t.deepEqual(codes(guestBypass(1), close(0), attach('identity', 1), close(0)), ['ok', 'vsmmu-in-use', 'ok', 'ok']);
});

test('a vSMMU needs S2FWB, because no root complex here is coherent by itself', (t) => {
  const smmus = SYSTEM.smmus.map(({ stage2, ats, ssidBits }) => ({ ...(stage2 === undefined ? {} : { stage2 }), ...(ats === true ? { ats } : {}), ...(ssidBits === undefined ? {} : { ssidBits }) }));
  t.is(systemRig([], { smmus }).does(open()).code, 'incompatible');
});
