/**
 * SystemLockstep: an ordinary world with nothing beyond stage 1 runs and is clean; a sequence through everything is clean, and each rule that systems add is seen
 * broken by a driver that lacks what the rule asks for.
 */
import test from 'ava';
import { replaySystem } from '../../src/lockstep/system-replay.js';
import { GUEST_FRAME } from '../../src/memory/pages.js';
import type { SystemOperation, SystemWorld } from '../../src/stack/system.js';
import type { RuleId } from '../../src/stack/violation.js';
import { DEFAULT_SMMU, smallWorld, type World } from '../../src/stack/world.js';

const STRICT = { mode: 'strict', managed: false } as const;

function plain(base: World): SystemWorld {
  return { base, smmus: base.smmus.map(() => ({})), devices: base.devices.map(() => ({})), domains: base.domains.map(() => ({})), vsmmus: [], guestFrames: 0 };
}

/** Domains: 0 stage 1, 1 a process's, 2 a parent. Device 0 has ATS and substreams. */
const WORLD: SystemWorld = {
  base: smallWorld({ smmus: [DEFAULT_SMMU], devices: [{ smmu: 0, streams: [2, 1] }, { smmu: 0, streams: [5, 5] }], domains: [STRICT, { ...STRICT, gather: 'sva' }, STRICT] }),
  smmus: [{ stage2: { vmidBits: 8, vmidMax: 3 }, ats: true, ssidBits: 3, forceWriteBack: true }], devices: [{ ats: true, ssidBits: 3 }, {}], domains: [{}, {}, { stage: 2, parent: true }],
  vsmmus: [{ smmu: 0, parent: 2 }], guestFrames: 4,
};

const map = (domain: number, iova: number, pa = 0x400000000, size = 4096): SystemOperation => ({ op: 'map', domain, iova, pa, size, prot: 'rw' });
const unmap = (domain: number, iova: number, size = 4096): SystemOperation => ({ op: 'unmap', domain, iova, size });
const sync = (domain: number): SystemOperation => ({ op: 'sync', domain });
const use = (ssid: number, iova: number, ats: 'no' | 'request' | 'translated'): SystemOperation => ({ op: 'transact', device: 0, stream: 0, ssid, iova, write: false, ats });

const THROUGH: readonly SystemOperation[] = [
  map(0, 0x1000), { op: 'attach', device: 0, to: 0 }, use(-1, 0x1000, 'request'), use(-1, 0x1000, 'translated'), unmap(0, 0x1000), sync(0), use(-1, 0x1000, 'translated'),
  map(1, 0x2000), { op: 'attach-pasid', device: 0, ssid: 1, to: 1 }, use(1, 0x2000, 'no'), { op: 'attach', device: 0, to: 'identity' }, use(1, 0x2000, 'request'), { op: 'mm-exit', domain: 1 },
  use(1, 0x2000, 'no'), { op: 'detach-pasid', device: 0, ssid: 1 }, map(2, 0x40000, GUEST_FRAME * 4096, 0x4000), { op: 'vsmmu-open', vsmmu: 0 },
  { op: 'guest-store', vsmmu: 0, ipa: 0x40008, lo: 0x41000, hi: 0 }, { op: 'guest-store', vsmmu: 0, ipa: 0x40000, lo: 0xc0003522, hi: 0x2e202 }, { op: 'guest-store', vsmmu: 0, ipa: 0x41000, lo: 0xf41, hi: 0 },
  { op: 'attach-nested', device: 1, vsmmu: 0, ste: [0x4000b, 0, 0xd6, 0] }, { op: 'access', device: 1, stream: 0, iova: 0x41000, write: false },
  { op: 'guest-commands', vsmmu: 0, words: [0x30, 0, 0, 0, 6, 1, 0, 0] }, unmap(2, 0x40000, 0x4000), sync(2), { op: 'attach', device: 1, to: 2 }, { op: 'detach', device: 1 }, { op: 'vsmmu-close', vsmmu: 0 },
];

test('nothing beyond stage 1: as on the fast machines', (t) => {
  const base = smallWorld({ smmus: [DEFAULT_SMMU, { ...DEFAULT_SMMU, range: false }], devices: [{ smmu: 0, streams: [1] }, { smmu: 1, streams: [2] }] });
  const run = replaySystem(plain(base), [map(0, 0x1000), { op: 'attach', device: 0, to: 0 }, { op: 'attach', device: 1, to: 0 }, { op: 'access', device: 1, stream: 0, iova: 0x1000, write: true }, unmap(0, 0x1000), sync(0)], {}, true);
  t.is(run.violation, null);
  t.deepEqual(run.rows.map((r) => r.optimised), ['ok', 'ok', 'ok', '0x400000000', 'ok', 'ok']);
});

test('a sequence through everything is clean, and devices get what is theirs', (t) => {
  const run = replaySystem(WORLD, THROUGH, {}, true);
  t.is(run.violation, null);
  t.is(run.unmodelled, null);
  const said = (i: number): string => run.rows[i]?.optimised ?? '';
  t.deepEqual([2, 3, 6, 9, 11, 13, 21].map(said), ['success 0x400000000 r', '0x400000000', 'nothing is sent', '0x400000000', 'success 0x400000000 r', 'abort', '0x100029000']);
  t.deepEqual(run.rows.filter((r) => r.reference !== r.optimised), []);
});

/** What each mutant breaks in that sequence. */
const BROKEN: readonly (readonly [mutant: string, rule: RuleId])[] = [
  ['missing-tlbi', 'stale-translation'], ['atc-beside-tlb', 'stale-atc'], ['ats-on-before-ste', 'stale-configuration'], ['ste-before-cd', 'stale-configuration'],
  ['always-through-invalid', 'hitless'], ['stale-ste-bits', 'hitless'], ['ended-by-invalid-cd', 'hitless'], ['substreams-gone-ste-stays', 'stale-configuration'], ['tag-freed-before-flush', 'tag-lifetime'],
  ['vmid-zero', 'tag-lifetime'], ['combined-kept', 'stale-translation'], ['clear-by-parent', 'accounting'], ['guest-all-forwarded', 'isolation'], ['guest-without-stage-2', 'stale-configuration'], ['sync-missing', 'stale-translation'],
];

for (const [mutant, rule] of BROKEN) {
  test(`${mutant} breaks ${rule}`, (t) => { t.is(replaySystem(WORLD, THROUGH, { mutant }).violation?.rule, rule); });
}

test('cut short: no teardown, and what was done is judged', (t) => {
  t.is(replaySystem(WORLD, THROUGH, { until: 2, mutant: 'atc-beside-tlb' }).violation, null);
});
