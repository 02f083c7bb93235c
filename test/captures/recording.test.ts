/** Recordings as typed lines: both vocabularies, and one sentence with the line for whatever is wrong with a file. */
import test, { type ExecutionContext } from 'ava';
import { CaptureError, type ReadLimits } from '../../src/captures/read.js';
import { readRecording } from '../../src/captures/recording.js';
import type { Recorded } from '../../src/captures/recorded.js';
import { writeCapture, type Line } from './write.js';

async function all(path: string, limits: Partial<ReadLimits> = {}): Promise<Recorded[]> {
  const out: Recorded[] = [];
  for await (const batch of readRecording(path, limits)) out.push(...batch);
  return out;
}

const META: Line = { ev: 'meta', format: 'smmu-capture/1' };
const END: Line = { ev: 'selfcheck', mismatch: 0 };

function file(lines: readonly Line[]): string {
  return writeCapture('r.jsonl', lines.map((l, n) => `${JSON.stringify({ n, ...l })}\n`).join(''));
}

async function refused(t: ExecutionContext, path: string, says: RegExp): Promise<void> {
  const e = await t.throwsAsync(all(path), { instanceOf: CaptureError });
  t.true(e.message.startsWith(`${path}:`), e.message);
  t.false(e.message.includes('\n'));
  t.regex(e.message.slice(path.length), says);
}

const bad = (line: Line): string => file([META, line, END]);

test('words are halves, low first; numbers are checked', async (t) => {
  const [, wr] = await all(file([META, { cpu: 2, ev: 'wr', to: 'pt', pa: '0x1000', v: ['0x1', '0x123456789abcdef0'] }, END]));
  t.deepEqual(wr, { line: 2, cpu: 2, name: 'wr', what: { kind: 'store', to: 'pt', pa: 0x1000, words: [1, 0, 0x9abcdef0, 0x12345678] } });
});

for (const [what, line, says] of [
  ['a store to nowhere', { ev: 'wr', to: 'xx', pa: '0x0', v: [] }, /^:2: in the "wr" event "to" must be one of pt, ste, cd and l1$/],
  ['an odd address', { ev: 'wr', to: 'pt', pa: '0x4', v: ['0x1'] }, /"pa" must be a multiple of 8/],
  ['a word that is none', { ev: 'wr', to: 'pt', pa: '0x8', v: ['zz'] }, /"v" must hold 64-bit words as hexadecimal strings/],
  ['too many words', { ev: 'wr', to: 'pt', pa: '0x8', v: Array.from({ length: 4097 }, () => '0x1') }, /"v" has more than 4096 words/],
  ['a huge memset', { ev: 'fill', to: 'pt', pa: '0x0', len: 2 ** 23, v: 0 }, /"len" is larger than/],
  ['a huge table', { ev: 'ste.init', pa: '0x0', count: 1e6, v: [] }, /"count" is larger than/],
  ['half an entry', { ev: 'ste.init', pa: '0x0', count: 1, v: ['0x1'] }, /"v" must be the eight words of an entry/],
  ['an unaligned map', { ev: 'map', pt: 'a', iova: '0x10', pa: '0x0', pgsize: '0x1000', count: 1 }, /multiples of 4096/],
  ['a range beyond all bounds', { ev: 'map', pt: 'a', iova: '0x0', pa: '0x0', pgsize: '0x1000', count: 2 ** 45 }, /"count" is larger than 4194304/],
  ['a range beyond the last address', { ev: 'map', pt: 'a', iova: '0x1ffffffffff000', pa: '0x0', pgsize: '0x1000', count: 2 }, /beyond 2\^53/],
  ['a command of three words', { ev: 'cmd', idx: 0, op: 'SYNC', raw: ['0x46'] }, /"raw" must be two 64-bit words/],
  ['a name with surprises', { ev: 'call', f: 'a\u001b[2J' }, /"f" must be a short name/],
  ['an unknown fault', { ev: 'fault', sid: 0, type: 'toString' }, /"type" must be the name of an SMMU event/],
  ['a walk that is none', { ev: 'xlat', sid: 0, iova: '0x0', pa: '0x0', walk: [['0x1']] }, /"walk" must be pairs of hexadecimal strings/],
  ['a deep walk', { ev: 'xlat', sid: 0, iova: '0x0', pa: '0x0', walk: Array.from({ length: 99 }, () => ['0x0', '0x0']) }, /"walk" must be at most 16 pairs/],
  ['a recorder that disagrees with itself', { ev: 'selfcheck', mismatch: 3 }, /contradicts what it saw/],
  ['a second beginning', { ...META }, /a second beginning was found/],
] as const) test(`refused: ${what}`, (t) => refused(t, bad(line as Line), says));

