/** Hosts beyond stage 1 of 4K granules at EL1: honest ones are ok on the whole machine, and each thing left out is convicted for what it is. */
import test, { type ExecutionContext } from 'ava';
import { OP, type Command } from '../../src/spec/command.js';
import type { Tg } from '../../src/spec/granule.js';
import { traceRecording, type TraceReport } from '../../src/trace/run.js';
import type { RuleId } from '../../src/stack/violation.js';
import { Host, Space, type HostOptions } from './host.js';

const PA = 0x80000000;
const SID = 3;

async function honest(t: ExecutionContext, h: Host): Promise<TraceReport> {
  const r = await traceRecording(h.write());
  t.deepEqual(r.result.findings, []);
  t.deepEqual(r.result.doubts, []);
  t.is(r.machine, 'whole');
  t.is(r.result.accesses.permitted, r.result.accesses.seen);
  return r;
}

async function convicted(t: ExecutionContext, h: Host, rule: RuleId, cause: RegExp): Promise<TraceReport> {
  const r = await traceRecording(h.write());
  t.is(r.result.verdict, 'violation');
  t.is(r.result.findings[0]?.rule, rule, JSON.stringify(r.result.findings));
  t.regex(r.result.findings[0]?.cause ?? '', cause);
  return r;
}

interface Kind {
  readonly name: string;
  readonly o: Partial<HostOptions>;
  readonly stage: 1 | 2;
}

const KINDS: readonly Kind[] = [
  { name: 'EL2 with E2H, 4K', o: { el2: true }, stage: 1 },
  ...([14, 16] as const).flatMap((tg: Tg): Kind[] => [
    { name: `stage 1, ${2 ** (tg - 10)}K`, o: { tg }, stage: 1 }, { name: `EL2 with E2H, ${2 ** (tg - 10)}K`, o: { tg, el2: true }, stage: 1 }, { name: `stage 2, ${2 ** (tg - 10)}K`, o: { tg }, stage: 2 },
  ]),
  { name: 'stage 2, 4K', o: {}, stage: 2 },
  { name: 'stage 2, 4K, no ranges', o: { range: false }, stage: 2 },
];

/** Maps eight pages, unmaps four of them, and says this. */
function unmapped(k: Kind, commands: (s: Space, iova: number) => readonly Partial<Command>[]): Host {
  const h = new Host(k.o);
  const s = new Space(h, '0xd0', 7, k.stage);
  const iova = 16 * s.granule;
  h.attachTo(SID, s);
  s.map(iova, PA, { count: 8 });
  h.translated(SID, iova + s.granule, PA + s.granule);
  s.unmap(iova, { count: 4 });
  h.syncs(s, commands(s, iova));
  h.translated(SID, iova + 4 * s.granule, PA + 4 * s.granule).fault(SID, iova);
  return h;
}

function four(s: Space, iova: number, change: Partial<Command> = {}): Partial<Command>[] {
  return s.h.o.range ? [s.tlbi(iova, 4, change)] : [0, 1, 2, 3].map((i) => s.tlbi(iova + i * s.granule, 1, change));
}

