/** Each judged rule on a small recording: right, and with one thing left out. */
import test, { type ExecutionContext } from 'ava';
import { CaptureError } from '../../src/captures/read.js';
import { OP } from '../../src/spec/command.js';
import { traceRecording, type TraceReport } from '../../src/trace/run.js';
import type { RuleId } from '../../src/stack/violation.js';
import { attached, Domain, Driver, hex } from './build.js';

const PA = 0x80000000;

async function clean(t: ExecutionContext, d: Driver): Promise<TraceReport> {
  const r = await traceRecording(d.write());
  t.deepEqual(r.result.findings, []);
  t.deepEqual(r.result.doubts, []);
  t.is(r.result.verdict, 'ok');
  return r;
}

async function broken(t: ExecutionContext, d: Driver, rule: RuleId, cause: RegExp): Promise<TraceReport> {
  const r = await traceRecording(d.write());
  t.is(r.result.verdict, 'violation');
  t.is(r.result.findings[0]?.rule, rule, JSON.stringify(r.result.findings));
  t.regex(r.result.findings[0]?.cause ?? '', cause);
  return r;
}

async function refused(t: ExecutionContext, d: Driver): Promise<string> {
  const path = d.write();
  const e = await t.throwsAsync(traceRecording(path), { instanceOf: CaptureError });
  t.true(e.message.startsWith(`${path}:`), e.message);
  return e.message.slice(path.length);
}

test('map, access, unmap, invalidate, sync: no violation, and the access is permitted', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA).map(5, PA + 0x5000);
  d.xlat(3, 0x4000, PA);
  dom.unmap(4).sync([dom.tlbi(4)]);
  d.xlat(3, 0x5000, PA + 0x5000).fault(3, 0x4000);
  const { result } = await clean(t, d);
  t.deepEqual(result.accesses, { seen: 3, permitted: 3, reordered: 0, skipped: 0 });
  t.true(result.rules['stale-translation'].decided > 0 && result.rules.isolation.decided > 0 && result.rules['stale-configuration'].decided > 0);
});

for (const [what, commands, why] of [
  ['no TLBI', [], /no command went to the SMMU since/],
  ['a TLBI of another address', [{ op: OP.TLBI_NH_VA, asid: 1, frame: 5, leaf: 1 }], /none of them retires it/],
  ['a TLBI of another asid', [{ op: OP.TLBI_NH_VA, asid: 2, frame: 4, leaf: 1 }], /none of them retires it/],
  ['a TLBI of another vmid', [{ op: OP.TLBI_NH_VA, asid: 1, vmid: 9, frame: 4, leaf: 1 }], /none of them retires it/],
] as const) {
  test(`stale-translation: ${what}`, async (t) => {
    const { d, dom } = attached();
    dom.map(4, PA).unmap(4).sync(commands);
    const r = await broken(t, d, 'stale-translation', /^a level 3 leaf outlives its unmap$/);
    const [e] = r.explained;
    t.regex(e?.rest ?? '', why);
    t.regex(e?.verified ?? '', /^TLBI_NH_VA vmid 0 asid 1 va 0x4000 leaf and a CMD_SYNC in front of line \d+$/);
    t.regex(e?.steps.map((s) => s.text).join(' | ') ?? '', /unmap 0x4000 \+0x1000 \| fill pt .* takes \{asid 1 0x4000 -> 0x80000000 level 3\} out of memory/);
    t.is(r.result.findings[0]?.from?.text, 'unmap of 0x4000 +0x1000');
  });
}

test('stale-translation: no SYNC', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA).unmap(4).sync([dom.tlbi(4)], false);
  const r = await broken(t, d, 'stale-translation', /outlives/);
  t.regex(r.explained[0]?.rest ?? '', /no CMD_SYNC completed since/);
});

test('stale-translation: the descriptor still stands', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA).unmap(4, { clear: false }).sync([dom.tlbi(4)]);
  await broken(t, d, 'stale-translation', /memory still shows/);
});

