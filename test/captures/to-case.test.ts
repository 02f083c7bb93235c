/** From a recording to a case: one behaviour of the kernel a test, each with a recording of a few lines. */
import test, { type ExecutionContext } from 'ava';
import { CaptureError } from '../../src/captures/read.js';
import { importCapture, type Imported } from '../../src/captures/to-case.js';
import { decodeCase, encodeCase } from '../../src/operations/codec.js';
import { checkCase } from './checker.js';
import {
  alloc, attach, attachSimple, BOOT, call, flush, free, hex, jsonl, map, ret, sync, unmap, writeCapture, xlat, type Line,
} from './write.js';

const A = '0xfff0000000000a20';
const B = '0xfff0000000000b20';

async function imported(t: ExecutionContext, lines: readonly Line[], boot = BOOT): Promise<Imported> {
  const result = await importCapture(writeCapture('hand.jsonl', jsonl([...boot, ...lines])));
  t.deepEqual(decodeCase(encodeCase(result.case), 'hand'), result.case);
  const { report } = result;
  const total = [report.used, report.ignored, report.unknown].flatMap((c) => Object.values(c)).reduce((a, b) => a + b, 0);
  t.is(total, report.events);
  return result;
}

/** The operations in short: kind, domain or device, and the page addresses. */
function brief({ case: c }: Imported): string[] {
  return c.operations.map((o) => {
    switch (o.op) {
      case 'map': return `map ${o.domain} ${hex(o.iova)}+${hex(o.size)}=${hex(o.pa)} ${o.prot}`;
      case 'unmap': case 'iova-alloc': case 'iova-free': return `${o.op} ${o.domain} ${hex(o.iova)}+${hex(o.size)}`;
      case 'sync': case 'flush-all': return `${o.op} ${o.domain}`;
      case 'attach': return `attach ${o.device} ${o.to}`;
      case 'access': return `access ${o.device} ${hex(o.iova)} ${o.write ? 'w' : 'r'}`;
      default: return o.op;
    }
  });
}

function sound(t: ExecutionContext, result: Imported): void {
  t.deepEqual(checkCase(result.case).problems, []);
}

test('VFIO: unmanaged, several unmaps and one sync', async (t) => {
  const r = await imported(t, [
    ...attach(8, A, 0x50000), ...map(A, 0x200000, 0x400000, 2), ...map(A, 0x202000, 0x700000, 1, '0x5'),
    xlat(8, 0x201010, 0x401010), ...unmap(A, 0x200000, 2), xlat(8, 0x201010, 0x401010), ...unmap(A, 0x202000), ...sync(A),
  ]);
  t.deepEqual(brief(r), [
    'attach 0 0', 'map 0 0x200000+0x2000=0x400000 rw', 'map 0 0x202000+0x1000=0x700000 r', 'access 0 0x201010 r',
    'unmap 0 0x200000+0x2000', 'access 0 0x201010 r', 'unmap 0 0x202000+0x1000', 'sync 0',
  ]);
  t.deepEqual(r.case.observed, [{ at: 3, pa: 0x401010 }, { at: 5, pa: 0x401010 }]);
  t.deepEqual(r.case.world.domains, [{ mode: 'strict', managed: false }]);
  t.deepEqual(r.case.world.devices, [{ smmu: 0, streams: [0] }]);
  t.is(r.case.provenance['streams'], '0=0x8');
  t.is(r.case.provenance['kernel'], '7.2-test');
  sound(t, r);
  t.is(checkCase(r.case).checked.fading, 1);
});

test('strict: allocate, map, unmap, sync, free, and the same range again', async (t) => {
  const round = [alloc(A, 0x4000), ...map(A, 0x4000, 0x9000), xlat(3, 0x4000, 0x9000), ...unmap(A, 0x4000), ...sync(A), free(A, 0x4000)];
  const r = await imported(t, [...attach(3, A, 0x50000), ...round, ...round]);
  const ops = ['iova-alloc 0 0x4000+0x1000', 'map 0 0x4000+0x1000=0x9000 rw', 'access 0 0x4000 r', 'unmap 0 0x4000+0x1000', 'sync 0', 'iova-free 0 0x4000+0x1000'];
  t.deepEqual(brief(r), ['attach 0 0', ...ops, ...ops]);
  t.deepEqual(r.case.world.domains, [{ mode: 'strict', managed: true }]);
  t.deepEqual(r.report.added, {});
  sound(t, r);
});

