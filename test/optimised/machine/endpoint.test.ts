/** The endpoints' translation caches: what fits a lookup, and what ATC_INV takes away (IHI 0070 §3.9.1, §4.5.1). */
import test, { type ExecutionContext } from 'ava';
import { newCommand, OP, type Command } from '../../../src/spec/command.js';
import { newCachedEntry } from '../../../src/stack/transaction.js';
import { Endpoints } from '../../../src/optimised/machine/endpoint.js';

/** Endpoints of streams 3 and 4 with ATS on. */
function enabled(): Endpoints {
  const e = new Endpoints();
  e.set(3, true, true);
  e.set(4, true, true);
  return e;
}

function invalidate(e: Endpoints, fields: Partial<Command>): boolean {
  return e.execute({ ...newCommand(), op: OP.ATC_INV, sid: 3, ...fields });
}

/** One readable and writable page of stream 3 at `frame`. */
function page(e: Endpoints, frame: number, ssid = -1, sid = 3): void {
  e.insert(sid, ssid, frame, 1, frame + 0x1000, true, true);
}

/** Which of these frames stream 3 still has. */
function left(e: Endpoints, frames: readonly number[], ssid = -1): number[] {
  return frames.filter((frame) => e.lookup(3, ssid, frame, false) >= 0);
}

function target(t: ExecutionContext, e: Endpoints, frame: number, write = false): number {
  const entry = e.lookup(3, -1, frame, write);
  t.true(entry >= 0);
  return e.target(entry, frame);
}

test('an entry answers for its whole span, and not beyond', (t) => {
  const e = enabled();
  e.insert(3, -1, 0x40, 16, 0x900, true, false);
  t.deepEqual([left(e, [0x3f, 0x40, 0x4f, 0x50]), target(t, e, 0x47)], [[0x40, 0x4f], 0x907]);
});

test('any frame of the span may be given, with where that frame goes', (t) => {
  const e = enabled();
  e.insert(3, -1, 0x45, 16, 0x905, true, false);
  t.deepEqual([left(e, [0x3f, 0x40, 0x4f, 0x50]), target(t, e, 0x40)], [[0x40, 0x4f], 0x900]);
});

test('spans and targets beyond 32 bits are exact', (t) => {
  const e = enabled();
  e.insert(3, -1, 2 ** 51 + 2 ** 18, 2 ** 18, 2 ** 39 + 2 ** 18, true, false);
  t.is(target(t, e, 2 ** 51 + 2 ** 18 + 12345), 2 ** 39 + 2 ** 18 + 12345);
});

for (const [name, read, write] of [['read only', true, false], ['write only', false, true], ['nothing', false, false]] as const) {
  test(`permissions: ${name}`, (t) => {
    const e = enabled();
    e.insert(3, -1, 0x40, 1, 0x900, read, write);
    t.deepEqual([e.lookup(3, -1, 0x40, false) >= 0, e.lookup(3, -1, 0x40, true) >= 0], [read, write]);
  });
}

test('an entry is found with its own StreamID and PASID only', (t) => {
  const e = enabled();
  page(e, 0x40, 7);
  t.deepEqual([[3, 7], [3, -1], [3, 8], [4, 7]].map(([sid, ssid]) => e.lookup(sid as number, ssid as number, 0x40, false) >= 0), [true, false, false, false]);
});

test('the same span again replaces what was there', (t) => {
  const e = enabled();
  e.insert(3, -1, 0x40, 1, 0x900, true, true);
  e.insert(3, -1, 0x40, 1, 0xa00, true, false);
  let count = 0;
  e.forEach(newCachedEntry(), () => { count += 1; });
  t.deepEqual([target(t, e, 0x40), e.lookup(3, -1, 0x40, true), count], [0xa00, -1, 1]);
});

test('a full cache gives up its oldest entry', (t) => {
  const e = enabled();
  const frames = Array.from({ length: 100 }, (_, i) => i);
  for (const frame of frames) page(e, frame);
  t.deepEqual(left(e, frames), frames.slice(36));
});

test('forEach describes entries', (t) => {
  const e = enabled();
  e.insert(4, 9, 0x40, 16, 0x900, true, false);
  const seen: unknown[] = [];
  e.forEach(newCachedEntry(), ({ kind, sid, ssid, frame, frames, target: to, canRead, canWrite }) => seen.push({ kind, sid, ssid, frame, frames, to, canRead, canWrite }));
  t.deepEqual(seen, [{ kind: 'atc', sid: 4, ssid: 9, frame: 0x40, frames: 16, to: 0x900, canRead: true, canWrite: false }]);
});

/** Software's range [address, size), and the command for it: Address and Size (bytes). */
const SIZES: readonly { readonly from: number; readonly bytes: number; readonly address: number; readonly size: number }[] = [
  { from: 0x1000, bytes: 0x1000, address: 0x1000, size: 0 },
  { from: 0x8000, bytes: 0x4000, address: 0x8000, size: 2 },
  { from: 0x7000, bytes: 0x4000, address: 0, size: 4 },
  { from: 0, bytes: 0x200000, address: 0, size: 9 },
  { from: 0x1ff000, bytes: 0x2000, address: 0, size: 10 },
  { from: 0xfff, bytes: 2, address: 0, size: 1 },
  { from: 0, bytes: 2 ** 48, address: 0, size: 36 },
];