test('stale-translation: one descriptor among many still stands', async (t) => {
  for (const left of [1, 2, 5, 6]) {
    const { d, dom } = attached();
    for (let i = 0; i < 8; i += 1) dom.map(8 + i, PA + i * 0x1000);
    d.call('iommu_unmap_fast', { dom: '0xd0' }).add({ cpu: 0, ev: 'unmap', pt: '0xd0f', iova: '0x8000', pgsize: '0x1000', count: 8 });
    for (let i = 0; i < 8; i += 1) if (i !== left) d.store('pt', dom.level3 + (8 + i) * 8, '0x0');
    d.add({ cpu: 0, ev: 'unmap.ret', size: '0x8000' }).ret('iommu_unmap_fast');
    dom.sync([dom.tlbi(8, { tg: 1, ttl: 3, num: 7 })]);
    const { result } = await broken(t, d, 'stale-translation', /memory still shows/);
    t.deepEqual(result.findings.map((f) => f.actual), [`the descriptor of ${hex((8 + left) * 4096)} still stands in memory: {-> ${hex(PA + left * 0x1000)} level 3}`]);
  }
});

test('illegal-command: streams and substreams that the SMMU does not have', async (t) => {
  for (const c of [{ op: OP.CFGI_STE, sid: 65536 }, { op: OP.CFGI_CD, sid: 3, ssid: 1 }]) {
    const { d } = attached();
    await broken(t, d.issue([c]), 'illegal-command', /beyond IDR1\.(SIDSIZE|SSIDSIZE)/);
  }
});

test('what a device did is told apart from what it could have done', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA).unmap(4).sync([]);
  d.add({ cpu: 0, ev: 'mark', text: 'afterwards' }, { cpu: 0, ev: 'mark', text: 'later' }).xlat(3, 0x4000, PA);
  const { result } = await broken(t, d, 'stale-translation', /outlives/);
  t.deepEqual(result.findings.map((f) => f.how), ['violation', 'proof']);
  t.is(result.findings[1]?.cause, 'a device used a translation that was taken away');
});

test('an access between unmap and sync may see either', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA).unmap(4);
  d.xlat(3, 0x4000, PA).fault(3, 0x4000);
  dom.sync([dom.tlbi(4)]);
  await clean(t, d);
});

test('lazy: due when the address is handed out again, and not before', async (t) => {
  const lazy = (flush: boolean): Driver => {
    const { d, dom } = attached();
    dom.alloc(4).map(4, PA).unmap(4);
    d.ret('__iommu_dma_unmap').xlat(3, 0x4000, PA);
    if (flush) d.call('arm_smmu_flush_iotlb_all', { a0: '0xd0' }).issue([{ op: OP.TLBI_NH_ASID, asid: 1 }]).ret('arm_smmu_flush_iotlb_all');
    dom.alloc(4).map(4, PA + 0x9000);
    return d;
  };
  await clean(t, lazy(true));
  await broken(t, lazy(false), 'stale-translation', /outlives/);
});

test('stale-translation: pages below a table that was unlinked and not flushed', async (t) => {
  const unlinking = (leaf: number): Driver => {
    const { d, dom } = attached();
    dom.map(4, PA).map(5, PA + 0x1000);
    d.call('iommu_unmap_fast', { dom: '0xd0' }).add({ cpu: 0, ev: 'unmap', pt: '0xd0f', iova: '0x0', pgsize: '0x200000', count: 1 }).store('pt', dom.level2, '0x0')
      .add({ cpu: 0, ev: 'unmap.ret', size: '0x200000' }).ret('iommu_unmap_fast');
    dom.sync([{ op: OP.TLBI_NH_VA, asid: 1, frame: 0, leaf, tg: 1, scale: 9, ttl: 0 }]);
    return d;
  };
  await clean(t, unlinking(0));
  const r = await broken(t, unlinking(1), 'stale-translation', /a leaf below a stale table descriptor/);
  t.regex(r.explained[0]?.steps.map((s) => s.text).join(' ') ?? '', /unlinks the table of 0x0; its level 2 descriptor \{asid 1\} may still be cached/);
});

