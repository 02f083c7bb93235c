/** The text form of system cases: what was written is read again, and everything that can be wrong is one sentence with its place. */
import test from 'ava';
import { CaseError } from '../../src/operations/case.js';
import { decodeStored } from '../../src/operations/stored.js';
import { systemCaseId, type SystemCase } from '../../src/operations/system-case.js';
import { decodeSystemCase, encodeSystemCase } from '../../src/operations/system-codec.js';
import { SystemGenerator } from '../../src/operations/system-generate.js';
import { SYSTEM_PROFILES } from '../../src/operations/system-profiles.js';
import { SystemIntent } from '../../src/reference/driver/system-intent.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import type { SystemOperation } from '../../src/stack/system.js';

/** A drawn world with drawn operations; those that are refused are as good as others here. */
function drawn(profile: number, seed: string): SystemCase {
  const chooser = new RandomChooser(seed);
  const { world, mix } = (SYSTEM_PROFILES[profile] as (typeof SYSTEM_PROFILES)[number]).draw(chooser);
  const intent = new SystemIntent(world);
  const generator = new SystemGenerator(world, mix, chooser);
  const operations = Array.from({ length: 80 }, (): SystemOperation => {
    const op = generator.next(intent);
    intent.finish(op, intent.begin(op).code);
    return op;
  });
  return { schema: 1, kind: 'system', world, subject: { parts: {} }, operations, expect: { verdict: 'ok' }, provenance: { seed } };
}

test('equal cases are equal texts, and what was written is read again', (t) => {
  for (let profile = 0; profile < SYSTEM_PROFILES.length; profile += 1) {
    for (const seed of ['a', 'b', 'c', 'd']) {
      const c = drawn(profile, seed);
      const text = encodeSystemCase(c);
      const read = decodeSystemCase(text, 'x.json');
      t.deepEqual(read, c);
      t.is(encodeSystemCase(read), text);
      t.is(systemCaseId(read), systemCaseId(c));
      t.deepEqual(decodeStored(text, 'x.json'), c);
    }
  }
});

const SMALL: SystemCase = {
  schema: 1, kind: 'system', subject: { parts: {} }, expect: { verdict: 'ok' }, provenance: {},
  world: {
    base: {
      smmus: [{ range: true, asidBits: 8, asidMax: 3, queueLog2: 4, eventLog2: 2, tlbEntries: 4 }], devices: [{ smmu: 0, streams: [1] }],
      domains: [{ mode: 'strict', managed: false, gather: 'sva' }, { mode: 'strict', managed: false }], inputBits: 39, flushQueue: 2, storeOrder: 'fifo',
    },
    smmus: [{ stage2: { vmidBits: 8, vmidMax: 2 }, ats: true }], devices: [{ ats: true }], domains: [{}, { stage: 2, parent: true }], vsmmus: [{ smmu: 0, parent: 1 }], guestFrames: 4,
  },
  operations: [{ op: 'attach-nested', device: 0, vsmmu: 0, ste: [1, 0, 0, 0] }, { op: 'guest-commands', vsmmu: 0, words: [0x30, 0, 0, 0] }, { op: 'transact', device: 0, stream: 0, ssid: -1, iova: 4096, write: true, ats: 'request' }],
};

const WRONG: readonly (readonly [from: string, to: string, says: string])[] = [
  ['"vmidMax":2', '"vmidMax":256', 'world.beyond.smmus[0].stage2.vmidMax must be an integer from 1 to 255'],
  ['"vmidMax":2', '"vmidMax":0', 'must be an integer from 1 to 255'],
  ['"stage":2,"parent":true', '"parent":true', 'world.beyond.domains[1].parent must be absent unless "stage" is 2'],
  ['"domains":[{},{"stage":2,"parent":true}]', '"domains":[{"stage":2},{"stage":2,"parent":true}]', 'must be absent for a domain of gather style "sva"'],
  ['"domains":[{},{"stage":2,"parent":true}]', '"domains":[{}]', 'world.beyond.domains must have 2 to 2 entries'],
  ['"parent":1}', '"parent":2}', 'world.beyond.vsmmus[0].parent must be an integer from 0 to 1'],
  ['"guestFrames":4', '"guestFrames":65', 'must be an integer from 0 to 64'],
  ['"guestFrames":4', '"guestFrames":4,"__proto__":1', 'must not have the key __proto__'],
  ['"tlbEntries":4', '"tlbEntries":4,"coherent":false', 'must not have SMMUs that do not look into the CPU caches'],
  ['["0x30","0x0"]', '["0x30"]', 'must have two 64-bit words for each command'],
  ['["0x1","0x0"]', '["0x1"]', 'operations[0].ste must have 2 to 2 entries'],
  ['"ssid":-1', '"ssid":-2', 'operations[2].ssid must be an integer from -1 to 1048575'],
  ['"ats":"request"', '"ats":"maybe"', 'operations[2].ats must be "no" or "request" or "translated"'],
  ['"op":"transact"', '"op":"translate"', 'operations[2].op must be'],
  ['"op":"transact"', '"op":"mm-exit"', 'has the unknown key'],
  ['"kind": "system"', '"kind": "driver"', 'the case'],
];

test('what is wrong is told in one sentence with its place', (t) => {
  const text = encodeSystemCase(SMALL);
  t.deepEqual(decodeSystemCase(text, 'x.json'), SMALL);
  for (const [from, to, says] of WRONG) {
    t.true(text.includes(from), from);
    const error = t.throws(() => decodeStored(text.replace(from, to), 'x.json'), { instanceOf: CaseError }, to);
    t.true(error.message.startsWith('x.json: ') && (error.message.includes(says) || says === 'the case'), `${to}: ${error.message}`);
  }
});