for (const k of KINDS) {
  const other: Partial<Command> = k.stage === 2 ? { vmid: 8 } : { asid: 8 };
  const leaf = k.stage === 2 ? /^a stage-2 level 3 leaf outlives its unmap$/ : /^a level 3 leaf outlives its unmap$/;
  test(`${k.name}: unmap and invalidate`, async (t) => {
    const { result } = await honest(t, unmapped(k, four));
    t.true(result.rules['stale-translation'].decided > 0 && result.rules.isolation.decided > 0 && result.rules['stale-configuration'].decided > 0 && result.rules['tag-lifetime'].decided > 0);
    t.is(result.accesses.seen, 3);
  });
  test(`${k.name}: the invalidation is left out`, async (t) => {
    const { explained: [e] } = await convicted(t, unmapped(k, () => []), 'stale-translation', leaf);
    const name = k.stage === 2 ? 'TLBI_S2_IPA vmid 7' : k.o.el2 === true ? 'TLBI_EL2_VA asid 7' : 'TLBI_NH_VA vmid 0 asid 7';
    t.true(e?.verified?.startsWith(`${name} `), e?.verified ?? 'nothing');
    t.regex(e?.story.join('\n') ?? '', /^line \d+ made the stage-\d leaf \{.*\} stale: its descriptor changed/);
    t.regex(e?.story.join('\n') ?? '', /no command that invalidates went out since/);
  });
  test(`${k.name}: another tag`, async (t) => { await convicted(t, unmapped(k, (s, iova) => four(s, iova, other)), 'stale-translation', leaf); });
  test(`${k.name}: one page too few`, async (t) => {
    await convicted(t, unmapped(k, (s, iova) => (s.h.o.range ? [s.tlbi(iova, 3)] : four(s, iova).slice(1))), 'stale-translation', leaf);
  });
  if (k.o.range !== false) {
    test(`${k.name}: a range of another granule`, async (t) => {
      const { explained: [e] } = await convicted(t, unmapped(k, (s, iova) => [s.tlbi(iova, 4, { tg: s.h.o.tg === 12 ? 2 : 1 })]), 'stale-translation', leaf);
      t.regex(e?.story.join('\n') ?? '', /granule/);
    });
  }
  test(`${k.name}: the descriptor still stands`, async (t) => {
    const h = new Host(k.o);
    const s = new Space(h, '0xd0', 7, k.stage);
    h.attachTo(SID, s);
    s.map(0, PA).unmap(0, { clear: false });
    h.syncs(s, [s.tlbi(0)]);
    await convicted(t, h, 'stale-translation', /^memory still shows/);
  });
  test(`${k.name}: a leaf that nobody asked for`, async (t) => {
    const h = new Host(k.o);
    const s = new Space(h, '0xd0', 7, k.stage);
    h.attachTo(SID, s);
    s.map(0, PA, { stored: PA + s.granule });
    await convicted(t, h, 'isolation', /^a leaf that the domain does not map$/);
  });
  test(`${k.name}: a table taken out and freed needs Leaf = 0`, async (t) => {
    const taken = (leafOnly: number): Host => {
      const h = new Host(k.o);
      const s = new Space(h, '0xd0', 7, k.stage);
      h.attachTo(SID, s);
      s.map(0, PA, { count: 2 });
      const table = s.unlink(3, 0);
      h.syncs(s, leafOnly === 0 ? [s.whole()] : four(s, 0));
      return h.freeTable(table);
    };
    await honest(t, taken(0));
    await convicted(t, taken(1), 'stale-translation', /a leaf below a stale table descriptor/);
  });
  test(`${k.name}: an emptied table is freed with its pointer cached`, async (t) => {
    const freed = (flush: boolean): Host => {
      const h = new Host(k.o);
      const s = new Space(h, '0xd0', 7, k.stage);
      h.attachTo(SID, s);
      s.map(0, PA, { count: 2 }).unmap(0, { count: 2 });
      h.syncs(s, [s.tlbi(0, s.h.o.range ? 2 : 1), s.tlbi(s.granule)]);
      const table = s.unlink(3, 0);
      if (flush) h.syncs(s, [s.tlbi(0, 1, { leaf: 0, ttl: 0, tg: 0, num: 0 })]);
      return h.freeTable(table);
    };
    await honest(t, freed(true));
    await convicted(t, freed(false), 'stale-walk', /^a cached table descriptor of a freed table$/);
  });
  test(`${k.name}: the CFGI of an STE is left out`, async (t) => {
    const h = new Host(k.o);
    h.attachTo(SID, new Space(h, '0xd0', 7, k.stage), { cfgiSte: false });
    await convicted(t, h, 'stale-configuration', /^an older STE outlives its CFGI and SYNC$/);
  });
  test(`${k.name}: a tag that is used again`, async (t) => {
    const again = (flush: boolean): Host => {
      const h = new Host(k.o);
      const first = new Space(h, '0xd0', 7, k.stage);
      h.attachTo(SID, first);
      first.map(0, PA);
      h.detach(SID, flush ? { flush: first.whole() } : {}).call('arm_smmu_domain_free_paging', { a0: '0xd0' }).ret('arm_smmu_domain_free_paging');
      return h.attachTo(SID, new Space(h, '0xd1', 7, k.stage));
    };
    await honest(t, again(true));
    await convicted(t, again(false), 'tag-lifetime', /^a tag is used again while facts of its former owner remain$/);
  });
  test(`${k.name}: two live domains under one tag`, async (t) => {
    const h = new Host(k.o);
    h.attachTo(SID, new Space(h, '0xd0', 7, k.stage)).attachTo(4, new Space(h, '0xd1', 7, k.stage));
    await convicted(t, h, 'isolation', /^two live domains share a tag$/);
  });
}

