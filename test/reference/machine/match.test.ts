/**
 * Match, every cell of the tables of IHI 0070 §4.3–§4.5: one row for each kind of fact and tag relation, naming exactly the commands that must
 * remove it; all others need not. Then the address side: TTL, TG, ranges, halves, runs; VMID wildcards; ATC spans.
 */
import test from 'ava';
import type { Fact } from '../../../src/reference/machine/facts.js';
import { isCfgi, isTlbi, matches, type MatchContext } from '../../../src/reference/machine/match.js';
import { OP, type Command } from '../../../src/spec/command.js';
import type { Tg } from '../../../src/spec/granule.js';
import { atc, combined, leafFact, structure, tableFact } from './made.js';
import { atcInv, CFGI_ALL, cfgiCd, cfgiSte, cmd, EL2_ALL, nhAll, nhAsid, nhVa, NSNH_ALL, s12, s2Ipa, SYNC } from './rig.js';

const M: MatchContext = { vmw: 0, e2h: false, ds: false, wholeRunOnly: false, enabled: true, queue: 0 };
const E2H: MatchContext = { ...M, e2h: true };
const EL2 = 1;
const EL2_E2H = 2;

/** Commands that all name sid 5, substream 2, vmid 3, asid 7, frame 0x200; each address command with Leaf = 0 and with Leaf = 1. */
const AT = { vmid: 3, asid: 7, frame: 0x200 };
const COMMANDS: Readonly<Record<string, Command>> = {
  'ste': cfgiSte(5, 0), 'ste leaf': cfgiSte(5), 'range': cmd({ op: OP.CFGI_STE_RANGE, sid: 5, range: 0 }), 'all': CFGI_ALL,
  'cd': cfgiCd(5, 2, 0), 'cd leaf': cfgiCd(5, 2), 'cd all': cmd({ op: OP.CFGI_CD_ALL, sid: 5 }),
  'nsnh': NSNH_ALL, 'nh all': nhAll(3), 's12': s12(3), 'nh asid': nhAsid(7, 3), 'el2 all': EL2_ALL, 'el2 asid': cmd({ op: OP.TLBI_EL2_ASID, asid: 7 }),
  'nh va': nhVa(7, 0x200, { vmid: 3 }), 'nh va leaf': nhVa(7, 0x200, { vmid: 3, leaf: 1 }), 'nh vaa': cmd({ op: OP.TLBI_NH_VAA, vmid: 3, frame: 0x200 }), 'nh vaa leaf': cmd({ op: OP.TLBI_NH_VAA, vmid: 3, frame: 0x200, leaf: 1 }),
  'el2 va': cmd({ op: OP.TLBI_EL2_VA, ...AT, vmid: 0 }), 'el2 va leaf': cmd({ op: OP.TLBI_EL2_VA, ...AT, vmid: 0, leaf: 1 }),
  'el2 vaa': cmd({ op: OP.TLBI_EL2_VAA, frame: 0x200 }), 'el2 vaa leaf': cmd({ op: OP.TLBI_EL2_VAA, frame: 0x200, leaf: 1 }),
  's2': s2Ipa(3, 0x200), 's2 leaf': s2Ipa(3, 0x200, { leaf: 1 }),
  'atc': atcInv(5), 'atc pasid': atcInv(5, { ssv: 1, ssid: 2 }), 'atc global': atcInv(5, { ssv: 1, ssid: 2, global: 1 }),
  'prefetch': cmd({ op: OP.PREFETCH_CONFIG, sid: 5 }), 'prefetch va': cmd({ op: OP.PREFETCH_ADDR, sid: 5, frame: 0x200 }), 'resume': cmd({ op: OP.RESUME, sid: 5 }), 'sync': SYNC,
};

const CFGI = 'ste, ste leaf, range, all';
const ALL_S1 = 'nsnh, nh all, s12';

