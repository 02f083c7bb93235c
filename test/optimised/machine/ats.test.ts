/** ATS: what Translation Requests are answered, what Translated transactions may do, and who empties the ATC (IHI 0070 §3.9.1, §4.5.1). */
import test from 'ava';
import { setField } from '../../../src/spec/bits.js';
import { OP } from '../../../src/spec/command.js';
import { BIT_AF, BIT_S2AP_READ } from '../../../src/spec/descriptor.js';
import { CR0_ATSCHK, CR2_REC_CFG_ATS, CR2_RECINVSID, REG } from '../../../src/spec/register.js';
import { CONFIG_ABORT, CONFIG_BYPASS, STE } from '../../../src/spec/ste.js';
import { WholeRig, type WholeOptions } from './whole-rig.js';

const full = (words: Uint32Array): void => setField(words, STE.EATS, 1);
const split = (words: Uint32Array): void => setField(words, STE.EATS, 2);

/** Stream 1: stage 1, 0x10 → 0x900, 0x11 read-only. Stream 2: nested, split stage, 0x10 → IPA 0x900 → 0x5000. */
function rigWith(options: WholeOptions = {}): WholeRig {
  const rig = new WholeRig(options);
  const root = rig.stream(1, 7);
  rig.restream(1, full);
  rig.map(root, 0x10, 0x900);
  rig.map(root, 0x11, 0x901, { writable: false });
  const second = rig.nested(2, 7, 6, split);
  rig.map(second, 0x10, 0x900);
  rig.map2(0x900, 0x5000);
  for (const sid of [1, 2, 3]) rig.machine.setEndpoint(sid, true, true);
  return rig;
}

test('a request grants what is permitted of what was asked for', (t) => {
  const rig = rigWith();
  t.deepEqual([rig.request(1, 0x10), rig.request(1, 0x10, { write: true }), rig.request(1, 0x11, { write: true })], ['900 r', '900 rw', '901 r']);
});

test('what software may repair is a Success without permissions', (t) => {
  const rig = rigWith();
  t.deepEqual([rig.request(1, 0x12), rig.records().length, rig.use(1, 0x12)], ['0', 0, 'none']);
});

test('split stage: the answer is the IPA', (t) => {
  t.is(rigWith().request(2, 0x10, { write: true }), '900 rw');
});

test('full ATS of a nested stream: the answer is the PA', (t) => {
  const rig = rigWith();
  rig.restream(2, full);
  t.is(rig.request(2, 0x10), '5000 r');
});

test('permissions are those of both stages', (t) => {
  const rig = rigWith();
  rig.map2(0x900, 0x5000, BIT_AF | BIT_S2AP_READ);
  t.is(rig.request(2, 0x10, { write: true }), '900 r');
});

test('ATS that is not allowed: Unsupported Request and a record', (t) => {
  const rig = rigWith();
  rig.restream(1, (words) => setField(words, STE.EATS, 0));
  rig.ste(3, 0, (words) => setField(words, STE.Config, CONFIG_BYPASS));
  t.deepEqual([rig.request(1, 0x10), rig.request(3, 0x10, { write: true })], ['ur', 'ur']);
  t.deepEqual(rig.records(), ['F_BAD_ATS_TREQ sid 1 0x10000', 'F_BAD_ATS_TREQ sid 3 0x10000']);
});

test('an aborting stream: Unsupported Request without a record', (t) => {
  const rig = rigWith();
  rig.ste(3, 0, (words) => setField(words, STE.Config, CONFIG_ABORT));
  t.deepEqual([rig.request(3, 0x10), rig.records()], ['ur', []]);
});

test('a wrong configuration: Completer Abort, recorded when CR2.REC_CFG_ATS says so', (t) => {
  const silent = rigWith();
  t.deepEqual([silent.request(3, 0x10), silent.records()], ['ca', []]);
  const loud = rigWith({ cr2: CR2_REC_CFG_ATS | CR2_RECINVSID });
  t.deepEqual([loud.request(3, 0x10), loud.records()], ['ca', ['C_BAD_STE sid 3']]);
});

test('without SMMUEN: requests are unsupported, translated traffic is aborted', (t) => {
  const rig = rigWith();
  rig.request(1, 0x10);
  rig.machine.writeRegister(REG.CR0, 0);
  t.deepEqual([rig.request(1, 0x10), rig.use(1, 0x10)], ['ur', 'abort']);
});

test('an endpoint without ATS sends neither', (t) => {
  const rig = rigWith();
  rig.request(1, 0x10);
  rig.machine.setEndpoint(1, false, true);
  t.deepEqual([rig.request(1, 0x10), rig.use(1, 0x10)], ['none', 'none']);
});

test('ATSCHK = 0: what is in the ATC goes out as it is, whatever the STE says', (t) => {
  const rig = rigWith();
  rig.request(1, 0x10);
  rig.request(2, 0x10);
  rig.restream(1, (words) => setField(words, STE.Config, CONFIG_ABORT));
  rig.command({ op: OP.CFGI_STE_RANGE, range: 31 });
  t.deepEqual([rig.use(1, 0x10), rig.use(2, 0x10), rig.use(1, 0x10, { write: true })], ['900', '900', 'none']);
});

test('ATSCHK = 1: the STE decides', (t) => {
  const rig = rigWith({ cr0: CR0_ATSCHK });
  rig.request(1, 0x10);
  rig.request(2, 0x10);
  t.deepEqual([rig.use(1, 0x10), rig.use(2, 0x10)], ['900', '5000']);
  rig.restream(1, (words) => setField(words, STE.EATS, 0));
  rig.command({ op: OP.CFGI_STE, sid: 1 });
  t.deepEqual([rig.use(1, 0x10), rig.records()], ['F_TRANSL_FORBIDDEN', ['F_TRANSL_FORBIDDEN sid 1 read 0x900000']]);
});

test('split stage: translated traffic meets stage 2 as it is now', (t) => {
  const rig = rigWith({ cr0: CR0_ATSCHK });
  rig.request(2, 0x10);
  rig.clear(rig.descriptor2(0x900, 3));
  rig.command({ op: OP.TLBI_S2_IPA, vmid: 6, frame: 0x900, leaf: 1 });
  t.is(rig.use(2, 0x10), 'F_TRANSLATION s2 class 2 ipa 900');
});

test('S1DSS bypass of a stage-1 stream: identity with every permission', (t) => {
  const rig = rigWith();
  rig.restream(1, (words) => {
    setField(words, STE.S1CDMax, 1);
    setField(words, STE.S1DSS, 1);
  });
  t.is(rig.request(1, 0x77), '77 rw');
});

test('ATC_INV empties the ATC, TLBI and CFGI do not', (t) => {
  const rig = rigWith();
  rig.request(1, 0x10);
  rig.command({ op: OP.TLBI_NSNH_ALL });
  rig.command({ op: OP.CFGI_STE_RANGE, range: 31 });
  t.is(rig.use(1, 0x10), '900');
  rig.command({ op: OP.ATC_INV, sid: 1, frame: 0x10 });
  t.is(rig.use(1, 0x10), 'none');
});

test('flushCaches leaves the ATC', (t) => {
  const rig = rigWith();
  rig.request(1, 0x10);
  rig.machine.flushCaches();
  t.deepEqual(rig.cached().map((e) => `${e.kind} ${e.frame} ${e.target}`), [`atc ${0x10} ${0x900}`]);
});
