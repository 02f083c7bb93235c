/** What the stores of a sequence are stores to, by where registers and the words stored before put the structures. */
import test from 'ava';
import { changeStores, Places, type PlaceKind, type Store } from '../../src/conform/places.js';
import { setField } from '../../src/spec/bits.js';
import { l1High, l1stdLow } from '../../src/spec/level1.js';
import { queueBase, REG, strtabLinear, strtabTwoLevel } from '../../src/spec/register.js';
import { CONFIG_S1, STE } from '../../src/spec/ste.js';
import type { Boot, MachineOperation } from '../../src/stack/machine-world.js';

const RAM = 0x100000000;
const STREAMS = RAM;
const SECOND = RAM + 0x1000;
const COMMANDS = RAM + 0x3000;
const EVENTS = RAM + 0x6000;
const CDS = RAM + 0x8000;
const TABLES = RAM + 0x10000;

const boot = (change: Partial<Boot> = {}): MachineOperation => ({
  op: 'boot', smmu: 0, boot: { streams: STREAMS, streamsLog2: 5, split: 0, commands: COMMANDS, commandsLog2: 4, events: EVENTS, eventsLog2: 7, extra: 0, e2h: false, recordUnknown: true, recordAts: false, atsChk: false, vmw: 0, skip: [], ...change },
});
const store = (at: number, lo = 0, hi = 0): Store => ({ op: 'store', at, lo, hi, held: false });
const register = (offset: number, value: number): MachineOperation => ({ op: 'register', smmu: 0, offset, value });

/** Word 0 of an STE that points to a CD. */
function ste(at: number, cd: number): Store {
  const words = new Uint32Array(2);
  setField(words, STE.V, 1);
  setField(words, STE.Config, CONFIG_S1);
  setField(words, STE.S1ContextPtr, cd / 64);
  return store(at, words[0], words[1]);
}

const l1std = (at: number, table: number, span: number): Store => store(at, l1stdLow(table, span), l1High(table));

function kinds(operations: readonly MachineOperation[], addresses: readonly number[]): PlaceKind[] {
  const places = new Places(operations);
  return addresses.map((at) => places.kindOf(store(at)));
}

function streams(operations: readonly MachineOperation[], addresses: readonly number[]): number[] {
  const places = new Places(operations);
  return addresses.map((at) => places.streamOf(store(at)));
}

test('a linear stream table: its STEs up to its size, each of its StreamID', (t) => {
  t.deepEqual(kinds([boot()], [STREAMS, STREAMS + 32 * 64 - 8, STREAMS + 32 * 64]), ['ste', 'ste', 'descriptor']);
  t.deepEqual(streams([boot()], [STREAMS, STREAMS + 56, STREAMS + 64, STREAMS + 31 * 64 + 8, STREAMS + 32 * 64, CDS]), [0, 0, 1, 31, -1, -1]);
});

test('queues, and what is nothing else is a descriptor', (t) => {
  t.deepEqual(kinds([boot()], [COMMANDS - 8, COMMANDS, COMMANDS + 16 * 16 - 8, COMMANDS + 16 * 16, EVENTS, EVENTS + 128 * 32 - 8, EVENTS + 128 * 32, TABLES]),
    ['descriptor', 'queue', 'queue', 'descriptor', 'queue', 'queue', 'descriptor', 'descriptor']);
});

test('a CD stands where an STE says, 64 bytes of it', (t) => {
  const operations = [ste(STREAMS + 3 * 64, CDS + 128), boot()];
  t.deepEqual(kinds(operations, [CDS + 120, CDS + 128, CDS + 184, CDS + 192]), ['descriptor', 'cd', 'cd', 'descriptor']);
  t.deepEqual(streams(operations, [CDS + 128]), [-1]);
});

test('every CD that an STE has pointed to, and none of a word that is not the first or of no STE', (t) => {
  const operations = [boot(), ste(STREAMS, CDS), ste(STREAMS, CDS + 64), ste(STREAMS + 64, CDS), ste(STREAMS + 8, CDS + 128), ste(TABLES, CDS + 192)];
  t.deepEqual(kinds(operations, [CDS, CDS + 64, CDS + 128, CDS + 192]), ['cd', 'cd', 'descriptor', 'descriptor']);
  t.is(kinds([boot(), store(STREAMS, 1)], [0])[0], 'descriptor', 'a pointer that is zero points to nothing');
});

test('two levels: level-1 descriptors, and the STEs of the tables that they name', (t) => {
  const operations = [l1std(STREAMS, SECOND, 6), l1std(STREAMS + 8, SECOND + 0x1000, 5), boot({ split: 6, streamsLog2: 8 })];
  t.deepEqual(kinds(operations, [STREAMS, STREAMS + 24, STREAMS + 32, SECOND, SECOND + 32 * 64, SECOND + 0x1000, SECOND + 0x1000 + 16 * 64]),
    ['l1std', 'l1std', 'descriptor', 'ste', 'descriptor', 'ste', 'descriptor']);
  t.deepEqual(streams(operations, [STREAMS, SECOND, SECOND + 31 * 64 + 8, SECOND + 0x1000, SECOND + 0x1000 + 8 * 64]), [-1, 0, 31, 64, 72]);
});