test('EL2: the commands of EL1 do not reach its entries', async (t) => {
  const el2: Kind = { name: '', o: { el2: true }, stage: 1 };
  const { explained: [e] } = await convicted(t, unmapped(el2, (s, iova) => four(s, iova, { op: OP.TLBI_NH_VA })), 'stale-translation', /outlives/);
  t.regex(e?.story.join('\n') ?? '', /TLBI_NH_VA vmid 0 asid 7 va 0x10000 .*: .*EL/);
  await honest(t, unmapped(el2, (s) => [s.whole()]));
  await convicted(t, unmapped(el2, () => [{ op: OP.TLBI_NH_ASID, asid: 7 }]), 'stale-translation', /outlives/);
  await convicted(t, unmapped(el2, () => [{ op: OP.TLBI_NSNH_ALL }]), 'stale-translation', /outlives/);
});

test('stage 2: the commands of stage 1 do not reach its entries', async (t) => {
  const s2: Kind = { name: '', o: {}, stage: 2 };
  for (const c of [{ op: OP.TLBI_NH_ALL, vmid: 7 }, { op: OP.TLBI_NH_VAA, vmid: 7, frame: 16, leaf: 1 }]) await convicted(t, unmapped(s2, () => [c]), 'stale-translation', /^a stage-2 level 3 leaf outlives its unmap$/);
  await honest(t, unmapped(s2, (s) => [s.whole()]));
});

test('blocks of each granule', async (t) => {
  for (const tg of [12, 14, 16] as const) {
    const block = (commands: (s: Space) => readonly Partial<Command>[]): Host => {
      const h = new Host({ tg, el2: true });
      const s = new Space(h, '0xd0', 7);
      h.attachTo(SID, s);
      s.map(0, 0x100000000 * 4, { level: 2 }).unmap(0, { level: 2 });
      return h.syncs(s, commands(s));
    };
    await honest(t, block((s) => [s.tlbi(0, 1, { ttl: 2 })]));
    await convicted(t, block((s) => [s.tlbi(0, 1, { ttl: 3 })]), 'stale-translation', /^a level 2 leaf outlives its unmap$/);
  }
});

// ---- PASIDs

const PASIDS: Partial<HostOptions> = { cdMax: 6 };

function pasids(o: Partial<HostOptions>, then: (h: Host, s: Space) => void): Host {
  const h = new Host({ ...PASIDS, ...o });
  h.attachTo(SID, new Space(h, '0xd0', 7));
  const s = new Space(h, '0xd5', 9);
  s.map(0x10000, PA);
  then(h, s);
  return h;
}

test('PASIDs: each has a domain of its own, and accesses are told apart', async (t) => {
  const { result } = await honest(t, pasids({}, (h, s) => {
    h.setPasid(SID, 5, s).translated(SID, 0x10000, PA, 5);
    s.unmap(0x10000);
    h.syncs(s, [s.tlbi(0x10000)]).clearPasid(SID, 5, { flush: s.whole() });
  }));
  t.is(result.accesses.permitted, 1);
  const { result: r } = await traceRecording(pasids({}, (h, s) => { h.setPasid(SID, 5, s).add({ cpu: 0, ev: 'mark', text: 'a' }).translated(SID, 0x10000, PA, 6).add({ cpu: 0, ev: 'mark', text: 'b' }); }).write());
  t.is(r.findings[0]?.rule, 'machine-refinement');
});

test('PASIDs: no CFGI_CD for the substream', async (t) => {
  await convicted(t, pasids({}, (h, s) => { h.setPasid(SID, 5, s, { cfgi: false }); }), 'stale-configuration', /^an older CD outlives its CFGI and SYNC$/);
  await convicted(t, pasids({}, (h, s) => { h.setPasid(SID, 5, s).clearPasid(SID, 5, { cfgi: false }); }), 'stale-configuration', /^an older CD outlives its CFGI and SYNC$/);
  const other = pasids({}, (h, s) => {
    h.call('arm_smmu_s1_set_dev_pasid', { a0: s.pointer }).word('cd', h.cdAddress(SID, 5) + 8, BigInt(s.root)).issue([{ op: OP.CFGI_CD, sid: SID, ssid: 6, leaf: 1 }]);
  });
  await convicted(t, other, 'stale-configuration', /^an older CD outlives its CFGI and SYNC$/);
});

