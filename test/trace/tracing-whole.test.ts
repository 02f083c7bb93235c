/** Tracing alone on machines beyond stage 1 of 4K granules at EL1: tables are synthesised for the granule and stage that the CD or STE names. */
import test, { type ExecutionContext } from 'ava';
import { encodeCommand, newCommand, OP, type Command } from '../../src/spec/command.js';
import { commandTg, stage2Sl0, type Tg } from '../../src/spec/granule.js';
import { traceRecording, type TraceReport } from '../../src/trace/run.js';
import type { RuleId } from '../../src/stack/violation.js';
import { writeCapture } from '../captures/write.js';

const ROOT = 0x46400000;
const CDS = 0x4618a000;
const SID = 1;

/** Kernel address of a physical one. */
function va(pa: number): string {
  return `0xfff0000${(pa - 0x40000000).toString(16).padStart(9, '0')}`;
}

function h(n: bigint | number): string {
  return `0x${n.toString(16)}`;
}

interface Form {
  readonly tg: Tg;
  readonly stage: 1 | 2;
  readonly el2: boolean;
}

class Tracer {
  readonly f: Form;
  readonly lines = ['# tracer: nop'];
  #time = 1;
  #prod = 0;

  constructor(f: Partial<Form> = {}) {
    this.f = { tg: 12, stage: 1, el2: false, ...f };
    this.issue({ op: OP.CFGI_STE_RANGE, range: 31 }).issue({ op: OP.TLBI_EL2_ALL }).issue({ op: OP.TLBI_NSNH_ALL });
  }

  event(text: string): this {
    this.#time += 1;
    this.lines.push(`   init-1       [000] d....     ${this.#time}.000000: ${text}`);
    return this;
  }

  issue(...commands: readonly Partial<Command>[]): this {
    const words: string[] = [];
    for (const c of commands) {
      const raw = new Uint32Array(4);
      encodeCommand({ ...newCommand(), ...c }, raw);
      words.push(h(BigInt(raw[1] as number) * 2n ** 32n + BigInt(raw[0] as number)), h(BigInt(raw[3] as number) * 2n ** 32n + BigInt(raw[2] as number)));
    }
    while (words.length < 8) words.push('0x0');
    this.event(`issue: (f) n=${commands.length} sync=1`).event(`cw: (f) prod=${h(this.#prod)} n=${commands.length} c={${words.join(',')}}`).event('issue_ret: (f) ret=0');
    this.#prod += commands.length + 1;
    return this;
  }

  get #tg(): bigint { return this.f.tg === 12 ? 0n : this.f.tg === 16 ? 1n : 2n; }

