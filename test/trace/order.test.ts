/** Neighbouring lines of different actors: the verdict must hold for every order, or is inconclusive there. */
import test from 'ava';
import { OP } from '../../src/spec/command.js';
import { traceRecording } from '../../src/trace/run.js';
import { attached, hex, type Domain, type Driver } from './build.js';

const PA = 0x80000000;

/** CPU 0 clears the descriptor right in front of (or behind) the PROD write of CPU 1. */
function race(where: 'front' | 'behind' | 'earlier'): { readonly d: Driver; readonly dom: Domain } {
  const { d, dom } = attached();
  dom.map(4, PA);
  dom.unmap(4, { clear: false });
  const clear = { cpu: 0, ev: 'fill', to: 'pt', pa: hex(dom.level3 + 32), len: 8, v: '0x0' };
  const before = d.lines.length;
  d.cpu = 1;
  d.issue([{ op: OP.TLBI_NH_ASID, asid: 1 }]);
  d.cpu = 0;
  const prod = d.lines.findIndex((l, i) => i > before && l['ev'] === 'prod');
  d.lines.splice(where === 'front' ? prod : where === 'behind' ? prod + 1 : before, 0, clear);
  dom.sync([]);
  return { d, dom };
}

test('a store next to the PROD write of another CPU: inconclusive, whichever line is first', async (t) => {
  for (const where of ['front', 'behind'] as const) {
    const { result, choices } = await traceRecording(race(where).d.write());
    t.is(result.verdict, 'inconclusive', where);
    t.deepEqual(result.findings, []);
    t.regex(result.doubts[0]?.why ?? '', /^stale-translation in one order of neighbouring lines of different actors, and not in another/);
    t.is(choices, 1);
  }
});

test('with a line of the same CPU between them there is one order', async (t) => {
  const { result, choices } = await traceRecording(race('earlier').d.write());
  t.is(result.verdict, 'ok');
  t.is(choices, 0);
});

test('an access next to the store that takes its page away may have come first', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA).unmap(4).sync([dom.tlbi(4)]);
  d.xlat(3, 0x4000, PA);
  const after = await traceRecording(d.write());
  t.is(after.result.verdict, 'violation');
  const cons = d.lines.map((l) => l['ev']).lastIndexOf('cons');
  const [x] = d.lines.splice(d.lines.length - 1, 1);
  d.lines.splice(cons + 1, 0, x as Record<string, unknown>);
  const beside = await traceRecording(d.write());
  t.is(beside.result.verdict, 'ok');
  t.is(beside.result.accesses.reordered, 1);
});

test('a translation one line in front of the store that allows it may have come behind it', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA);
  dom.map(5, PA + 0x1000);
  const store = d.lines.length - 2;
  d.lines.splice(store, 0, { ev: 'xlat', sid: 3, iova: '0x5000', pa: hex(PA + 0x1000), perm: 3, hit: 0 });
  const { result } = await traceRecording(d.write());
  t.is(result.verdict, 'ok');
  t.is(result.accesses.reordered, 1);
});
