/** Reading recordings: what is read, and one sentence for everything that can be wrong with the file. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { CaptureError, readCapture, type CaptureEvent, type ReadLimits } from '../../src/captures/read.js';
import { jsonl, META, writeCapture } from './write.js';

async function readAll(path: string, limits: Partial<ReadLimits> = {}): Promise<CaptureEvent[]> {
  const events: CaptureEvent[] = [];
  for await (const event of readCapture(path, limits)) events.push(event);
  return events;
}

async function failure(t: ExecutionContext, path: string, limits: Partial<ReadLimits> = {}): Promise<string> {
  const e = await t.throwsAsync(readAll(path, limits), { instanceOf: CaptureError });
  t.true(e.message.startsWith(path), e.message);
  t.false(e.message.includes('\n'));
  return e.message.slice(path.length);
}

const THREE = jsonl([META, { ev: 'mark', text: 'ä' }, { ev: 'prod', v: 2 }]);

test('plain and gzip recordings give the same events', async (t) => {
  for (const pack of [false, true]) {
    const events = await readAll(writeCapture('a.jsonl', THREE, pack));
    t.deepEqual(events.map((e) => [e.kind, e.line]), [['meta', 1], ['mark', 2], ['prod', 3]]);
    t.is(events[1]?.text('text'), 'ä');
    t.is(events[2]?.number('v'), 2);
  }
});

test('a last line without a newline counts', async (t) => {
  t.is((await readAll(writeCapture('a.jsonl', THREE.trimEnd()))).length, 3);
});

test('lines that span many chunks are joined', async (t) => {
  const lines = [META, ...Array.from({ length: 20 }, (_, i) => ({ ev: 'mark', text: String(i).repeat(10_000 + i) }))];
  const events = await readAll(writeCapture('a.jsonl', jsonl(lines), true));
  t.deepEqual(events.slice(1).map((e) => e.text('text')), lines.slice(1).map((line) => (line as { text: string }).text));
});

test('events come before a later line is judged', async (t) => {
  const kinds: string[] = [];
  await t.throwsAsync(async () => {
    for await (const e of readCapture(writeCapture('a.jsonl', `${THREE}oops\n`))) kinds.push(e.kind);
  }, { instanceOf: CaptureError });
  t.deepEqual(kinds, ['meta', 'mark', 'prod']);
});

test('a reader can stop early', async (t) => {
  for await (const e of readCapture(writeCapture('a.jsonl', THREE, true))) {
    t.is(e.kind, 'meta');
    break;
  }
});

test('a truncated gzip file is named with the line reached', async (t) => {
  const whole = gzipSync(jsonl([META, ...Array.from({ length: 5000 }, (_, i) => ({ ev: 'prod', v: (i * 7919) % 65536 }))]));
  t.regex(await failure(t, writeCapture('a.jsonl.gz', whole.subarray(0, whole.length - 100))), /^:\d+: the gzip data ends early$/);
  t.regex(await failure(t, writeCapture('b.jsonl.gz', new Uint8Array([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))), /^:1: cannot be unpacked: /);
});

test('lines that are not events are refused', async (t) => {
  const after = (line: string): string => writeCapture('a.jsonl', `${jsonl([META])}${line}\n`);
  t.is(await failure(t, after('{"ev":"map"')), ':2: the line is not JSON (a recording that was cut off?)');
  t.is(await failure(t, after('')), ':2: the line is not JSON (a recording that was cut off?)');
  t.is(await failure(t, after('[1]')), ':2: the line must be a JSON object');
  t.is(await failure(t, after('{"n":1}')), ':2: the line lacks the event\'s kind, a short name in "ev"');
  t.is(await failure(t, after('{"ev":7}')), ':2: the line lacks the event\'s kind, a short name in "ev"');
  t.is(await failure(t, after('{"__proto__":{"ev":"map"}}')), ':2: the line lacks the event\'s kind, a short name in "ev"');
  t.is(await failure(t, after(`{"ev":"${'x'.repeat(100)}"}`)), ':2: the line lacks the event\'s kind, a short name in "ev"');
});

test('the first line must be the meta event of the format', async (t) => {
  const wanted = ':1: the first line must be a "meta" event with "format":"smmu-capture/1"';
  t.is(await failure(t, writeCapture('a.jsonl', jsonl([{ ev: 'mark' }]))), wanted);
  t.is(await failure(t, writeCapture('a.jsonl', jsonl([{ ev: 'meta' }]))), wanted);
  t.is(await failure(t, writeCapture('a.jsonl', jsonl([{ ev: 'meta', format: 'smmu-capture/2' }]))), wanted);
  t.is(await failure(t, writeCapture('a.jsonl', '')), ': the recording is empty: its first line must be a "meta" event');
});

test('long lines and too many lines are refused', async (t) => {
  const long = writeCapture('a.jsonl', jsonl([META, { ev: 'mark', text: 'x'.repeat(2 ** 20) }]), true);
  t.is(await failure(t, long), ':2: the line is longer than 1048576 bytes, the limit');
  t.is(await failure(t, writeCapture('b.jsonl', THREE), { lines: 2 }), ':3: the recording has more than 2 lines, the limit');
  t.is((await readAll(writeCapture('c.jsonl', THREE), { lines: 3 })).length, 3);
});

test('files that cannot be read are named', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'smmucheck-captures-'));
  t.is(await failure(t, dir), ': not a regular file, so it cannot be a recording');
  t.regex(await failure(t, join(dir, 'missing.gz')), /^: cannot be read: ENOENT/);
});

test('fields are checked when they are asked for', async (t) => {
  const odd = { ev: 'wr', a: '0x10', b: 16, c: '12', d: -1, e: '0x20000000000000', f: null, g: ['0xffffffffffffffff', 3], h: ['x'] };
  const e = (await readAll(writeCapture('a.jsonl', jsonl([META, odd]))))[1] as CaptureEvent;
  t.deepEqual([e.number('a'), e.number('b'), e.number('c'), e.numberOr('z', 9)], [16, 16, 12, 9]);
  t.deepEqual([e.word('a'), e.word('e')], [16n, 2n ** 53n]);
  t.deepEqual(e.words('g'), [2n ** 64n - 1n, 3n]);
  for (const key of ['d', 'e', 'f', 'z', 'toString']) {
    t.regex(t.throws(() => e.number(key), { instanceOf: CaptureError }).message, /:2: in the "wr" event "\w+" must be a number/);
  }
  t.throws(() => e.words('h'), { instanceOf: CaptureError, message: /"h" must hold 64-bit words/ });
  t.throws(() => e.words('a'), { instanceOf: CaptureError, message: /"a" must be an array/ });
  t.throws(() => e.text('b'), { instanceOf: CaptureError, message: /"b" must be a string/ });
});