const ROWS: readonly (readonly [string, Fact, string, MatchContext?])[] = [
  ['L1STD that serves the stream', structure('l1std', -1, [0, 64]), 'ste, range, all'],
  ['L1STD of other streams', structure('l1std', -1, [64, 64]), 'all'],
  ['STE', structure('ste', -1, [5, 1]), CFGI],
  ['STE of the other stream of the pair', structure('ste', -1, [4, 1]), 'range, all'],
  ['STE of another stream', structure('ste', -1, [6, 1]), 'all'],
  ['L1CD that serves the index', structure('l1cd', 5, [0, 64]), `${CFGI}, cd, cd all`],
  ['L1CD of other indices', structure('l1cd', 5, [64, 64]), `${CFGI}, cd all`],
  ['L1CD of another stream', structure('l1cd', 6, [0, 64]), 'all'],
  ['CD', structure('cd', 5, [2, 1]), `${CFGI}, cd, cd leaf, cd all`],
  ['CD of another index', structure('cd', 5, [3, 1]), `${CFGI}, cd all`],
  ['CD of the other stream of the pair', structure('cd', 4, [2, 1]), 'range, all'],
  ['CD of another stream that shares the table', structure('cd', 6, [2, 1]), 'all'],
  ...[leafFact, combined].flatMap((make, i): (readonly [string, Fact, string, MatchContext?])[] => {
    const n = i === 0 ? 'stage-1 leaf' : 'combined leaf';
    const va = 'nh va, nh va leaf';
    const vaa = 'nh vaa, nh vaa leaf';
    return [
      [n, make({}), `${ALL_S1}, nh asid, ${va}, ${vaa}`],
      [`${n}, global`, make({ asid: -1 }), `${ALL_S1}, ${va}, ${vaa}`],
      [`${n}, other ASID`, make({ asid: 8 }), `${ALL_S1}, ${vaa}`],
      [`${n}, other VMID`, make({ vmid: 4 }), 'nsnh'],
      [`${n}, other VMID, global`, make({ vmid: 4, asid: -1 }), 'nsnh'],
      [`${n}, other address`, make({ va: 0x201 }), `${ALL_S1}, nh asid`],
      [`${n}, a block with the address in it`, make({ va: 0x200, frames: 512, level: 2 }), `${ALL_S1}, nh asid, ${va}, ${vaa}`],
    ];
  }),
  ['EL2 leaf', leafFact({ world: EL2, vmid: 0, asid: -1 }), 'el2 all, el2 va, el2 va leaf, el2 vaa, el2 vaa leaf'],
  ['EL2 leaf, E2H = 1', leafFact({ world: EL2, vmid: 0, asid: -1 }), 'el2 all', E2H],
  ['E2H leaf, E2H = 0', leafFact({ world: EL2_E2H, vmid: 0 }), 'el2 all, el2 asid'],
  ['E2H leaf', leafFact({ world: EL2_E2H, vmid: 0 }), 'el2 all, el2 asid, el2 va, el2 va leaf, el2 vaa, el2 vaa leaf', E2H],
  ['E2H leaf, other ASID', leafFact({ world: EL2_E2H, vmid: 0, asid: 8 }), 'el2 all, el2 vaa, el2 vaa leaf', E2H],
  ['E2H leaf, global', leafFact({ world: EL2_E2H, vmid: 0, asid: -1 }), 'el2 all, el2 va, el2 va leaf, el2 vaa, el2 vaa leaf', E2H],
  ['E2H leaf, other address', leafFact({ world: EL2_E2H, vmid: 0, va: 0x300 }), 'el2 all, el2 asid', E2H],
  ['stage-2 leaf', leafFact({ stage: 2, asid: -1 }), 'nsnh, s12, s2, s2 leaf'],
  ['stage-2 leaf, other VMID', leafFact({ stage: 2, asid: -1, vmid: 4 }), 'nsnh'],
  ['stage-2 leaf, other address', leafFact({ stage: 2, asid: -1, va: 0x300 }), 'nsnh, s12'],
  ...[1, 3].flatMap((stage): (readonly [string, Fact, string, MatchContext?])[] => {
    const n = stage === 1 ? 'stage-1 table' : 'nested table that holds a PA';
    return [
      [n, tableFact({ stage }), `${ALL_S1}, nh asid, nh va, nh vaa`],
      [`${n}, other ASID`, tableFact({ stage, asid: 8 }), `${ALL_S1}, nh vaa`],
      [`${n}, other VMID`, tableFact({ stage, vmid: 4 }), 'nsnh'],
      [`${n}, other address`, tableFact({ stage, va: 0x400 }), `${ALL_S1}, nh asid`],
    ];
  }),
  ['EL2 table', tableFact({ world: EL2, vmid: 0, asid: -1 }), 'el2 all, el2 va, el2 vaa'],
  ['EL2 table, E2H = 1', tableFact({ world: EL2, vmid: 0, asid: -1 }), 'el2 all', E2H],
  ['E2H table', tableFact({ world: EL2_E2H, vmid: 0 }), 'el2 all, el2 asid, el2 va, el2 vaa', E2H],
  ['E2H table, other ASID', tableFact({ world: EL2_E2H, vmid: 0, asid: 8 }), 'el2 all, el2 vaa', E2H],
  ['E2H table, E2H = 0', tableFact({ world: EL2_E2H, vmid: 0 }), 'el2 all, el2 asid'],
  ['stage-2 table', tableFact({ stage: 2, asid: -1 }), 'nsnh, s12, s2'],
  ['stage-2 table, other VMID', tableFact({ stage: 2, asid: -1, vmid: 4 }), 'nsnh'],
  ['stage-2 table, other address', tableFact({ stage: 2, asid: -1, va: 0x400 }), 'nsnh, s12'],
  ['ATC entry without PASID', atc({}), 'atc'],
  ['ATC entry of the PASID', atc({ ssid: 2 }), 'atc, atc pasid, atc global'],
  ['ATC entry of another PASID', atc({ ssid: 3 }), 'atc, atc global'],
  ['ATC entry of another stream', atc({ sid: 6 }), ''],
];