test('lazy: free where the last unmap returned, flush where it was recorded', async (t) => {
  const r = await imported(t, [
    ...attach(3, A, 0x50000), alloc(A, 0x4000, 2), ...map(A, 0x4000, 0x9000, 2), alloc(A, 0x8000), ...map(A, 0x8000, 0x7000),
    ...unmap(A, 0x4000), ...unmap(A, 0x5000), xlat(3, 0x4000, 0x9000), ...unmap(A, 0x8000), ...flush(A),
    free(A, 0x4000, 2), free(A, 0x8000), alloc(A, 0x4000), ...map(A, 0x4000, 0x3000), xlat(3, 0x4000, 0x3000),
  ]);
  t.deepEqual(brief(r).slice(5), [
    'unmap 0 0x4000+0x1000', 'unmap 0 0x5000+0x1000', 'iova-free 0 0x4000+0x2000', 'access 0 0x4000 r',
    'unmap 0 0x8000+0x1000', 'iova-free 0 0x8000+0x1000', 'flush-all 0',
    'iova-alloc 0 0x4000+0x1000', 'map 0 0x4000+0x1000=0x3000 rw', 'access 0 0x4000 r',
  ]);
  t.deepEqual(r.case.world.domains, [{ mode: 'lazy', managed: true }]);
  sound(t, r);
});

test('a domain that becomes lazy in place moves to a fresh lazy one', async (t) => {
  const r = await imported(t, [
    ...attach(3, A, 0x50000), alloc(A, 0x8000, 4), ...map(A, 0x8000, 0x20000, 4, '0x5'), ...unmap(A, 0x9000), ...sync(A),
    alloc(A, 0x4000), ...map(A, 0x4000, 0x9000), ...unmap(A, 0x4000), xlat(3, 0x8000, 0x20000), ...flush(A), free(A, 0x4000),
  ]);
  const ops = brief(r);
  t.deepEqual(ops.slice(ops.indexOf('map 0 0x4000+0x1000=0x9000 rw') + 1), [
    'iova-alloc 1 0x4000+0x1000', 'iova-alloc 1 0x8000+0x4000',
    'map 1 0x4000+0x1000=0x9000 rw', 'map 1 0x8000+0x1000=0x20000 r', 'map 1 0xa000+0x2000=0x22000 r', 'attach 0 1',
    'unmap 0 0x4000+0x1000', 'unmap 0 0x8000+0x1000', 'unmap 0 0xa000+0x2000', 'sync 0',
    'iova-free 0 0x4000+0x1000', 'iova-free 0 0x8000+0x4000',
    'unmap 1 0x4000+0x1000', 'iova-free 1 0x4000+0x1000', 'access 0 0x8000 r', 'flush-all 1',
  ]);
  t.deepEqual(r.case.world.domains, [{ mode: 'strict', managed: true }, { mode: 'lazy', managed: true }]);
  t.is(r.report.added['map: the domain became lazy'], 3);
  sound(t, r);
});

test('identity and blocked come from the STE; bypass accesses keep their direction', async (t) => {
  const r = await imported(t, [
    ...attach(3, A, 0x50000), ...attachSimple(3, 'identity'), { ev: 'xlat.bypass', sid: '0x3', is_write: '1' },
    ...attachSimple(3, 'blocked'), ...attach(3, A, 0x50000),
  ]);
  t.deepEqual(brief(r), ['attach 0 0', 'attach 0 identity', 'access 0 0x0 w', 'attach 0 blocked', 'attach 0 0']);
  t.deepEqual(r.case.observed, [{ at: 2, bypass: true }]);
  sound(t, r);
});