test('lines that are missing, out of order, unnumbered or cut off', async (t) => {
  await refused(t, file([META, { n: 2, ev: 'mark', text: '' }, END]), /^:2: event 2 follows event 0: lines are missing$/);
  await refused(t, file([META, { ev: 'mark', text: '' }, { n: 0, ev: 'mark', text: '' }]), /^:3: event 0 follows event 1: the lines are out of order$/);
  await refused(t, writeCapture('r.jsonl', `${JSON.stringify({ n: 0, ...META })}\n{"ev":"mark"}\n`), /^:2: .*"n", the number of the event, is missing$/);
  await refused(t, file([META, { ev: 'mark', text: '' }]), /^:2: the recording ends without "selfcheck", its last line: it was cut off$/);
  t.is((await all(file([{ ...META, source: 'ftrace' }, { ev: 'mark', text: '' }]))).length, 2);
});

const TEXT = `# tracer: nop
#
# entries-in-buffer/entries-written: 4/4   #P:1
   kworker/u4:0-12 [000] dl...  2.206305: issue: (f+0x0/0xb10) n=2 sync=1
   kworker/u4:0-12 [000] dl...  2.207263: cw: (f+0x0/0x138) prod=0x0 n=2 c={0x3000000012,0xffe00701,0x4,0x1f,0x0,0x0,0x0,0xfff0000005538410}
   kworker/u4:0-12 [001] dl.1.  2.208000: pt_unmap: (f+0x0/0xf0) ops=0xfff0 iova=0xc000 pgsize=0x1000 cnt=0x2
   kworker/u4:0-12 [001] ...2.  2.208001: tracing_mark_write: M: one two   task-x-161 [000] d.... 20.058: pt_unmap_ret: (a <- b) ret=0x2000
   kworker/u4:0-12 [001] ...2.  2.208001: made_up: (f) x=1
`;

test('the text of tracefs: the same lines, with the SYNC that is implied', async (t) => {
  const lines = await all(writeCapture('trace.txt', TEXT));
  t.deepEqual(lines.map((r) => [r.line, r.cpu, r.what.kind]), [
    [0, -1, 'meta'], [4, 0, 'issue'], [5, 0, 'cmd'], [5, 0, 'cmd'], [5, 0, 'cmd'], [6, 1, 'unmap'], [7, 1, 'mark'], [7, 0, 'unmap.ret'], [8, 1, 'unknown'],
  ]);
  t.deepEqual(lines[2]?.what, { kind: 'cmd', idx: 0, op: 'TLBI_NH_VA', raw: [0x12, 0x30, 0xffe00701, 0] });
  t.deepEqual(lines[4]?.what, { kind: 'cmd', idx: 2, op: 'SYNC', raw: null });
  t.deepEqual(lines[6]?.what, { kind: 'mark', text: 'one two' });
});

const line = (event: string): string => `# tracer: nop\n t-1 [000] d.... 2.2: ${event}\n`;

for (const [what, text, says] of [
  ['events were overwritten', '# tracer: nop\n# entries-in-buffer/entries-written: 4/9 #P:1\n', /^:2: 4 of 9 events are left/],
  ['events were lost', '# tracer: nop\nCPU:0 [LOST 12 EVENTS]\n', /^:2: events were lost/],
  ['not a line of tracefs', '# tracer: nop\nhello\n', /^:2: the line is neither a comment nor an event/],
  ['a long line', `# tracer: nop\n${'-'.repeat(9000)}\n`, /^:2: the line is longer than 8192 characters/],
  ['a missing field', line('pt_unmap: (f) ops=0x1 iova=0x0'), /^:2: in the "pt_unmap" event "pgsize=" is missing/],
  ['a number that is none', line('pt_unmap_ret: (f) ret=zz'), /"ret=" must be a number below 2\^53/],
  ['too few words', line('entry: (f) at=0x0 v={0x1}'), /"v=" must be 8 words in braces/],
] as const) test(`refused: ${what}`, (t) => refused(t, writeCapture('trace.txt', text), says));

test('spaces without end take no time', async (t) => {
  await refused(t, writeCapture('trace.txt', `# tracer: nop\n${' '.repeat(8000)}-1-1-1\n`), /neither a comment nor an event/);
});