for (const [name, fact, expected, m] of ROWS) {
  test(`${name}: exactly ${expected === '' ? 'none' : expected}`, (t) => {
    const must = Object.entries(COMMANDS).filter(([, c]) => matches(c, fact, m ?? M)).map(([n]) => n);
    t.deepEqual(must.sort(), expected === '' ? [] : expected.split(', ').sort());
  });
}

test('which commands are of which sort', (t) => {
  const named = (is: (op: number) => boolean): string[] => Object.entries(OP).filter(([, op]) => is(op)).map(([n]) => n);
  t.deepEqual(named(isCfgi), ['CFGI_STE', 'CFGI_STE_RANGE', 'CFGI_CD', 'CFGI_CD_ALL']);
  t.deepEqual(named(isTlbi), Object.keys(OP).filter((n) => n.startsWith('TLBI_')));
});

test('CFGI_STE_RANGE: the low Range + 1 bits of the StreamID are ignored; a level-1 descriptor goes with any stream of it', (t) => {
  const range = (sid: number, r: number): Command => cmd({ op: OP.CFGI_STE_RANGE, sid, range: r });
  t.true(matches(range(7, 2), structure('ste', -1, [0, 1]), M));
  t.false(matches(range(7, 2), structure('ste', -1, [8, 1]), M));
  t.true(matches(range(0x47, 2), structure('l1std', -1, [64, 64]), M));
  t.false(matches(range(0x47, 2), structure('l1std', -1, [0, 64]), M));
  t.true(matches(range(3, 30), structure('ste', -1, [2 ** 31 - 1, 1]), M));
  t.false(matches(range(3, 30), structure('ste', -1, [2 ** 31, 1]), M));
});

// ---- §4.4.1.1: TTL and Leaf --------------------------------------------------------------------------------------------------------------

test('TTL: leaves of that level only; table descriptors above it only, and with Leaf = 0 only', (t) => {
  for (const ttl of [0, 1, 2, 3]) {
    for (const leaf of [0, 1]) {
      const c = nhVa(7, 0, { vmid: 3, tg: 1, num: 1, ttl, leaf });
      const leaves = [1, 2, 3].filter((level) => matches(c, leafFact({ va: 0, frames: 2 ** (9 * (3 - level)), level }), M));
      const tables = [-1, 0, 1, 2].filter((level) => matches(c, tableFact({ va: 0, frames: 512, level }), M));
      t.deepEqual(leaves, ttl === 0 ? [1, 2, 3] : [ttl], `ttl ${ttl}`);
      t.deepEqual(tables, leaf === 1 ? [] : [-1, 0, 1, 2].filter((level) => ttl === 0 || level < ttl), `ttl ${ttl} leaf ${leaf}`);
    }
  }
});