test('a pointer that is used again after the domain was freed is another domain', async (t) => {
  const r = await imported(t, [
    ...attach(3, A, 0x50000), ...map(A, 0x4000, 0x9000), ...attachSimple(3, 'blocked'),
    call('arm_smmu_domain_free_paging', { a0: A }), ...attach(3, A, 0x50000), alloc(A, 0x4000), ...map(A, 0x4000, 0x6000), xlat(3, 0x4000, 0x6000),
  ]);
  t.deepEqual(brief(r), [
    'attach 0 0', 'map 0 0x4000+0x1000=0x9000 rw', 'attach 0 blocked', 'attach 0 1', 'iova-alloc 1 0x4000+0x1000',
    'map 1 0x4000+0x1000=0x6000 rw', 'access 0 0x4000 r',
  ]);
  t.deepEqual(r.case.world.domains.map((d) => d.managed), [false, true]);
  sound(t, r);
});

test('two devices in two domains; a linear stream table; StreamIDs above 63 are renumbered', async (t) => {
  const linear = BOOT.map((e) => (e['reg'] === 'STRTAB_BASE_CFG' ? { ...e, v: '0x10' } : e['reg'] === 'STRTAB_BASE' ? { ...e, v: '0x10000' } : e));
  const r = await imported(t, [
    ...attach(900, A, 0x50000), ...attach(70, B, 0x51000), ...map(A, 0, 0x1000), ...map(B, 0, 0x2000), xlat(70, 8, 0x2008), xlat(900, 8, 0x1008),
  ], linear);
  t.is(r.case.provenance['streams'], '0=0x384 1=0x46');
  t.deepEqual(r.case.world.devices, [{ smmu: 0, streams: [0] }, { smmu: 0, streams: [1] }]);
  sound(t, r);
});

test('a fault’s address comes from its walk', async (t) => {
  const walk = [['0x50000', '0x51003'], ['0x51008', '0x52003'], ['0x52010', '0x53003'], ['0x53018', '0x0']];
  const fault: Line = { ev: 'fault', type: 'F_TRANSLATION', sid: 3, walk };
  const r = await imported(t, [...attach(3, A, 0x50000), fault, { ...fault, walk: undefined }]);
  t.deepEqual(brief(r), ['attach 0 0', `access 0 ${hex(2 ** 30 + 2 * 2 ** 21 + 3 * 4096)} r`]);
  t.deepEqual(r.case.observed, [{ at: 1, fault: 'F_TRANSLATION' }]);
  t.deepEqual(r.report.notes, { 'fault without a walk to tell its address': 1 });
  sound(t, r);
});

test('a map without an allocation in a managed domain gets one, and gives it back when needed', async (t) => {
  const r = await imported(t, [
    ...attach(3, A, 0x50000), alloc(A, 0x4000), ...map(A, 0x3000, 0x8090000, 3), ...unmap(A, 0x3000, 3), ...sync(A), alloc(A, 0x5000), free(A, 0x4000),
  ]);
  t.deepEqual(brief(r).slice(1), [
    'iova-alloc 0 0x4000+0x1000', 'iova-alloc 0 0x3000+0x1000', 'iova-alloc 0 0x5000+0x1000', 'map 0 0x3000+0x3000=0x8090000 rw',
    'unmap 0 0x3000+0x3000', 'sync 0', 'iova-free 0 0x5000+0x1000', 'iova-alloc 0 0x5000+0x1000', 'iova-free 0 0x4000+0x1000',
  ]);
  t.deepEqual(r.report.added, { 'iova-alloc: mapped without an allocation': 2, 'iova-free: gives back an added allocation': 1 });
  sound(t, r);
});

test('a lazy range that is freed without waiting is flushed at once', async (t) => {
  const r = await imported(t, [
    ...attach(3, A, 0x50000), alloc(A, 0x4000), ...map(A, 0x4000, 0x9000), ...unmap(A, 0x4000), ...flush(A), free(A, 0x4000),
    alloc(A, 0x4000), free(A, 0x4000), alloc(A, 0x4000),
  ]);
  t.deepEqual(brief(r).slice(5), ['flush-all 0', 'iova-alloc 0 0x4000+0x1000', 'iova-free 0 0x4000+0x1000', 'flush-all 0', 'iova-alloc 0 0x4000+0x1000']);
  sound(t, r);
});