for (const { from, bytes, address, size } of SIZES) {
  test(`range 0x${from.toString(16)} of 0x${bytes.toString(16)} bytes: Address 0x${address.toString(16)}, Size ${size}`, (t) => {
    const e = enabled();
    const first = Math.floor(from / 4096);
    const last = Math.floor((from + bytes - 1) / 4096);
    const span = 2 ** size;
    const start = address / 4096;
    const inside = [first, last, start, start + span - 1];
    const outside = [start + span, ...(start > 0 ? [start - 1] : [])];
    for (const frame of [...inside, ...outside]) page(e, frame);
    invalidate(e, { frame: start, size });
    t.deepEqual(left(e, [...inside, ...outside]), outside);
  });
}

test('Address is aligned down to the span: what lies beyond the aligned span stays', (t) => {
  const e = enabled();
  for (const frame of [3, 4, 7, 8, 9]) page(e, frame);
  invalidate(e, { frame: 7, size: 2 });
  t.deepEqual(left(e, [3, 4, 7, 8, 9]), [3, 8, 9]);
});

test('Size = 52 is everything, whatever Address says', (t) => {
  const e = enabled();
  for (const frame of [0, 2 ** 36, 2 ** 52 - 1]) page(e, frame);
  invalidate(e, { frame: 5, size: 52 });
  t.deepEqual(left(e, [0, 2 ** 36, 2 ** 52 - 1]), []);
});

test('Size = 51 is one half of the address space', (t) => {
  const e = enabled();
  for (const frame of [0, 2 ** 52 - 1]) page(e, frame);
  invalidate(e, { frame: 2 ** 51 + 5, size: 51 });
  t.deepEqual(left(e, [0, 2 ** 52 - 1]), [0]);
});

test('an entry goes when the span meets it anywhere', (t) => {
  const e = enabled();
  e.insert(3, -1, 0x200, 512, 0x8000, true, true);
  invalidate(e, { frame: 0x3ff, size: 0 });
  t.is(e.lookup(3, -1, 0x200, false), -1);
});

/** [name, command, does the entry go: without PASID, PASID 7, PASID 8]. */
const PASIDS: readonly (readonly [string, Partial<Command>, readonly [boolean, boolean, boolean]])[] = [
  ['SSV = 0: all of them', { ssv: 0 }, [true, true, true]],
  ['SSV = 0, G is ignored', { ssv: 0, global: 1 }, [true, true, true]],
  ['SSV = 0, SubstreamID is ignored', { ssv: 0, ssid: 8 }, [true, true, true]],
  ['SSV = 1: that PASID', { ssv: 1, ssid: 7 }, [false, true, false]],
  ['SSV = 1, G = 1: every PASID', { ssv: 1, ssid: 7, global: 1 }, [false, true, true]],
];

for (const [name, command, gone] of PASIDS) {
  test(name, (t) => {
    const e = enabled();
    for (const ssid of [-1, 7, 8]) page(e, 0x40, ssid);
    invalidate(e, { frame: 0x40, ...command });
    t.deepEqual([-1, 7, 8].map((ssid) => left(e, [0x40], ssid).length === 0), gone);
  });
}

test('G = 1 keeps to the range', (t) => {
  const e = enabled();
  page(e, 0x40, 7);
  page(e, 0x41, 8);
  invalidate(e, { frame: 0x41, ssv: 1, global: 1 });
  t.deepEqual([left(e, [0x40], 7), left(e, [0x41], 8)], [[0x40], []]);
});

test('another stream keeps its entries', (t) => {
  const e = enabled();
  page(e, 0x40, -1, 4);
  invalidate(e, { frame: 0x40, size: 52 });
  t.true(e.lookup(4, -1, 0x40, false) >= 0);
});

test('an endpoint that does not answer: timeout, nothing goes', (t) => {
  const e = enabled();
  page(e, 0x40);
  e.set(3, true, false);
  t.deepEqual([invalidate(e, { size: 52 }), left(e, [0x40])], [false, [0x40]]);
});

test('ATS disabled: Unsupported Request completes, nothing goes', (t) => {
  const e = enabled();
  page(e, 0x40);
  e.set(3, false, true);
  t.deepEqual([invalidate(e, { size: 52 }), left(e, [0x40])], [true, [0x40]]);
});

test('an endpoint that answers completes', (t) => {
  t.true(invalidate(enabled(), { size: 52 }));
});

test('an endpoint that was never set up has ATS disabled and answers', (t) => {
  const e = new Endpoints();
  t.deepEqual([e.ats(9), invalidate(e, { sid: 9 })], [false, true]);
});

test('`ats` is what was set', (t) => {
  const e = enabled();
  e.set(4, false, true);
  t.deepEqual([e.ats(3), e.ats(4)], [true, false]);
});

test('other commands do not concern endpoints', (t) => {
  const e = enabled();
  page(e, 0x40);
  t.deepEqual([e.execute({ ...newCommand(), op: OP.TLBI_NSNH_ALL, sid: 3 }), left(e, [0x40])], [true, [0x40]]);
});