test('PASIDs: an unmap of their domain', async (t) => {
  const unmapping = (c: (s: Space) => readonly Partial<Command>[]): Host => pasids({}, (h, s) => {
    h.setPasid(SID, 5, s);
    s.unmap(0x10000);
    h.syncs(s, c(s));
  });
  await honest(t, unmapping((s) => [s.tlbi(0x10000)]));
  await convicted(t, unmapping((s) => [s.tlbi(0x10000, 1, { asid: 7 })]), 'stale-translation', /^a level 3 leaf outlives its unmap$/);
});

test('PASIDs: two levels of CDs, and the level-1 descriptor that was invalid', async (t) => {
  const two = (l1: boolean): Host => pasids({ twoLevelCds: true, cdMax: 10 }, (h, s) => { h.setPasid(SID, 70, s, { l1 }).translated(SID, 0x10000, PA, 70); });
  await honest(t, two(true));
  await convicted(t, two(false), 'stale-configuration', /^an older level-1 CD descriptor/);
});

test('PASIDs of a process are said not to be judged', async (t) => {
  const { result } = await traceRecording(pasids({}, (h, s) => { h.call('arm_smmu_sva_set_dev_pasid', { a0: '0x5a' }).writeCd(SID, 5, s).ret('arm_smmu_sva_set_dev_pasid'); }).write());
  t.is(result.verdict, 'inconclusive');
  t.regex(result.doubts.map((d) => d.why).join(), /the tables of a process are not in the recording/);
});

// ---- ATS

function ats(commands: (h: Host, s: Space) => readonly (readonly Partial<Command>[])[], o: Partial<HostOptions> = {}, stage: 1 | 2 = 1): Host {
  const h = new Host({ ats: true, ...o });
  const s = new Space(h, '0xd0', 7, stage);
  const iova = 16 * s.granule;
  h.attachTo(SID, s);
  s.map(iova, PA, { count: 2 }).unmap(iova);
  return h.syncs(s, ...commands(h, s));
}

for (const [name, o, stage] of [['stage 1', {}, 1], ['64K', { tg: 16 }, 1], ['EL2', { el2: true }, 1], ['stage 2', {}, 2]] as const) {
  test(`ATS, ${name}: TLBI, SYNC, ATC_INV, SYNC`, async (t) => {
    const { result } = await honest(t, ats((h, s) => [[s.tlbi(16 * s.granule)], [h.atc(SID, 16 * s.granule)]], o, stage));
    t.true(result.rules['stale-atc'].decided > 0);
    const { explained: [e] } = await convicted(t, ats((_, s) => [[s.tlbi(16 * s.granule)]], o, stage), 'stale-atc', /^an ATC entry outlives the unmap of its page$/);
    t.regex(e?.verified ?? '', /^ATC_INV sid 3/);
    await convicted(t, ats((h, s) => [[s.tlbi(16 * s.granule), h.atc(SID, 16 * s.granule)]], o, stage), 'stale-atc', /outlives/);
    await convicted(t, ats((h, s) => [[h.atc(SID, 16 * s.granule)], [s.tlbi(16 * s.granule)]], o, stage), 'stale-atc', /outlives/);
    await convicted(t, ats((h, s) => [[s.tlbi(16 * s.granule)], [h.atc(4, 16 * s.granule)]], o, stage), 'stale-atc', /outlives/);
    await convicted(t, ats((h, s) => [[s.tlbi(16 * s.granule)], [h.atc(SID, 17 * s.granule)]], o, stage), 'stale-atc', /outlives/);
  });
}

