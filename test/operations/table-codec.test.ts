/** Table cases as text: what is written reads back as it was, and hostile text is refused with a sentence that says where. */
import test from 'ava';
import { generateTableRun } from '../../src/operations/table-generate.js';
import { CaseError } from '../../src/operations/case.js';
import { decodeStored, encodeStored, storedId } from '../../src/operations/stored.js';
import type { TableCase } from '../../src/operations/table-case.js';
import { decodeTableCase, encodeTableCase } from '../../src/operations/table-codec.js';
import { geometryProblem } from '../../src/operations/table-shape.js';
import { TABLE_PROFILES } from '../../src/operations/table-worlds.js';
import { geometryFault, shapeOf } from '../../src/optimised/tables/geometry.js';
import { startLevelOf } from '../../src/operations/table-shape.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import { TABLE_LIMITS } from '../../src/stack/page-table.js';

function caseOf(seed: string, profile = 0): TableCase {
  const { world, operations } = generateTableRun(new RandomChooser(seed), TABLE_PROFILES[profile % TABLE_PROFILES.length] as (typeof TABLE_PROFILES)[number]);
  return { schema: 1, kind: 'tables', world, subject: { parts: {} }, operations, expect: { verdict: 'ok' }, provenance: { seed } };
}

test('what is written reads back as it was, with the same name', (t) => {
  for (let i = 0; i < 40; i += 1) {
    const c = caseOf(`codec ${i}`, i);
    const text = encodeTableCase(c);
    t.deepEqual(decodeTableCase(text, 'x'), c);
    const stored = decodeStored(text, 'x');
    t.is(stored.kind, 'tables');
    t.is(storedId(stored), storedId(c));
    t.is(encodeStored(stored), text);
  }
});

test('every world that is drawn is one that the library can have', (t) => {
  for (let i = 0; i < 400; i += 1) {
    const { geometry } = caseOf(`world ${i}`, i).world;
    t.is(geometryProblem(geometry), null);
    t.is(geometryFault(geometry), undefined, JSON.stringify(geometry));
    t.is(shapeOf(geometry).startLevel, startLevelOf(geometry), JSON.stringify(geometry));
  }
});

const GOOD = {
  schema: 1, kind: 'tables', world: { geometry: { tg: 12, stage: 1, inputBits: 39, outputBits: 44 } }, operations: [] as unknown[], expect: { verdict: 'ok' }, provenance: {},
};

function refused(change: object): string {
  try {
    decodeTableCase(JSON.stringify({ ...GOOD, ...change }), 'file');
  } catch (error) {
    if (error instanceof CaseError) return error.message;
    throw error;
  }
  return 'accepted';
}

const geometry = (change: object): object => ({ world: { geometry: { ...GOOD.world.geometry, ...change } } });
const operation = (op: object): object => ({ operations: [op] });

const BAD: readonly (readonly [object, RegExp])[] = [
  [geometry({ tg: 13 }), /world\.geometry\.tg must be 12 or 14 or 16/],
  [geometry({ inputBits: 49 }), /is no world: inputBits must be 16 to 48/],
  [geometry({ inputBits: 1e9 }), /inputBits must be an integer from 1 to 64/],
  [geometry({ outputBits: 41 }), /outputBits must be one of 36, 40/],
  [geometry({ outputBits: 52 }), /more than 48 bits need the 64K granule or ds/],
  [geometry({ tg: 16, ds: true }), /64K has none/],
  [geometry({ stage: 2, half: 'upper' }), /stage 2 has no upper half/],
  [{ world: { ...GOOD.world, coherent: false, geometry: { ...GOOD.world.geometry, dirty: true } } }, /dirty tracking needs a coherent walker/],
  [{ world: { ...GOOD.world, cleaner: 'bleach' } }, /cleaner must be "eager"/],
  [{ world: { ...GOOD.world, eviction: { oneIn: -1, seed: 0 } } }, /eviction\.oneIn must be an integer from 0/],
  [{ subject: { parts: { planner: 'x' } } }, /subject\.parts has the unknown key "planner"/],
  [operation({ op: 'remap' }), /operations\[0\]\.op must be/],
  [operation({ op: 'map', iova: '0x0' }), /operations\[0\] lacks the key "pa"/],
  [operation({ op: 'map', iova: -4096, pa: 0, pageSize: 4096, count: 1, prot: 'rw' }), /operations\[0\]\.iova must be a hexadecimal string/],
  [operation({ op: 'map', iova: 0, pa: 0, pageSize: 4096, count: TABLE_LIMITS.entries + 1, prot: 'rw' }), /count must be an integer from 0 to 262144/],
  [operation({ op: 'map-sg', iova: 0, pieces: [[1]], prot: 'rw' }), /pieces\[0\] must have 2 to 2 entries/],
  [operation({ op: 'map-sg', iova: 0, pieces: Array.from({ length: TABLE_LIMITS.pieces + 1 }, () => [0, 4096]), prot: 'rw' }), /pieces must have 0 to 4096 entries/],
  [operation({ op: 'together', calls: [{ op: 'sync' }], order: '' }), /calls must have 2 to 2 entries/],
  [operation({ op: 'together', calls: [{ op: 'sync' }, { op: 'together', calls: [], order: '' }], order: '' }), /calls\[1\]\.op must be/],
  [operation({ op: 'together', calls: [{ op: 'sync' }, { op: 'sync' }], order: '012' }), /order must be a text of the digits 0 and 1/],
  [operation({ op: 'together', calls: [{ op: 'sync' }, { op: 'sync' }], order: '0'.repeat(TABLE_LIMITS.order + 1) }), /order must not be longer than 4096/],
  [operation({ op: 'evict', line: 1.5 }), /line must be an integer/],
  [{ kind: 'table' }, /kind must be "tables"/],
];

test('hostile text is refused with the place', (t) => {
  t.is(refused({}), 'accepted');
  for (const [change, message] of BAD) t.regex(refused(change), message);
});