test('TTL of a stage-2 range: the same', (t) => {
  const c = s2Ipa(3, 0, { tg: 1, num: 1, ttl: 2 });
  t.true(matches(c, leafFact({ stage: 2, asid: -1, va: 0, frames: 512, level: 2 }), M));
  t.false(matches(c, leafFact({ stage: 2, asid: -1, va: 0, level: 3 }), M));
  t.true(matches(c, tableFact({ stage: 2, asid: -1, va: 0, level: 1 }), M));
  t.false(matches(c, tableFact({ stage: 2, asid: -1, va: 0, level: 2 }), M));
});

test('TTL = 1 with 16K granules counts as 0 without DS', (t) => {
  const c = nhVa(7, 0, { vmid: 3, tg: 2, num: 1, ttl: 1 });
  const page = leafFact({ tg: 14, va: 0, frames: 4 });
  const block = leafFact({ tg: 14, va: 0, frames: 2 ** 24, level: 1 });
  t.true(matches(c, page, M));
  t.false(matches(c, page, { ...M, ds: true }));
  t.true(matches(c, block, { ...M, ds: true }));
});

test('without TG the other fields of a range mean nothing', (t) => {
  const c = nhVa(7, 0, { vmid: 3, ttl: 2, num: 31, scale: 3 });
  t.true(matches(c, leafFact({ va: 0 }), M));
  t.false(matches(c, leafFact({ va: 1 }), M));
});

// ---- §4.4.1.1: ranges --------------------------------------------------------------------------------------------------------------------

test('a range reaches entries of its granule only; without TG any', (t) => {
  for (const [tg, field] of [[12, 1], [14, 2], [16, 3]] as const) {
    for (const own of [12, 14, 16] as const) {
      const frames = 2 ** (own - 12);
      t.is(matches(nhVa(7, 0, { vmid: 3, tg: field, num: 3 }), leafFact({ tg: own, va: 0, frames }), M), tg === own);
      t.is(matches(nhVa(7, 0, { vmid: 3, tg: field, num: 3 }), tableFact({ tg: own, va: 0 }), M), tg === own);
      t.true(matches(nhVa(7, 0, { vmid: 3 }), leafFact({ tg: own, va: 0, frames }), M));
    }
  }
});

test('the ends of a range: (NUM + 1) << SCALE granules, entries that overlap it go whole', (t) => {
  for (const [tg, field] of [[12, 1], [14, 2], [16, 3]] as readonly (readonly [Tg, number])[]) {
    const unit = 2 ** (tg - 12);
    const c = nhVa(7, 64 * unit, { vmid: 3, tg: field, num: 2, scale: 2 }); // 12 granules
    const at = (granule: number, count = 1): boolean => matches(c, leafFact({ tg, va: granule * unit, frames: count * unit }), M);
    t.false(at(63));
    t.true(at(64));
    t.true(at(75));
    t.false(at(76));
    t.true(at(60, 8), 'overlaps the start');
    t.true(at(72, 8), 'overlaps the end');
    t.true(at(0, 256), 'encloses the range');
    t.is(matches(c, tableFact({ tg, va: 75 * unit, frames: 512 * unit }), M), true);
    t.is(matches(c, tableFact({ tg, va: 76 * unit, frames: 512 * unit }), M), false);
  }
});

test('a range from the lower half need not reach the upper; one at the top does not wrap', (t) => {
  const top = 2 ** 52;
  const up = nhVa(7, 0, { vmid: 3, tg: 1, num: 31, scale: 47 });
  t.true(matches(up, leafFact({ va: 2 ** 30 }), M));
  t.false(matches(up, leafFact({ va: top - 1 }), M));
  t.false(matches(up, tableFact({ va: top - 512 }), M));
  const last = nhVa(7, top - 1, { vmid: 3, tg: 1, num: 31, scale: 3 });
  t.true(matches(last, leafFact({ va: top - 1 }), M));
  t.false(matches(last, leafFact({ va: 0 }), M));
  t.false(matches(last, leafFact({ va: top - 2 }), M));
});