test('ATS of a PASID: the substream of the ATC_INV matters, and so does a PASID that goes', async (t) => {
  const with5 = (c: Partial<Command>): Host => pasids({ ats: true }, (h, s) => {
    h.setPasid(SID, 5, s);
    s.unmap(0x10000);
    h.syncs(s, [s.tlbi(0x10000)], [h.atc(SID, 0x10000, c)]);
  });
  await honest(t, with5({ ssv: 1, ssid: 5 }));
  await honest(t, with5({}));
  await convicted(t, with5({ ssv: 1, ssid: 6 }), 'stale-atc', /^an ATC entry outlives the unmap of its page$/);
  await honest(t, pasids({ ats: true }, (h, s) => { h.setPasid(SID, 5, s).clearPasid(SID, 5, { flush: s.whole() }); }));
  await convicted(t, pasids({ ats: true }, (h, s) => { h.setPasid(SID, 5, s).clearPasid(SID, 5, { atc: false, flush: s.whole() }); }), 'stale-atc', /^an ATC entry outlives the domain that it was given for$/);
});

// ---- Nesting

function nested(then: (h: Host, parent: Space, guest: Space) => void): Host {
  const h = new Host();
  const parent = new Space(h, '0xd0', 7, 2);
  const guest = new Space(h, '0x9e57', 3);
  // The guest's memory, one to one: its CD and its tables.
  for (const at of [h.cdAddress(SID), guest.root]) parent.map(at - (at % 4096), at - (at % 4096), { write: true });
  then(h, parent, guest);
  return h;
}

function nestedSte(h: Host, parent: Space): [bigint, bigint, bigint, bigint] {
  const [s1, s2] = [h.stage1Ste(SID), h.stage2Ste(parent, 7n)];
  return [s1[0] | (7n << 1n), s1[1] | s2[1], s2[2], s2[3]];
}

test('nesting: what is combined of both stages, and pointers through stage 2', async (t) => {
  const both = (batches: readonly (readonly Partial<Command>[])[]): Host => nested((h, parent, guest) => {
    parent.map(0x5000, PA);
    h.writeCd(SID, 0, guest, false).call('arm_smmu_attach_dev_nested', { a0: '0x1' }).writeSte(SID, nestedSte(h, parent)).ret('arm_smmu_attach_dev_nested');
    h.word('pt', guest.root, 0x700000003n).issue([{ op: OP.TLBI_NH_ALL, vmid: 7 }]);
    let level = guest.root;
    for (const next of [0x6000000, 0x6001000, 0x6002000]) {
      parent.map(next, next);
      h.word('pt', level, BigInt(next) | 3n).issue([{ op: OP.TLBI_NH_ALL, vmid: 7 }]);
      level = next;
    }
    h.word('pt', level + 8, 0x5000n | 0xf47n);
    parent.unmap(0x5000);
    h.syncs(parent, ...batches);
  });
  const ipa: Partial<Command> = { op: OP.TLBI_S2_IPA, vmid: 7, frame: 5, leaf: 1 };
  const all: Partial<Command> = { op: OP.TLBI_NH_ALL, vmid: 7 };
  await honest(t, both([[ipa], [all]]));
  await convicted(t, both([[ipa]]), 'stale-translation', /^a combined entry of both stages outlives the unmap of its stage-2 page$/);
  await convicted(t, both([[ipa, all]]), 'stale-translation', /^a combined entry of both stages/);
  await convicted(t, both([[all]]), 'stale-translation', /^a stage-2 level 3 leaf outlives its unmap$/);
  await honest(t, both([[{ op: OP.TLBI_S12_VMALL, vmid: 7 }]]));
});

test('nesting: a guest table that went is not read through its old physical address', async (t) => {
  const gone = (batches: readonly (readonly Partial<Command>[])[]): Host => nested((h, parent, guest) => {
    parent.map(0x6000000, 0x6000000);
    h.writeCd(SID, 0, guest, false).call('arm_smmu_attach_dev_nested', { a0: '0x1' }).writeSte(SID, nestedSte(h, parent)).ret('arm_smmu_attach_dev_nested');
    h.word('pt', guest.root, 0x6000003n).issue([{ op: OP.TLBI_NH_ALL, vmid: 7 }]);
    parent.unmap(0x6000000);
    h.syncs(parent, ...batches);
  });
  const ipa: Partial<Command> = { op: OP.TLBI_S2_IPA, vmid: 7, frame: 0x6000, leaf: 1 };
  await honest(t, gone([[ipa], [{ op: OP.TLBI_NH_ALL, vmid: 7 }]]));
  await convicted(t, gone([[ipa]]), 'stale-walk', /^a pointer to a stage-1 table outlives the unmap of its stage-2 page$/);
});

