/** Tracing alone: stores are reconstructed; what rests on them is marked assumed, and what tracing cannot show is inconclusive. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { steps } from '../../src/trace/entries.js';
import { SyntheticTable } from '../../src/trace/synthetic.js';
import { traceRecording, type TraceReport } from '../../src/trace/run.js';
import { writeCapture } from '../captures/write.js';
import { ROOT } from '../cli/program.js';

/** A kernel whose linear map begins at 0xfff0000000000000 for 0x40000000. */
class Tracer {
  readonly lines = ['# tracer: nop'];
  #time = 1;
  #prod = 0;

  event(text: string): this {
    this.#time += 1;
    this.lines.push(`   init-1       [000] d....     ${this.#time}.000000: ${text}`);
    return this;
  }

  issue(...commands: (readonly [string, string])[]): this {
    const words = [...commands.flat(), ...Array.from({ length: 8 }, () => '0x0')].slice(0, 8);
    this.event(`issue: (f) n=${commands.length} sync=1`).event(`cw: (f) prod=0x${this.#prod.toString(16)} n=${commands.length} c={${words.join(',')}}`).event('issue_ret: (f) ret=0');
    this.#prod += commands.length + 1;
    return this;
  }

  boot(): this {
    return this.issue(['0x4', '0x1f']).issue(['0x30', '0x0']);
  }

  attach(o: { readonly cfgiSte?: boolean; readonly root?: string } = {}): this {
    const root = o.root ?? '63ed000';
    this.event(`pt_alloc_ret: (f) va=0xfff000000${root}`)
      .event(`entry: (f) at=0xfff000000618a000 v={0x1e204c0003510,0x4${root},0x0,0xfffffffff404ff44,0x0,0x0,0x0,0x0}`).issue(['0x5', '0x1']).issue(['0x5', '0x1'])
      .event('entry: (f) at=0xfff000003bc20000 v={0x4618a00b,0xd6,0x0,0x0,0x0,0x0,0x0,0x0}');
    if (o.cfgiSte !== false) this.issue(['0x3', '0x1']).issue(['0x3', '0x1']);
    return this.event('attach_device_to_domain: IOMMU: device=0000:00:00.0');
  }

  map(iova: string, pa: string, size = '0x1000'): this {
    return this.event(`pt_map: (f) ops=0xfff1 iova=${iova} pa=${pa} pgsize=${size} cnt=0x1`).event('pt_map_ret: (f) ret=0');
  }

  unmap(iova: string, size = '0x1000'): this {
    return this.event(`pt_unmap: (f) ops=0xfff1 iova=${iova} pgsize=${size} cnt=0x1`).event(`pt_unmap_ret: (f) ret=${size}`);
  }

  /** The driver's invalidation of leaves with this command, or with none. */
  sync(iova: string, tlbi: readonly [string, string] | null): this {
    this.event(`inv: (f) dom=0xd iova=${iova} size=0x1000 gran=0x1000 leaf=1 ops=0xfff1 stage=0 id=1`);
    if (tlbi !== null) this.issue(tlbi);
    return this.event('inv_ret: (f)');
  }

  async judged(): Promise<TraceReport> {
    return traceRecording(writeCapture('trace.txt', `${this.lines.join('\n')}\n`));
  }
}

const TLBI: readonly [string, string] = ['0x1000000000012', '0x4001'];

async function clean(t: ExecutionContext, tr: Tracer): Promise<TraceReport> {
  const r = await tr.judged();
  t.deepEqual(r.result.findings, []);
  t.deepEqual(r.result.doubts, []);
  t.is(r.result.form, 'tracing');
  t.true(r.result.assumed.length > 0);
  return r;
}

test('map, unmap, invalidate: decided on reconstructed tables', async (t) => {
  const { result } = await clean(t, new Tracer().boot().attach().map('0x4000', '0x80000000').unmap('0x4000').sync('0x4000', TLBI));
  t.is(result.rules['stale-translation'].decided, 1);
  t.is(result.rules.isolation.decided, 1);
  t.true(result.rules['stale-configuration'].decided > 0 && result.rules['tag-lifetime'].decided > 0);
});

test('mapped before the attach, and in a recording that begins after the reset', async (t) => {
  const tr = new Tracer().map('0x4000', '0x80000000').attach().unmap('0x4000').sync('0x4000', TLBI);
  t.is((await clean(t, tr)).result.rules['stale-translation'].decided, 1);
  const left = await new Tracer().map('0x4000', '0x80000000').attach().unmap('0x4000').sync('0x4000', null).judged();
  t.is(left.result.findings[0]?.rule, 'stale-translation', 'what was mapped before is there');
});

test('synthetic tables: what is stored, and a table goes before the block comes', (t) => {
  let page = 0x100000;
  const s = new SyntheticTable(0x1000, { tg: 12, stage: 1, startLevel: 1 }, () => (page += 4096));
  const at = (stores: readonly { pa: number; lo: number; hi: number }[]): string[] => stores.map((x) => `${x.pa.toString(16)}=${x.lo.toString(16)}`);
  t.deepEqual(at(s.map(0x203000, 0x8000, 4096, 1)), ['1000=101003', '101008=102003', '102018=8f43']);
  t.deepEqual(at(s.unmap(0x203000, 4096, 1)), ['102018=0']);
  t.deepEqual(at(s.unlink(0x200000, 2 ** 21, 1)), ['101008=0']);
  t.deepEqual(at(s.map(0x200000, 0x200000, 2 ** 21, 1)), ['101008=200f41']);
  t.deepEqual(at(s.unmap(0x200000, 2 ** 21, 1)), ['101008=0']);
});