test('two levels: CDs of streams behind a level-1 descriptor', (t) => {
  const operations = [boot({ split: 6, streamsLog2: 8 }), l1std(STREAMS + 8, SECOND, 5), ste(SECOND + 64, CDS)];
  t.deepEqual(kinds(operations, [CDS, CDS + 64]), ['cd', 'descriptor']);
});

test('two levels: a larger split', (t) => {
  const operations = [boot({ split: 8, streamsLog2: 10 }), l1std(STREAMS + 16, SECOND, 1)];
  t.deepEqual(streams(operations, [SECOND, SECOND + 64]), [512, -1]);
  t.deepEqual(kinds(operations, [STREAMS + 24, STREAMS + 32]), ['l1std', 'descriptor']);
});

test('a level-1 descriptor that is taken away leaves its STEs what they were', (t) => {
  const operations = [boot({ split: 6, streamsLog2: 8 }), l1std(STREAMS, SECOND, 2), store(STREAMS)];
  t.deepEqual(streams(operations, [SECOND, SECOND + 64, SECOND + 128]), [0, 1, -1]);
});

test('tables that become larger where they stand', (t) => {
  const grown = [boot({ split: 6, streamsLog2: 8 }), l1std(STREAMS, SECOND, 2), l1std(STREAMS, SECOND, 3)];
  t.deepEqual(streams(grown, [SECOND + 3 * 64, SECOND + 4 * 64]), [3, -1]);
  const shrunk = [boot({ split: 6, streamsLog2: 8 }), l1std(STREAMS, SECOND, 3), l1std(STREAMS, SECOND, 2)];
  t.deepEqual(streams(shrunk, [SECOND + 3 * 64]), [3]);
});

test('registers say where the stream table stands, in any order', (t) => {
  const base = register(REG.STRTAB_BASE, STREAMS);
  const cfg = register(REG.STRTAB_BASE_CFG, strtabLinear(3));
  for (const operations of [[base, cfg], [cfg, base]]) {
    t.deepEqual(streams(operations, [STREAMS, STREAMS + 7 * 64, STREAMS + 8 * 64]), [0, 7, -1]);
  }
  t.deepEqual(kinds([base], [STREAMS]), ['descriptor'], 'one alone says nothing');
});

test('registers say that it has two levels', (t) => {
  const operations = [register(REG.STRTAB_BASE, STREAMS), register(REG.STRTAB_BASE_CFG, strtabTwoLevel(8, 6)), l1std(STREAMS + 8, SECOND, 5), ste(SECOND + 128, CDS)];
  t.deepEqual(kinds(operations, [STREAMS, STREAMS + 24, STREAMS + 32, SECOND, CDS]), ['l1std', 'l1std', 'descriptor', 'ste', 'cd']);
  t.deepEqual(streams(operations, [SECOND + 128]), [66]);
});

test('registers say where queues stand', (t) => {
  const operations = [register(REG.CMDQ_BASE, queueBase(COMMANDS, 4)), register(REG.EVENTQ_BASE, queueBase(EVENTS, 4))];
  t.deepEqual(kinds(operations, [COMMANDS, COMMANDS + 256, EVENTS + 256, EVENTS + 512]), ['queue', 'descriptor', 'queue', 'descriptor']);
});

test('a second stream table stands beside the first', (t) => {
  const operations = [boot(), register(REG.STRTAB_BASE, TABLES), register(REG.STRTAB_BASE_CFG, strtabLinear(2))];
  t.deepEqual(streams(operations, [STREAMS + 64, TABLES + 64, TABLES + 4 * 64]), [1, 1, -1]);
});

test('changeStores: stores of one kind, with the index of their word', (t) => {
  const operations: MachineOperation[] = [ste(STREAMS + 64, CDS), store(CDS + 24, 5), store(TABLES + 24, 5), boot(), { op: 'barrier' }, store(CDS, 6), store(STREAMS + 3 * 64 + 40, 7)];
  const seen: [number, number][] = [];
  const changed = changeStores(operations, 'cd', (s, word) => {
    seen.push([s.at, word]);
    return { ...s, hi: 9 };
  });
  t.deepEqual(seen, [[CDS + 24, 3], [CDS, 0]]);
  t.deepEqual(changed, operations.map((op) => (op.op === 'store' && op.at >= CDS && op.at < CDS + 64 ? { ...op, hi: 9 } : op)));
  changeStores(operations, 'ste', (s, word) => {
    seen.push([s.at, word]);
    return s;
  });
  t.deepEqual(seen.slice(2), [[STREAMS + 64, 0], [STREAMS + 3 * 64 + 40, 5]]);
});
