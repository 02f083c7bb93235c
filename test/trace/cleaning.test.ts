/** An SMMU that does not see the CPU caches, and recordings that show what was cleaned. */
import test, { type ExecutionContext } from 'ava';
import { traceRecording } from '../../src/trace/run.js';
import type { RuleId } from '../../src/stack/violation.js';
import { Domain, Driver, hex } from './build.js';

const PA = 0x80000000;
const NOT_COHERENT = '0xd44100b';

interface Left {
  /** What is not cleaned. */
  readonly out?: 'leaf' | 'clear' | 'table' | 'late';
  /** A map is over when the call around it is. */
  readonly around?: boolean;
}

/** A driver that cleans each descriptor that it stores, and each table that it obtains. */
class Cleaner extends Driver {
  left: Left = {};
  #obtained = 0;

  clean(pa: number, size = 8): this {
    return this.add({ cpu: this.cpu, ev: 'clean', pa: hex(pa), size });
  }

  override page(): number {
    const pa = super.page();
    this.#obtained += 1;
    return this.left.out === 'table' && this.#obtained === 4 ? pa : (this.clean(pa, 4096), pa);
  }

  override store(to: string, pa: number, ...v: string[]): this {
    super.store(to, pa, ...v);
    return to === 'pt' && !(this.left.out === 'leaf' && v[0]?.endsWith('f47') === true) ? this.clean(pa) : this;
  }
}

function recording(left: Left, meta = true): Cleaner {
  const d = new Cleaner();
  d.left = left;
  d.boot({ idr0: NOT_COHERENT });
  if (meta) d.lines[0] = { ...d.lines[0], clean: 1 };
  const dom = new Domain(d, '0xd0', 1);
  d.attach(3, dom);
  if (left.around === true) d.call('iommu_map');
  dom.map(4, PA);
  if (left.around === true) d.clean(dom.level3 + 32).ret('iommu_map');
  dom.unmap(4);
  const at = d.lines.length - 2;
  const clean = { cpu: 0, ev: 'clean', pa: hex(dom.level3 + 32), size: 8 };
  if (left.out !== 'clear' && left.out !== 'late') d.lines.splice(at, 0, clean);
  dom.sync([dom.tlbi(4)]);
  if (left.out === 'late') d.lines.splice(d.lines.length - 1, 0, clean);
  return d;
}

async function first(t: ExecutionContext, left: Left, rule: RuleId, cause: RegExp): Promise<string> {
  const { result } = await traceRecording(recording(left).write());
  t.is(result.verdict, 'violation');
  t.is(result.findings[0]?.rule, rule, JSON.stringify(result.findings));
  t.regex(result.findings[0]?.cause ?? '', cause);
  return result.findings[0]?.actual ?? '';
}

test('everything cleaned in time', async (t) => {
  for (const left of [{}, { around: true }]) {
    const { result } = await traceRecording(recording(left).write());
    t.deepEqual([result.findings, result.doubts, result.unknown], [[], [], {}]);
    t.true(result.rules['table-coherency'].decided > 0 && result.rules.publication.decided > 0);
  }
});

test('table-coherency: a leaf that is not cleaned when its map returns', async (t) => {
  t.regex(await first(t, { out: 'leaf' }, 'table-coherency', /^a descriptor of a map is not cleaned when it returns$/), /^the line of the descriptor at 0x[0-9a-f]+020 was not cleaned since line \d+ stored it$/);
  const { result } = await traceRecording(recording({ out: 'leaf', around: true }).write());
  t.is(result.verdict, 'ok', 'the call around it cleans');
});

test('publication: a table that is linked before it is clean', async (t) => {
  t.regex(await first(t, { out: 'table' }, 'publication', /^a pointer to a table that was not cleaned$/), /was never cleaned since its page was obtained$/);
});

test('stale-translation: a clear that is not cleaned, or only behind its TLBI', async (t) => {
  t.regex(await first(t, { out: 'clear' }, 'stale-translation', /^memory still shows the SMMU/), /\(stores to tables wait for their lines to be cleaned\)$/);
  await first(t, { out: 'late' }, 'stale-translation', /^a level 3 leaf outlives its unmap$/);
});

test('without such events nothing is known, and with a coherent walker they mean nothing', async (t) => {
  const d = recording({}, false);
  d.lines = d.lines.filter((l) => l['ev'] !== 'clean');
  const { result } = await traceRecording(d.write());
  t.is(result.verdict, 'inconclusive');
  t.regex(result.doubts[0]?.why ?? '', /^the SMMU does not see the CPU caches \(IDR0\.COHACC = 0\), and the recording does not show what was cleaned$/);
  const coherent = recording({ out: 'clear' });
  coherent.lines = coherent.lines.map((l) => (l['reg'] === 'IDR0' ? { ...l, v: '0xd44101b' } : l));
  t.is((await traceRecording(coherent.write())).result.verdict, 'ok');
});

test('a clean beside the PROD write of another CPU: inconclusive, whichever line is first', async (t) => {
  for (const front of [true, false]) {
    const d = new Cleaner().boot({ idr0: NOT_COHERENT });
    d.lines[0] = { ...d.lines[0], clean: 1 };
    const dom = new Domain(d, '0xd0', 1);
    d.attach(3, dom);
    dom.map(4, PA).unmap(4);
    const before = d.lines.length;
    d.cpu = 1;
    d.issue([{ op: 0x12, asid: 1, frame: 4, leaf: 1 }]);
    const prod = d.lines.findIndex((l, i) => i > before && l['ev'] === 'prod');
    d.lines.splice(front ? prod : prod + 1, 0, { cpu: 0, ev: 'clean', pa: hex(dom.level3 + 32), size: 8 });
    d.cpu = 0;
    d.call('arm_smmu_iotlb_sync', { a0: '0xd0' }).ret('arm_smmu_iotlb_sync');
    const { result, choices } = await traceRecording(d.write());
    t.is(choices, 1);
    t.is(result.verdict, 'inconclusive', JSON.stringify(result.findings));
  }
});