test('stage 2 has no halves: an IPA range with bit 55 between is one range', (t) => {
  t.true(matches(s2Ipa(3, 2 ** 43 - 1, { tg: 1, num: 1, ttl: 3 }), leafFact({ stage: 2, asid: -1, va: 2 ** 43 }), M));
});

test('a contiguous run goes when any member is named; with the erratum only when one range spans it', (t) => {
  const run = leafFact({ va: 0x10, frames: 16, run: true });
  const erratum = { ...M, wholeRunOnly: true };
  const member = nhVa(7, 0x14, { vmid: 3, tg: 1, ttl: 3 });
  const whole = nhVa(7, 0x10, { vmid: 3, tg: 1, num: 15 });
  const late = nhVa(7, 0x11, { vmid: 3, tg: 1, num: 15 });
  t.deepEqual([member, whole, late].map((c) => matches(c, run, M)), [true, true, true]);
  t.deepEqual([member, whole, late].map((c) => matches(c, run, erratum)), [false, true, false]);
  t.true(matches(member, leafFact({ va: 0x14 }), erratum), 'members by themselves go as ever');
  t.false(matches(member, leafFact({ va: 0x15 }), M));
  t.true(matches(nhVa(7, 0x14, { vmid: 3 }), run, erratum), 'the erratum is about ranges');
  t.true(matches(nhAsid(7, 3), run, erratum));
  t.false(matches({ ...whole, tg: 2 }, run, erratum));
});

test('a block that stage 2 splits: any address of the stage-1 block removes every piece', (t) => {
  const first = leafFact({ va: 0x200, frames: 512, level: 2 });
  const piece = { ...combined({ va: 0x210 }), level: 2, first };
  t.true(matches(nhVa(7, 0x3ff, { vmid: 3 }), piece, M));
  t.true(matches(nhVa(7, 0x200, { vmid: 3, tg: 1, ttl: 2 }), piece, M));
  t.false(matches(nhVa(7, 0x400, { vmid: 3 }), piece, M));
});

// ---- wildcards and ATC -------------------------------------------------------------------------------------------------------------------

test('CR0.VMW: so many low bits of the VMID are ignored, in every command that has one', (t) => {
  const commands = [nhAll(8), s12(8), nhAsid(7, 8), nhVa(7, 0x200, { vmid: 8 }), cmd({ op: OP.TLBI_NH_VAA, vmid: 8, frame: 0x200 })];
  for (const vmw of [0, 1, 2, 3, 4]) {
    const m = { ...M, vmw };
    for (const c of commands) {
      const hit = Array.from({ length: 32 }, (_, vmid) => vmid).filter((vmid) => matches(c, leafFact({ vmid }), m));
      const first = 8 - (8 % 2 ** vmw);
      t.deepEqual(hit, Array.from({ length: 2 ** vmw }, (_, i) => first + i), `op ${c.op} vmw ${vmw}`);
    }
    t.is(matches(s2Ipa(8, 0x200), leafFact({ stage: 2, asid: -1, vmid: 9 }), m), vmw > 0);
    t.is(matches(s2Ipa(8, 0x200), tableFact({ stage: 2, asid: -1, vmid: 9 }), m), vmw > 0);
  }
});

test('ATC_INV: the address is aligned down to the span; 52 is everything', (t) => {
  const inv = (frame: number, size: number): Command => atcInv(5, { frame, size });
  const hits = (c: Command): number[] => Array.from({ length: 24 }, (_, va) => va).filter((va) => matches(c, atc({ va }), M));
  t.deepEqual(hits(inv(7, 2)), [4, 5, 6, 7]);
  t.deepEqual(hits(inv(7, 0)), [7]);
  t.deepEqual(hits(inv(9, 3)), [8, 9, 10, 11, 12, 13, 14, 15]);
  t.true(matches(inv(7, 0), atc({ va: 0, frames: 512 }), M), 'a large entry goes whole');
  t.true(matches(inv(0, 52), atc({ va: 2 ** 52 - 1 }), M));
  t.false(matches(inv(0, 51), atc({ va: 2 ** 52 - 1 }), M));
});