test('an unmap that ends early and a map that fails', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA);
  d.call('iommu_unmap_fast', { dom: '0xd0' }).add({ cpu: 0, ev: 'unmap', pt: '0xd0f', iova: '0x4000', pgsize: '0x1000', count: 1 }, { cpu: 0, ev: 'unmap.ret', size: '0x0' }).ret('iommu_unmap_fast');
  dom.sync([]).alloc(4); // what is mapped is not due, whatever is handed out
  d.xlat(3, 0x4000, PA);
  d.add({ cpu: 0, ev: 'map', pt: '0xd0f', dom: '0xd0', iova: '0x9000', pa: '0x1000', pgsize: '0x1000', count: 1 }, { cpu: 0, ev: 'map.ret', ret: -12 });
  await clean(t, d);
});

test('iommu_unmap syncs by itself: due at its return', async (t) => {
  const whole = (tlbi: boolean): Driver => {
    const { d, dom } = attached();
    dom.map(4, PA);
    d.call('iommu_unmap', { dom: '0xd0' });
    dom.unmap(4);
    if (tlbi) d.issue([dom.tlbi(4)]);
    return d.ret('iommu_unmap');
  };
  await clean(t, whole(true));
  await broken(t, whole(false), 'stale-translation', /outlives/);
});

test('a sync of one CPU says nothing about what another unmapped', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA).map(5, PA + 0x1000);
  d.cpu = 1;
  dom.unmap(5);
  d.cpu = 0;
  dom.unmap(4).sync([dom.tlbi(4)]);
  d.cpu = 1;
  dom.sync([dom.tlbi(5)]);
  await clean(t, d);
});

test('tag-lifetime: the same root page and asid for another domain', async (t) => {
  const again = (flush: boolean): Driver => {
    const { d, dom } = attached();
    dom.map(4, PA);
    d.block(3, flush ? { flush: 1 } : {}).call('arm_smmu_domain_free_paging', { a0: '0xd0' }).store('pt', dom.level3 + 32, '0x0');
    const heir = Object.assign(Object.create(Object.getPrototypeOf(dom) as object) as Domain, dom, { pointer: '0xd7' });
    return d.attach(3, heir);
  };
  await clean(t, again(true));
  await broken(t, again(false), 'tag-lifetime', /facts of its former owner remain/);
});

test('isolation: memory maps what nobody asked for', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA, { stored: PA + 0x7000 });
  await broken(t, d, 'isolation', /a leaf that the domain does not map/);
});

test('a table page: freed behind a Leaf = 0 invalidation, or too early', async (t) => {
  const freeing = (how: Partial<{ leaf: number; unlink: boolean }>): Driver => {
    const { d, dom } = attached();
    dom.map(4, PA).unmap(4).sync([dom.tlbi(4)]);
    if (how.unlink !== false) d.store('pt', dom.level2, '0x0');
    d.call('arm_smmu_tlb_inv_walk').issue([dom.tlbi(0, { leaf: how.leaf ?? 0 })]).ret('arm_smmu_tlb_inv_walk').free(dom.level3);
    return d;
  };
  await clean(t, freeing({}));
  const r = await broken(t, freeing({ leaf: 1 }), 'stale-walk', /a cached table descriptor of a freed table/);
  t.regex(r.explained[0]?.verified ?? '', /^TLBI_NH_VA vmid 0 asid 1 va 0x0 and a CMD_SYNC/);
  await broken(t, freeing({ unlink: false }), 'use-after-free', /a table that memory still points to/);
});

test('stale-configuration: an STE or CD without its CFGI', async (t) => {
  const again = (leaveOut: string): Driver => {
    const { d } = attached();
    const other = new Domain(d, '0xd1', 2);
    return d.attach(3, other, leaveOut);
  };
  await broken(t, again('cd'), 'stale-configuration', /an older CD outlives its CFGI and SYNC/);
  const { d } = attached();
  const r = await broken(t, d.block(3, { cfgi: false }), 'stale-configuration', /an older STE outlives its CFGI and SYNC/);
  t.regex(r.explained[0]?.verified ?? '', /^CFGI_STE sid 3 leaf/);
  await clean(t, attached().d.block(3, { flush: 1 }));
});

test('stale-configuration: an attach returns without having waited for anything', async (t) => {
  const { d } = attached();
  d.call('arm_smmu_attach_dev_blocked', { a0: '0xb10c', a1: '0x1' }).store('ste', 0x10000 + 3 * 64, '0x1').ret('arm_smmu_attach_dev_blocked');
  await broken(t, d, 'stale-configuration', /^an STE that says stage1 where abort is due$/);
});