test('failed maps and empty unmaps are taken back; short unmaps keep their real size', async (t) => {
  const r = await imported(t, [
    ...attach(3, A, 0x50000), ...map(A, 0x4000, 0x9000, 2),
    { ...map(A, 0x8000, 0x9000)[0], ev: 'map' }, { cpu: 0, ev: 'map.ret', ret: -12 },
    ...unmap(A, 0x4000, 2).map((e) => (e['ev'] === 'unmap.ret' ? { ...e, size: '0x1000' } : e)),
    ...unmap(A, 0x8000).map((e) => (e['ev'] === 'unmap.ret' ? { ...e, size: '0x0' } : e)),
  ]);
  t.deepEqual(brief(r).slice(1), ['map 0 0x4000+0x2000=0x9000 rw', 'unmap 0 0x4000+0x1000']);
  t.deepEqual(r.report.notes, { 'map that failed': 1, 'part of an unmap that ended early': 1, 'unmap that found nothing': 1 });
});

test('a sync counts where it returned, and at its call when no return was recorded', async (t) => {
  const [start, end] = sync(A) as [Line, Line];
  const body = [...attach(3, A, 0x50000), ...map(A, 0x4000, 0x9000), ...unmap(A, 0x4000), start, xlat(3, 0x4000, 0x9000)];
  t.deepEqual(brief(await imported(t, [...body, end])).slice(3), ['access 0 0x4000 r', 'sync 0']);
  const cut = await imported(t, body);
  t.deepEqual(brief(cut).slice(3), ['sync 0', 'access 0 0x4000 r']);
  t.regex(checkCase(cut.case).problems.join(), /stale: got 0x9000/);
});

test('an invalidation that no call explains is a sync', async (t) => {
  const inv: Line = { cpu: 0, ev: 'inv', iova: '0x4000', size: '0x1000', pt: `${A}f` };
  const r = await imported(t, [
    { ...map(A, 0x4000, 0x9000)[0], ev: 'map', dom: undefined, prot: undefined }, inv, { cpu: 0, ev: 'map.ret', ret: 0 },
    ...unmap(A, 0x4000).filter((e) => e['ev'] !== 'call' && e['ev'] !== 'ret'), inv, ret('arm_smmu_domain_inv_range'),
  ]);
  t.deepEqual(brief(r), ['map 0 0x4000+0x1000=0x9000 rw', 'unmap 0 0x4000+0x1000', 'sync 0']);
  t.deepEqual(r.case.world.devices, []);
});

test('accesses see an attach as soon as its STE is stored, returns or not', async (t) => {
  const lines = attach(3, A, 0x50000);
  const early = await imported(t, [...map(A, 0x4000, 0x9000), ...lines.slice(0, -1), xlat(3, 0x4000, 0x9000), ...lines.slice(-1)]);
  t.deepEqual(brief(early), ['map 0 0x4000+0x1000=0x9000 rw', 'attach 0 0', 'access 0 0x4000 r']);
  t.deepEqual(brief(await imported(t, lines.slice(0, -1))), ['attach 0 0']);
});

test('flushes of strict domains are a sync, or nothing', async (t) => {
  const r = await imported(t, [...flush(A), ...attach(3, A, 0x50000), ...map(A, 0x4000, 0x9000), ...unmap(A, 0x4000), ...flush(A), ...flush(A)]);
  t.deepEqual(brief(r), ['attach 0 0', 'map 0 0x4000+0x1000=0x9000 rw', 'unmap 0 0x4000+0x1000', 'sync 0']);
  t.is(r.report.notes['flush of a strict domain with nothing unmapped'], 2);
});

