/** Why left: one sentence for each way in which a command does not ask for a fact; and a reason of its own wherever match.ts says that it need not go. */
import test from 'ava';
import type { Fact } from '../../../src/reference/machine/facts.js';
import { matches, type MatchContext } from '../../../src/reference/machine/match.js';
import { remediesFor } from '../../../src/reference/machine/remedies.js';
import { whyLeft } from '../../../src/reference/machine/why-left.js';
import { describeCommand, OP, type Command } from '../../../src/spec/command.js';
import { atc, combined, leafFact, structure, tableFact } from './made.js';
import { atcInv, CFGI_ALL, cfgiCd, cfgiSte, cmd, EL2_ALL, nhAll, nhAsid, nhVa, NSNH_ALL, s12, s2Ipa, SYNC } from './rig.js';

const M: MatchContext = { vmw: 0, e2h: false, ds: false, wholeRunOnly: false, enabled: true, queue: 0 };
const LEAF = leafFact({});
const VA = { vmid: 3, frame: 0x200 };

const ROWS: readonly (readonly [Command, Fact, RegExp, Partial<MatchContext>?])[] = [
  [SYNC, LEAF, /^invalidates nothing$/],
  [cmd({ op: OP.PREFETCH_CONFIG, sid: 5 }), LEAF, /^invalidates nothing$/],
  [CFGI_ALL, LEAF, /CFGI need not touch the TLB \(§4\.3\.1\)/],
  [atcInv(5), LEAF, /reaches the endpoint's ATC/],
  [NSNH_ALL, structure('ste', -1, [5, 1]), /TLBI does not touch cached STEs/],
  [NSNH_ALL, atc({}), /only ATC_INV does/],
  [nhAll(4), LEAF, /^names vmid 4, not 3$/],
  [nhAsid(8, 3), LEAF, /^names asid 8, not 7$/],
  [nhAsid(7, 3), leafFact({ asid: -1 }), /global entry is spared by ASID/],
  [nhVa(8, 0x200, VA), tableFact({}), /^names asid 8, not 7$/],
  [nhVa(7, 0x201, { vmid: 3 }), LEAF, /^names 0x201000, not 0x200000$/],
  [nhVa(7, 0x200, { ...VA, leaf: 1 }), tableFact({}), /Leaf = 1 asks for no table descriptor/],
  [nhVa(7, 0x200, { ...VA, tg: 1, ttl: 2 }), LEAF, /TTL = 2 asks for leaves of level 2 only, not of level 3/],
  [nhVa(7, 0x200, { ...VA, tg: 1, ttl: 2 }), tableFact({}), /TTL = 2 asks for table descriptors above level 2 only, not of level 2/],
  [nhVa(7, 0x200, { ...VA, tg: 2, num: 1 }), LEAF, /names the 16K granule, and the entry is of 4K/],
  [nhVa(7, 0x1f0, { vmid: 3, tg: 1, num: 1 }), LEAF, /covers 0x1f0000\.\.0x1f2000: it ends before 0x200000/],
  [nhVa(7, 0x201, { vmid: 3, tg: 1, num: 1 }), LEAF, /it starts behind 0x200000/],
  [nhVa(7, 0x200, { ...VA, tg: 1, num: 1 }), leafFact({ va: 2 ** 52 - 1 }), /the other half of the addresses/],
  [nhVa(7, 0x200, { ...VA, tg: 1, num: 1 }), leafFact({ run: true, frames: 16 }), /only a part of the contiguous run.*erratum/, { wholeRunOnly: true }],
  [s2Ipa(3, 0x200), LEAF, /names stage-2 entries only/],
  [s2Ipa(3, 0x900), combined({}), /need not remove entries that combine both stages \(§4\.4\.3\.1\)/],
  [nhAll(3), leafFact({ stage: 2, asid: -1 }), /^need not touch stage-2 entries/],
  [EL2_ALL, leafFact({ stage: 2, asid: -1 }), /names entries of EL2 only/],
  [s12(4), leafFact({ stage: 2, asid: -1 }), /names vmid 4, not 3/],
  [s2Ipa(3, 0x300), tableFact({ stage: 2, asid: -1, frames: 16 }), /names 0x300000, not 0x200000\.\.0x210000/],
  [EL2_ALL, LEAF, /names entries of EL2, not of EL1/],
  [nhAll(0), leafFact({ world: 1, vmid: 0 }), /names entries of EL1, not of EL2 \(/],
  [cmd({ op: OP.TLBI_EL2_ASID, asid: 7 }), leafFact({ world: 1, vmid: 0, asid: -1 }), /names entries of EL2-E2H, not of EL2 \(/],
  [cmd({ op: OP.TLBI_EL2_VA, asid: 7, frame: 0x200 }), leafFact({ world: 2, vmid: 0 }), /names entries of EL2 \(CR2\.E2H = 0\), not of EL2-E2H/],
  [cmd({ op: OP.TLBI_EL2_VA, asid: 8, frame: 0x200 }), leafFact({ world: 2, vmid: 0 }), /names asid 8, not 7/, { e2h: true }],
  [cfgiSte(4), structure('ste', -1, [5, 1]), /^names stream 4, not stream 5$/],
  [cmd({ op: OP.CFGI_STE_RANGE, sid: 3, range: 0 }), structure('ste', -1, [4, 1]), /covers streams 2\.\.3, not stream 4/],
  [cfgiCd(5, 0), structure('ste', -1, [5, 1]), /removes CDs, not STEs/],
  [cfgiSte(5), structure('l1std', -1, [0, 64]), /Leaf = 1 leaves level-1 descriptors/],
  [cfgiCd(5, 1), structure('cd', 5, [2, 1]), /names CD 1, not CD 2/],
  [cfgiCd(6, 2), structure('cd', 5, [2, 1]), /names stream 6, not stream 5/],
  [cfgiCd(5, 64, 0), structure('l1cd', 5, [0, 64]), /names CD 64, not CDs 0\.\.63/],
  [cfgiCd(5, 2), structure('l1cd', 5, [0, 64]), /Leaf = 1 leaves level-1 descriptors/],
  [atcInv(6), atc({}), /names stream 6, not 5/],
  [atcInv(5, { ssv: 1, ssid: 0 }), atc({}), /names PASID 0: entries without a PASID stay/],
  [atcInv(5, { ssv: 1, ssid: 2 }), atc({ ssid: 3 }), /names PASID 2, not 3/],
  [atcInv(5, { size: 0, frame: 0x200 }), atc({ aliases: true }), /ignored top byte/],
  [atcInv(5, { size: 2, frame: 0x207 }), atc({}), /covers 0x204000\.\.0x208000 \(aligned to its size\), not 0x200000/],
];

for (const [c, f, expected, context] of ROWS) {
  test(`${describeCommand(c)} and ${f.kind} ${f.kind === 'leaf' || f.kind === 'table' ? `${f.stage} ${f.world} ${f.asid} ${f.va}` : ''}: ${expected.source}`, (t) => {
    const m = { ...M, ...context };
    t.false(matches(c, f, m));
    t.regex(whyLeft(c, f, m), expected);
  });
}

const FACTS: readonly Fact[] = [
  LEAF, leafFact({ asid: -1 }), leafFact({ stage: 2, asid: -1 }), combined({}), leafFact({ world: 1, vmid: 0, asid: -1 }), leafFact({ world: 2, vmid: 0 }), leafFact({ world: 2, vmid: 0, asid: -1 }),
  leafFact({ tg: 16, frames: 16 }), leafFact({ level: 2, frames: 512 }), tableFact({}), tableFact({ stage: 2, asid: -1 }), tableFact({ stage: 3 }), tableFact({ world: 1, vmid: 0, asid: -1 }),
  structure('ste', -1, [5, 1]), structure('l1std', -1, [0, 64]), structure('cd', 5, [2, 1]), structure('l1cd', 5, [0, 64]), atc({}), atc({ ssid: 2 }), atc({ aliases: true }),
];

const TAGS = [{}, { vmid: 3 }, { vmid: 3, asid: 7 }, { asid: 7 }] as const;
const WHERE = [{ frame: 0x200 }, { frame: 0x100 }, { frame: 0x200, leaf: 1 }, { frame: 0x200, tg: 1, num: 1 }, { frame: 0x200, tg: 1, ttl: 2, leaf: 1 }, { frame: 0x200, tg: 3, ttl: 3 }, { frame: 0x300, tg: 1, num: 3 }] as const;

test('whatever need not go has a reason of its own', (t) => {
  let asked = 0;
  for (const f of FACTS) for (const e2h of [false, true]) for (const op of Object.values(OP)) for (const tag of TAGS) for (const where of WHERE) {
    for (const sid of [5, 6]) for (const ssv of [0, 1]) {
      const c = cmd({ op, sid, ssid: 2, ssv, range: 0, size: 1, ...tag, ...where });
      if (matches(c, f, { ...M, e2h })) continue;
      asked += 1;
      if (/does not match it|does not name TLB entries|, not (-1|NaN|undefined)/.test(whyLeft(c, f, { ...M, e2h }))) t.fail(`${describeCommand(c)} and ${JSON.stringify({ ...f, premises: 0, regime: 0, element: 0, first: 0, second: 0 })}: ${whyLeft(c, f, { ...M, e2h })}`);
    }
  }
  t.true(asked > 5000);
});

test('every fact has a remedy, and every remedy removes it', (t) => {
  for (const f of FACTS) for (const e2h of [false, true]) {
    const m = { ...M, e2h };
    const found = remediesFor(f, m);
    const hard = f.kind === 'leaf' || f.kind === 'table' ? f.world !== 0 : false;
    if (!hard) t.true(found.length > 0);
    for (const c of found) t.true(matches(c, f, m));
  }
  t.is(describeCommand(remediesFor(LEAF, M)[0] ?? SYNC), 'TLBI_NH_VA vmid 3 asid 7 va 0x200000 leaf');
  t.is(describeCommand(remediesFor(structure('ste', -1, [5, 1]), M)[0] ?? SYNC), 'CFGI_STE sid 5 leaf');
  t.is(describeCommand(remediesFor(tableFact({}), M)[0] ?? SYNC), 'TLBI_NH_VA vmid 3 asid 7 va 0x200000');
  t.is(describeCommand(remediesFor(atc({ ssid: 2, frames: 3 }), M)[0] ?? SYNC), 'ATC_INV sid 5 ssid 2 va 0x200000 size 2');
  t.is(remediesFor(atc({ aliases: true }), M)[0]?.size, 52);
});