test('the words of an entry, in the order in which they must have been stored', (t) => {
  const words = (...set: number[]): number[] => Array.from({ length: 16 }, (_, i) => set[i] ?? 0);
  const abort = words(1);
  const stage1 = words(0xb, 0x44, 0xd6);
  t.deepEqual(steps(abort, stage1, 'ste', 2), [[1], [0]], 'installed: the word with the configuration last');
  t.deepEqual(steps(stage1, abort, 'ste', 2), [[0], [1]], 'taken out: first');
  t.deepEqual(steps(abort, stage1, 'ste', 1), [[1, 0]]);
  t.deepEqual(steps(words(), words(0x80000000, 0, 0x1000), 'cd', 2), [[1], [0]]);
});

for (const [what, tlbi] of [['no TLBI', null], ['another address', ['0x1000000000012', '0x5001']], ['another asid', ['0x2000000000012', '0x4001']]] as const) {
  test(`a missing invalidation is found, and marked assumed: ${what}`, async (t) => {
    const { result, explained } = await new Tracer().boot().attach().map('0x4000', '0x80000000').unmap('0x4000').sync('0x4000', tlbi).judged();
    t.is(result.verdict, 'violation');
    t.is(result.findings[0]?.rule, 'stale-translation');
    t.true(result.findings[0]?.assumed);
    t.is(explained[0]?.verified?.startsWith('TLBI_NH_VA vmid 0 asid 1 va 0x4000 leaf'), true);
  });
}

test('a missing CFGI is found', async (t) => {
  const tr = new Tracer().boot().attach().map('0x4000', '0x80000000').unmap('0x4000').sync('0x4000', TLBI);
  const dropped = new Tracer().boot().attach({ cfgiSte: false }).map('0x4000', '0x80000000').unmap('0x4000').sync('0x4000', TLBI);
  await clean(t, tr);
  t.is((await dropped.judged()).result.doubts[0]?.why, 'an STE or CD is installed that no CFGI names, or whose address is not known');
});

test('a table that a block replaces needs its flush', async (t) => {
  const replaced = (flush: string): Tracer => {
    const tr = new Tracer().boot().attach().map('0x200000', '0x80000000').unmap('0x200000').sync('0x200000', ['0x1000000000012', '0x200001']);
    tr.event('pt_map: (f) ops=0xfff1 iova=0x200000 pa=0x48000000 pgsize=0x200000 cnt=0x1').event('inv: (f) dom=0xd iova=0x200000 size=0x200000 gran=0x1000 leaf=0 ops=0xfff1 stage=0 id=1');
    return tr.issue(['0x1000000000012', flush]).event('inv_ret: (f)').event('pt_map_ret: (f) ret=0').unmap('0x200000', '0x200000').sync('0x200000', ['0x1000000000012', '0x200001']);
  };
  await clean(t, replaced('0x200000'));
});

test('lazy unmaps, freed tables and commands that were not fetched are inconclusive', async (t) => {
  const begin = (): Tracer => new Tracer().boot().attach().map('0x4000', '0x80000000');
  const why = async (tr: Tracer): Promise<string> => {
    const { result } = await tr.judged();
    t.is(result.verdict, 'inconclusive');
    return result.doubts[0]?.why ?? '';
  };
  const named = begin().unmap('0x4000').event('dma_unmap_ret: (f)').sync('0x9000', ['0x1000000000012', '0x9001']);
  t.regex(await why(named), /^an unmap returns without an invalidation \(lazy\)/);
  t.regex(await why(begin().unmap('0x4000').sync('0x4000', TLBI).event('pt_free: (f) va=0xfff0000005f60000 size=0x1000')), /^tracing does not show which table a freed page was/);
  const many = begin().unmap('0x4000').sync('0x4000', TLBI).event('issue: (f) n=6 sync=1').event(`cw: (f) prod=0x20 n=6 c={${Array.from({ length: 4 }, () => TLBI).flat().join(',')}}`);
  t.regex(await why(many), /2 commands of one call that the probe did not fetch/);
});

test('an unmap of a page table that no invalidation names is not judged, and says so', async (t) => {
  const { result } = await new Tracer().boot().attach().map('0x4000', '0x80000000').unmap('0x4000').judged();
  t.is(result.doubts[0]?.why, 'a page table is used that no invalidation names: what it maps is not judged');
});

for (const form of ['jsonl', 'txt']) {
  const path = join(ROOT, `../shared/captures/linux-ftrace-7.2.${form}.gz`);
  (existsSync(path) ? test : test.skip)(`the traced kernel, as ${form}: no violation, and the same decided`, async (t) => {
    const { result } = await traceRecording(path);
    t.deepEqual(result.findings, []);
    t.is(result.verdict, 'inconclusive');
    t.is(result.doubts.length, 2);
    t.deepEqual([result.rules['stale-translation'].decided, result.rules.isolation.decided, result.rules['stale-configuration'].decided], [408, 1972, 34]);
  });
}