test('stale-configuration: a CD in use is rewritten and nothing is waited for', async (t) => {
  const { d } = attached();
  const other = new Domain(d, '0xd1', 2);
  d.call('arm_smmu_attach_dev', { a0: '0xd1', a1: '0x1' }).store('cd', 0x20000 + 3 * 64 + 8, hex(other.root)).store('cd', 0x20000 + 3 * 64, '0x2e204c0003510').ret('arm_smmu_attach_dev');
  await broken(t, d, 'stale-configuration', /^an older CD can still be used$/);
});

test('stale-configuration: what an attach installs is not what it is called', async (t) => {
  const { d } = attached();
  d.call('arm_smmu_attach_dev_identity', { a0: '0x1d', a1: '0x1' }).store('ste', 0x10000 + 3 * 64, '0x1').issue([{ op: OP.CFGI_STE, sid: 3, leaf: 1 }]).ret('arm_smmu_attach_dev_identity');
  await broken(t, d, 'stale-configuration', /^an STE that says abort where bypass is due$/);
});

test('tag-lifetime: an asid is used again, flushed and not', async (t) => {
  const reuse = (flush: boolean): Driver => {
    const { d, dom } = attached();
    dom.map(4, PA);
    d.block(3, flush ? { flush: 1 } : {}).call('arm_smmu_domain_free_paging', { a0: '0xd0' });
    return d.attach(3, new Domain(d, '0xd0', 1));
  };
  await clean(t, reuse(true));
  const r = await broken(t, reuse(false), 'tag-lifetime', /a tag is used again while facts of its former owner remain/);
  t.regex(r.explained[0]?.verified ?? '', /TLBI/);
});

test('isolation: two domains that live share an asid', async (t) => {
  const { d } = attached();
  d.attach(5, new Domain(d, '0xd1', 1));
  await broken(t, d, 'isolation', /two live domains share a tag/);
});

test('before reset: no CFGI_ALL, no TLBI', async (t) => {
  await broken(t, new Driver().boot({ cfgi: false }), 'stale-configuration', /from before reset/);
  const d = new Driver().boot({ tlbi: false });
  await broken(t, d.attach(3, new Domain(d, '0xd0', 1)), 'isolation', /not cleaned since reset/);
});

test('illegal-command and queue-integrity end the judging, and say so', async (t) => {
  const { d } = attached();
  d.issue([{ op: OP.TLBI_NH_VA, asid: 1, tg: 1 }]);
  const r = await broken(t, d, 'illegal-command', /reserved/);
  t.regex(r.result.doubts[0]?.why ?? '', /from this line on nothing is judged/);
  const e = attached().d;
  e.add({ cpu: 0, ev: 'issue', count: 1, sync: 1 }, { cpu: 0, ev: 'cmd', idx: 12, op: 'SYNC', raw: ['0x46', '0x0'] }, { ev: 'prod', v: 13 }, { cpu: 1, ev: 'cmd', idx: 12, op: 'TLBI_NSNH_ALL', raw: ['0x30', '0x0'] });
  await broken(t, e, 'queue-integrity', /published-entry-changed/);
});

test('what the stage-1 machine does not model is judged on the whole one, from the beginning', async (t) => {
  const { d, dom } = attached();
  d.issue([{ op: OP.TLBI_S12_VMALL, vmid: 3 }]);
  dom.map(4, PA).unmap(4).sync([]);
  const r = await broken(t, d, 'stale-translation', /outlives/);
  t.is(r.machine, 'whole');
  t.is((await broken(t, attached().dom.map(4, PA).unmap(4).sync([]).driver, 'stale-translation', /outlives/)).machine, 'stage1');
});

test('what neither machine models is inconclusive from there on', async (t) => {
  const d = new Driver().boot({ idr0: '0xd45101b' });
  const dom = new Domain(d, '0xd0', 1);
  d.attach(3, dom).issue([{ op: OP.PRI_RESP, sid: 3, resp: 1 }]);
  dom.map(4, PA).unmap(4).sync([]);
  const { result } = await traceRecording(d.write());
  t.is(result.verdict, 'inconclusive');
  t.regex(result.doubts[0]?.why ?? '', /^not modelled: command PRI_RESP \(page requests and stalls\); from this line on nothing is judged$/);
});