test('unknown kinds and functions are counted by name; internals are ignored by name', async (t) => {
  const r = await imported(t, [
    { ev: 'magic' }, { ev: 'magic' }, call('strange_function'), ret('strange_function'), { ev: 'wr', to: 'pt', pa: '0x50000', v: ['0x1'] }, { ev: 'cmd', raw: ['0x0', '0x0'] },
    { ev: 'iova.free', iovad: '0x1', iova: '0x0', size: '0x1000' }, { cpu: 1, ev: 'unmap', pt: '0x1', iova: '0x0', pgsize: '0x1000', count: 1 },
  ]);
  t.deepEqual(r.report.unknown, { 'call strange_function': 1, magic: 2, 'ret strange_function': 1 });
  t.deepEqual(r.report.ignored, { cmd: 1, meta: 1, wr: 1 });
  t.deepEqual(r.report.notes, { 'iova.free of an unknown allocator': 1, 'unmap of an unknown page table': 1 });
  t.deepEqual(r.case.operations, []);
});

test('the SMMU’s features come from its registers', async (t) => {
  const boot = (idr0: string, idr3: string): Line[] => BOOT.map((e) => (e['reg'] === 'IDR0' ? { ...e, v: idr0 } : e['reg'] === 'IDR3' ? { ...e, v: idr3 } : e));
  const small = (await imported(t, [], boot('0x1b', '0x14'))).case.world;
  t.like(small.smmus[0], { range: false, asidBits: 8, asidMax: 255 });
  const large = (await imported(t, [], boot('0x101b', '0x400'))).case.world;
  t.like(large.smmus[0], { range: true, asidBits: 16, asidMax: 255, queueLog2: 8, eventLog2: 7, tlbEntries: 256 });
  t.is(large.flushQueue, 4096);
});

test('accesses while the SMMU is off are not part of the case', async (t) => {
  const r = await imported(t, [{ ev: 'reg', reg: 'CR0', v: '0x0' }, { ev: 'xlat.bypass', sid: '0x3', is_write: '0' }]);
  t.deepEqual(r.case.operations, []);
  t.deepEqual(r.report.notes, { 'access while the SMMU was off': 1 });
});

test('what a case cannot hold is refused with file and line', async (t) => {
  const refusal = async (lines: readonly Line[]): Promise<string> =>
    (await t.throwsAsync(importCapture(writeCapture('hand.jsonl', jsonl([...BOOT, ...lines]))), { instanceOf: CaptureError })).message;
  t.regex(await refusal([{ ev: 'wr', to: 'ste', pa: '0x100c0', v: ['0xd'] }, xlat(3, 0, 0)]), /:10: in the "xlat" event the STE of StreamID 3 asks for stage 2/);
  t.regex(await refusal([{ ev: 'wr', to: 'ste', pa: '0x100c0', v: ['0xf'] }]), /:9: in the "wr" event the STE of StreamID 3 asks for stage 2/);
  t.regex(await refusal(Array.from({ length: 65 }, (_, sid) => xlat(sid, 0, 0))), /:73: in the "xlat" event StreamID 64 is one too many/);
  t.regex(await refusal(Array.from({ length: 33 }, (_, i) => map(hex(2 ** 40 + i), 0, 0)).flat()), /needs 33 domains, but a world has at most 32$/);
  t.regex(await refusal([{ ev: 'fault', type: 'F_NONE', sid: 3, walk: [] }]), /"type" must be the name of an SMMU event/);
  t.regex(await refusal([{ ev: 'map', pt: '0x1', dom: '0x2', iova: '0x0', pa: '0x0', pgsize: '0x1000' }]), /:9: in the "map" event "count" must be a number/);
  t.regex(await refusal([{ ev: 'ste.init', pa: '0x0', count: 1e9, v: [] }]), /"count" is larger than 65536/);
  t.regex(await refusal([{ ev: 'fill', to: 'ste', pa: '0x0', len: 1e9, v: '0x0' }]), /"len" is larger than any stream table/);
});

test('a filled stream table blocks its streams', async (t) => {
  const r = await imported(t, [...attach(3, A, 0x50000), { ev: 'fill', to: 'ste', pa: '0x10000', len: 4096, v: '0x0' }]);
  t.deepEqual(brief(r), ['attach 0 0', 'attach 0 blocked']);
});