  cd(ssid: number, asid: number, root: number | null, o: { readonly cfgi?: boolean; readonly at?: number } = {}): this {
    const w0 = root === null ? 0n : (BigInt(asid) << 48n) | (0xe205n << 32n) | 0xc0003510n | (this.#tg << 6n);
    const at = o.at ?? CDS + ssid * 64;
    this.event(`entry: (f) at=${va(at)} v={${h(w0)},${h(root ?? 0)},0x0,0x0,0x0,0x0,0x0,0x0}`);
    const c = { op: OP.CFGI_CD, sid: SID, ssid: o.cfgi === false ? ssid + 1 : ssid, leaf: 1 };
    return this.issue(c).issue(c);
  }

  ste(w0: bigint, w1: bigint, w2 = 0n, w3 = 0n): this {
    this.event(`entry: (f) at=0xfff000003bc20000 v={${[w0, w1, w2, w3].map(h).join(',')},0x0,0x0,0x0,0x0}`);
    const c = { op: OP.CFGI_STE, sid: SID, leaf: 1 };
    return this.issue(c).issue(c);
  }

  attach(o: { readonly cdMax?: number; readonly format?: number; readonly ats?: boolean; readonly root?: number } = {}): this {
    const root = o.root ?? ROOT;
    const ats = o.ats === true ? 1n << 28n : 0n;
    this.event(`pt_alloc_ret: (f) va=${va(root)}`);
    if (this.f.stage === 2) {
      const start = this.f.tg === 12 ? 0 : 1;
      this.ste(0xdn, (1n << 44n) | ats, 7n | (16n << 32n) | (BigInt(stage2Sl0(this.f.tg, start)) << 38n) | (this.#tg << 46n) | (5n << 48n) | (1n << 51n) | (1n << 58n), BigInt(root));
    } else {
      this.cd(0, 7, root).ste(BigInt(CDS) | 0xbn | (BigInt(o.format ?? 0) << 4n) | (BigInt(o.cdMax ?? 0) << 59n), 0xd4n | (o.cdMax === undefined ? 0n : 2n) | (this.f.el2 ? 2n << 30n : 0n) | ats);
    }
    return this.event('attach_device_to_domain: IOMMU: device=0000:00:00.0');
  }

  map(page: number, o: { readonly ops?: string; readonly size?: number } = {}): this {
    const size = o.size ?? 2 ** this.f.tg;
    return this.event(`pt_map: (f) ops=${o.ops ?? '0xfff1'} iova=${h(page * size)} pa=${h(0x80000000 + page * size)} pgsize=${h(size)} cnt=0x1`).event('pt_map_ret: (f) ret=0');
  }

  unmap(page: number, o: { readonly ops?: string; readonly size?: number } = {}): this {
    const size = o.size ?? 2 ** this.f.tg;
    return this.event(`pt_unmap: (f) ops=${o.ops ?? '0xfff1'} iova=${h(page * size)} pgsize=${h(size)} cnt=0x1`).event(`pt_unmap_ret: (f) ret=${h(size)}`);
  }

  inv(page: number, o: { readonly ops?: string; readonly id?: number; readonly batches: readonly (readonly Partial<Command>[])[] }): this {
    this.event(`inv: (f) dom=0xd iova=${h(page * 2 ** this.f.tg)} size=${h(2 ** this.f.tg)} gran=${h(2 ** this.f.tg)} leaf=1 ops=${o.ops ?? '0xfff1'} stage=${this.f.stage - 1} id=${o.id ?? 7}`);
    for (const b of o.batches) this.issue(...b);
    return this.event('inv_ret: (f)');
  }

  tlbi(page: number, change: Partial<Command> = {}): Partial<Command> {
    const tag = this.f.stage === 2 ? { op: OP.TLBI_S2_IPA, vmid: 7 } : this.f.el2 ? { op: OP.TLBI_EL2_VA, asid: 7 } : { op: OP.TLBI_NH_VA, asid: 7 };
    return { ...tag, frame: page * 2 ** (this.f.tg - 12), leaf: 1, tg: commandTg(this.f.tg), ttl: 3, ...change };
  }

  async judged(): Promise<TraceReport> {
    return traceRecording(writeCapture('trace.txt', `${this.lines.join('\n')}\n`));
  }
}

async function honest(t: ExecutionContext, tr: Tracer): Promise<void> {
  const { result, machine } = await tr.judged();
  t.deepEqual(result.findings, []);
  t.deepEqual(result.doubts, []);
  t.is(machine, 'whole');
  t.true(result.rules['stale-translation'].decided > 0 && result.rules.isolation.decided > 0);
}

async function convicted(t: ExecutionContext, tr: Tracer, rule: RuleId, cause: RegExp): Promise<void> {
  const { result } = await tr.judged();
  t.is(result.findings[0]?.rule, rule, JSON.stringify(result.findings));
  t.regex(result.findings[0]?.cause ?? '', cause);
  t.true(result.findings[0]?.assumed);
}

const FORMS: readonly Partial<Form>[] = [
  { tg: 14 }, { tg: 16 }, { el2: true }, { el2: true, tg: 16 }, { stage: 2 }, { stage: 2, tg: 14 }, { stage: 2, tg: 16 },
];

for (const f of FORMS) {
  const name = `stage ${f.stage ?? 1}, ${2 ** ((f.tg ?? 12) - 10)}K${f.el2 === true ? ', EL2' : ''}`;
  test(`${name}: decided on tables made for it`, async (t) => {
    const done = (batches: (tr: Tracer) => readonly (readonly Partial<Command>[])[]): Tracer => {
      const tr = new Tracer(f).attach().map(4).map(5).unmap(4);
      return tr.inv(4, { batches: batches(tr) });
    };
    await honest(t, done((tr) => [[tr.tlbi(4)]]));
    await convicted(t, done(() => []), 'stale-translation', /outlives its unmap$/);
    await convicted(t, done((tr) => [[tr.tlbi(5)]]), 'stale-translation', /outlives its unmap$/);
    await convicted(t, done((tr) => [[tr.tlbi(4, { tg: tr.f.tg === 12 ? 2 : 1 })]]), 'stale-translation', /outlives its unmap$/);
    await convicted(t, done((tr) => [[tr.tlbi(4, tr.f.stage === 2 ? { vmid: 8 } : { asid: 8 })]]), 'stale-translation', /outlives its unmap$/);
  });
}

test('blocks of the granule, and what was mapped before the attach', async (t) => {
  const block = (ttl: number): Tracer => {
    const tr = new Tracer({ tg: 16 }).map(0, { size: 2 ** 29 }).attach().unmap(0, { size: 2 ** 29 });
    return tr.inv(0, { batches: [[tr.tlbi(0, { ttl })]] });
  };
  await honest(t, block(2));
  await convicted(t, block(3), 'stale-translation', /^a level 2 leaf outlives/);
  const { result } = await new Tracer({ tg: 16 }).attach().map(4, { size: 4096 }).unmap(0).inv(0, { batches: [] }).judged();
  t.regex(result.doubts.map((d) => d.why).join(), /a size that its granule does not have/);
});

test('EL2: commands of EL1 do not reach it', async (t) => {
  const tr = new Tracer({ el2: true }).attach().map(4).unmap(4);
  await convicted(t, tr.inv(4, { batches: [[tr.tlbi(4, { op: OP.TLBI_NH_VA })]] }), 'stale-translation', /outlives/);
});

test('ATS: the ATC_INV behind the TLBI', async (t) => {
  const done = (...more: readonly Partial<Command>[]): Tracer => {
    const tr = new Tracer().attach({ ats: true }).map(4).unmap(4);
    return tr.inv(4, { batches: [[tr.tlbi(4)], ...(more.length === 0 ? [] : [more])] });
  };
  await honest(t, done({ op: OP.ATC_INV, sid: SID, frame: 4 }));
  await convicted(t, done(), 'stale-atc', /^an ATC entry outlives the unmap of its page$/);
});

for (const format of [0, 2]) {
  test(`PASIDs: ${format === 0 ? 'one table of CDs' : 'two levels of CDs'}`, async (t) => {
    const pasid = (o: { readonly cfgi?: boolean } = {}): Tracer => {
      const tr = new Tracer();
      if (format !== 0) tr.issue({ op: OP.CFGI_CD, sid: SID, ssid: 0, leaf: 0 });
      tr.attach({ cdMax: format === 0 ? 6 : 12, format }).map(0x10, { ops: '0xfff5' });
      return tr.event(`pt_alloc_ret: (f) va=${va(ROOT + 0x10000)}`).cd(5, 9, ROOT + 0x10000, { at: CDS + 5 * 64, ...o }).unmap(0x10, { ops: '0xfff5' });
    };
    const right = pasid();
    await honest(t, right.inv(0x10, { ops: '0xfff5', id: 9, batches: [[right.tlbi(0x10, { asid: 9 })]] }));
    const wrong = pasid();
    await convicted(t, wrong.inv(0x10, { ops: '0xfff5', id: 9, batches: [[wrong.tlbi(0x10)]] }), 'stale-translation', /outlives/);
    const { result } = await pasid().cd(5, 9, null).judged();
    t.regex(result.doubts.map((d) => d.why).join(), /tracing does not show when the call that takes a PASID away returns/);
  });
}