test('a recording that contradicts itself is refused with the line', async (t) => {
  const with_ = (...lines: Record<string, unknown>[]): Driver => attached().d.add(...lines);
  t.regex(await refused(t, with_({ ev: 'take', idx: 3, op: 'CFGI_STE' })), /^:\d+: the SMMU takes CFGI_STE from entry 3, where SYNC was put: the recording contradicts itself$/);
  t.regex(await refused(t, with_({ ev: 'prod', v: 40 })), /PROD 40 publishes entry \d+, for which no command is recorded/);
  t.regex(await refused(t, with_({ ev: 'cons', v: 60 })), /CONS 60 is read while it was/);
  t.regex(await refused(t, with_({ cpu: 0, ev: 'cmd', idx: 40, op: 'TLBI_NH_VA', raw: ['0x46', '0x0'] })), /the command is called TLBI_NH_VA, but its opcode is 0x46 \(SYNC\)/);
  const { d, dom } = attached();
  dom.map(4, PA);
  d.xlat(3, 0x4000, PA + 0x1000, [[hex(dom.level3 + 32), hex(PA + 0x1f47)]]);
  t.regex(await refused(t, d), /the walk reads 0x80001f47 at 0x[0-9a-f]+, where the stores left 0x80000f47/);
});

test('a translation that no SMMU may give is the device\'s fault', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA);
  d.add({ cpu: 0, ev: 'mark', text: 'x' }).xlat(3, 0x9000, PA);
  await broken(t, d, 'machine-refinement', /what no SMMU may answer/);
});

test('unknown events and calls are counted by name', async (t) => {
  const { d } = attached();
  d.add({ ev: 'xyz' }, { ev: 'xyz' }).call('some_other').ret('some_other');
  t.deepEqual((await clean(t, d)).result.unknown, { 'call some_other': 1, 'ret some_other': 1, xyz: 2 });
});

test('the SMMU switched off and on again starts like after reset', async (t) => {
  const off = (cleaned: boolean): Driver => {
    const { d, dom } = attached();
    dom.map(4, PA);
    d.add({ ev: 'reg', reg: 'CR0', v: '0x8' }).xlat(3, 0x4000, 0x4000);
    if (cleaned) d.issue([{ op: OP.CFGI_STE_RANGE, range: 31 }]).issue([{ op: OP.TLBI_NSNH_ALL }]);
    return d.add({ ev: 'reg', reg: 'CR0', v: '0xd' });
  };
  t.is((await clean(t, off(true))).result.accesses.skipped, 1);
  await broken(t, off(false), 'stale-configuration', /from before reset/);
});

// ---- What must not be dropped in silence

test('tables that no attach names are those of the domain whose maps store to their root', async (t) => {
  const nameless = (flush: boolean): Driver => {
    const { d, dom } = attached();
    d.lines = d.lines.filter((l) => !(l['ev'] === 'call' || l['ev'] === 'ret') || !String(l['f']).startsWith('arm_smmu_attach_dev'));
    dom.map(4, PA);
    d.store('pt', dom.root + 8, '0x0');
    d.lines.splice(d.lines.findIndex((l) => l['ev'] === 'map') + 1, 0, { cpu: 0, ev: 'wr', to: 'pt', pa: hex(dom.root), v: [hex(dom.level1 + 3)] });
    dom.unmap(4).sync(flush ? [dom.tlbi(4)] : []);
    return d;
  };
  await clean(t, nameless(true));
  await broken(t, nameless(false), 'stale-translation', /outlives/);
});