test('nesting with ATS: entries are for the addresses of the guest, so all of them must go', async (t) => {
  const invalidated = (atc: readonly Partial<Command>[]): Host => {
    const h = new Host({ ats: true });
    const parent = new Space(h, '0xd0', 7, 2);
    const guest = new Space(h, '0x9e57', 3);
    for (const at of [h.cdAddress(SID), guest.root, 0x6000000, 0x6001000, 0x6002000]) parent.map(at - (at % 4096), at - (at % 4096));
    parent.map(0x5000, PA);
    h.writeCd(SID, 0, guest, false).call('arm_smmu_attach_dev_nested', { a0: '0x1' }).writeSte(SID, nestedSte(h, parent)).ret('arm_smmu_attach_dev_nested');
    [guest.root, 0x6000000, 0x6001000].forEach((at, i) => { h.word('pt', at, BigInt(0x6000000 + i * 4096) | 3n).issue([{ op: OP.TLBI_NH_ALL, vmid: 7 }]); });
    h.word('pt', 0x6002008, 0x5000n | 0xf47n);
    parent.unmap(0x5000);
    return h.syncs(parent, [{ op: OP.TLBI_S2_IPA, vmid: 7, frame: 5, leaf: 1 }], [{ op: OP.TLBI_NH_ALL, vmid: 7 }], atc);
  };
  await honest(t, invalidated([{ op: OP.ATC_INV, sid: SID, size: 52 }]));
  await convicted(t, invalidated([{ op: OP.ATC_INV, sid: SID, frame: 5, size: 0 }]), 'stale-atc', /^an ATC entry outlives the unmap of its page$/);
});

test('an STE that is not reset before SMMUEN, and TLB entries of EL2 that are not', async (t) => {
  const drop = async (name: string): Promise<TraceReport> => {
    const h = new Host({ el2: true });
    h.attachTo(SID, new Space(h, '0xd0', 7));
    h.lines = h.lines.map((l) => (l['op'] !== name ? l : l['ev'] === 'cmd' ? { ...l, op: 'PREFETCH_CONFIG', raw: ['0x1', '0x0'] } : { ...l, op: 'PREFETCH_CONFIG' }));
    return traceRecording(h.write());
  };
  t.is((await drop('CFGI_STE_RANGE')).result.findings[0]?.cause, 'configuration from before reset');
  t.is((await drop('TLBI_EL2_ALL')).result.findings[0]?.cause, 'a tag is used that was not cleaned since reset');
  t.deepEqual((await drop('TLBI_NSNH_ALL')).result.findings, []);
});

test('an illegal command, and a published one that is overwritten', async (t) => {
  const k: Kind = { name: '', o: { tg: 16 }, stage: 1 };
  await convicted(t, unmapped(k, (s, iova) => [s.tlbi(iova, 1, { ttl: 0 })]), 'illegal-command', /NUM, SCALE and TTL are all zero/);
  await convicted(t, unmapped(k, (s, iova) => [s.tlbi(iova, 1, { ttl: 2, frame: iova / 4096 + 16 })]), 'illegal-command', /not aligned/);
  const h = new Host({ tg: 16 });
  h.attachTo(SID, new Space(h, '0xd0', 7));
  const idx = h.lines.filter((l) => l['ev'] === 'cmd').length;
  h.add({ cpu: 0, ev: 'issue', count: 1, sync: 1 }, { cpu: 0, ev: 'cmd', idx, op: 'SYNC', raw: ['0x46', '0x0'] }, { ev: 'prod', v: idx + 1 }, { cpu: 1, ev: 'cmd', idx, op: 'TLBI_NSNH_ALL', raw: ['0x30', '0x0'] });
  await convicted(t, h, 'queue-integrity', /published-entry-changed/);
});

test('nesting: what a guest does by itself is said not to be judged', async (t) => {
  const h = new Host();
  const parent = new Space(h, '0xd0', 7, 2);
  parent.map(0x5000, PA);
  h.call('arm_smmu_attach_dev_nested', { a0: '0x1' }).writeSte(SID, nestedSte(h, parent)).ret('arm_smmu_attach_dev_nested');
  parent.unmap(0x5000);
  h.syncs(parent, []);
  const { result } = await traceRecording(h.write());
  t.is(result.findings[0]?.rule, 'stale-translation');
  t.regex(result.doubts.map((d) => d.why).join(), /the guest's own tables are not in the recording/);
});