test('what cannot be judged says so: tables of nobody, unmaps of unknown tables, a sync on another CPU, small tables', async (t) => {
  const doubts = async (d: Driver): Promise<string> => {
    const { result } = await traceRecording(d.write());
    t.deepEqual(result.findings, []);
    t.is(result.verdict, 'inconclusive');
    return result.doubts.map((x) => x.why).join(' | ');
  };
  const { d, dom } = attached();
  d.lines = d.lines.filter((l) => l['f'] !== 'arm_smmu_attach_dev');
  const other = new Domain(d, '0xd1', 2);
  d.attach(4, other);
  other.map(4, PA).unmap(4).sync([other.tlbi(4)]);
  t.is(dom.asid, 1);
  t.regex(await doubts(d), /^tables are in use that belong to no recorded domain \(asid 1\): what they map is not judged$/);
  const { d: e } = attached();
  t.regex(await doubts(e.add({ cpu: 0, ev: 'unmap', pt: '0x77', iova: '0x4000', pgsize: '0x1000', count: 1 }, { cpu: 0, ev: 'unmap.ret', size: '0x1000' })), /^an unmap of a page table that no map names: it is not judged$/);
  const { d: f, dom: moving } = attached();
  moving.map(4, PA).unmap(4);
  f.cpu = 1;
  moving.sync([]);
  t.regex(await doubts(f), /^a sync on one CPU while what its domain unmapped was unmapped on another/);
  const { d: g } = attached();
  g.add({ cpu: 0, ev: 'pt.alloc', va: 'small', pa: hex(0x900040), size: '0x40' }, { cpu: 0, ev: 'pt.free', va: 'small', size: '0x40' });
  t.regex(await doubts(g), /^a table that is smaller than a page is freed/);
});

test('a write that a read-only page refuses', async (t) => {
  const { d, dom } = attached();
  dom.map(4, PA);
  d.lines = d.lines.map((l) => (l['ev'] === 'map' ? { ...l, prot: '0x1' } : l['ev'] === 'wr' && l['pa'] === hex(dom.level3 + 32) ? { ...l, v: [hex(PA + 0xfc7)] } : l));
  d.add({ ev: 'fault', type: 'F_PERMISSION', sid: 3, iova: '0x4000' }).xlat(3, 0x4000, PA);
  await clean(t, d);
});

test('CONS with an error: the recorded SMMU refused a command, or stopped for another reason', async (t) => {
  const stopped = (error: number): Driver => {
    const { d } = attached();
    d.issue([{ op: OP.TLBI_NH_ASID, asid: 1 }]);
    const at = d.lines.map((l) => l['ev']).lastIndexOf('cons');
    d.lines[at] = { ...d.lines[at], v: error * 2 ** 24 + 12 };
    return d;
  };
  await broken(t, stopped(1), 'illegal-command', /^the SMMU refused /);
  for (const [error, why] of [[3, /an ATC invalidation that was not answered/], [2, /error 2/]] as const) {
    const { result } = await traceRecording(stopped(error).write());
    t.is(result.verdict, 'inconclusive');
    t.regex(result.doubts[0]?.why ?? '', why);
  }
});

test('hostile sizes are refused, with the line', async (t) => {
  const with_ = (...lines: Record<string, unknown>[]): Driver => attached().d.add(...lines);
  t.regex(await refused(t, with_({ cpu: 0, ev: 'map', pt: '0x1', dom: '0x1', iova: '0x0', pa: '0x0', pgsize: '0x1000', count: 2 ** 40 })), /"count" is larger than 4194304$/);
  t.regex(await refused(t, with_({ cpu: 2 ** 40, ev: 'map.ret', ret: 0 })), /"cpu" is larger than 65535$/);
  t.regex(await refused(t, with_({ cpu: -1, ev: 'map.ret', ret: 0 })), /"cpu" must be a number/);
  t.regex(await refused(t, with_({ cpu: 0, ev: 'wr', to: 'pt', pa: '-0x8', v: ['0x0'] })), /"pa" must be a number/);
  t.regex(await refused(t, with_({ cpu: 0, ev: 'clean', pa: '0x0', size: 2 ** 30 })), /"size" is larger/);
  t.regex(await refused(t, with_({ ev: 'xlat', sid: 1, iova: 'NaN', pa: '0x0' })), /"iova" must be a number/);
  t.regex(await refused(t, with_({ ev: 'reg', reg: 'CMDQ_BASE', v: '0x5000001f' })), /2\^19 are the most/);
  t.regex(await refused(t, new Driver().boot().add({ ev: 'reg', reg: 'CR0', v: '0x8' }, { ev: 'reg', reg: 'STRTAB_BASE_CFG', v: '0x3f' }, { ev: 'reg', reg: 'CR0', v: '0xd' })), /more than 32768 pages/);
});
