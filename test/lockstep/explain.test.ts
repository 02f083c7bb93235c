/** Explanations: the chain of causes, why each command left the fact, and the verified missing command. */
import test from 'ava';
import { explain, whyNot } from '../../src/lockstep/explain.js';
import { newCommand, OP, type Command } from '../../src/spec/command.js';
import type { Operation } from '../../src/stack/operation.js';
import type { FactPlace, Violation } from '../../src/stack/violation.js';
import { smallWorld, type World } from '../../src/stack/world.js';
import { attach, detach, KB4, map, MB2, smmu, sync, unmap, verdict } from '../rules/rig.js';

const TWO = smallWorld({ domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }], smmus: [smmu({ asidMax: 2 })] });
const ONE_TAG: World = { ...TWO, smmus: [smmu({ asidMax: 1 })] };
const SHARED = smallWorld({ smmus: [smmu(), smmu()], devices: [{ smmu: 0, streams: [1] }, { smmu: 1, streams: [1] }] });
const page = [attach(), map(0x5000, 0x70000), unmap(0x5000), sync()];

function explained(world: World, operations: readonly Operation[], mutant: string): ReturnType<typeof explain> {
  return explain(world, operations, verdict(operations, world, mutant) as Violation, mutant);
}

/** Mutant, world, operations, a line of the chain, the verified command. */
const ROWS: readonly [string, World, readonly Operation[], RegExp, RegExp][] = [
  ['missing-tlbi', smallWorld(), page, /made the entry \{asid 1 0x5000 -> 0x70000 level 3\} stale/, /inserting TLBI_NH_VA vmid 0 asid 1 va 0x5000 leaf/],
  ['wrong-asid', smallWorld(), page, /names asid 2, not 1/, /inserting TLBI_NH_VA vmid 0 asid 1 va 0x5000 leaf/],
  ['one-smmu-forgotten', SHARED, [attach(0, 0), attach(0, 1), map(0x5000, 0x70000), unmap(0x5000), sync()], /no command went to SMMU 1 since/, /inserting TLBI_NH_VA/],
  ['cfgi-missing-after-ste', smallWorld(), [attach('identity')], /changed the STE of stream 1/, /inserting CFGI_STE sid 1 leaf/],
  ['cfgi-missing-after-cd', TWO, [attach(0), attach(1)], /changed the CD of stream 1/, /inserting CFGI_CD sid 1 ssid 0 leaf/],
  ['asid-reused-without-flush', ONE_TAG, [attach(0), map(0x5000, 0x70000), detach(), attach(1)], /retired the last CD or STE with asid 1/, /inserting TLBI_NH_/],
  ['table-freed-before-sync', smallWorld(), [attach(), map(0, 4 * MB2 + KB4, MB2), unmap(0, MB2), sync()], /unlinked the table of 0x0/, /./],
  ['reset-without-cfgi-all', smallWorld(), [], /the entry was cacheable/, /inserting CFGI_STE/],
];

for (const [mutant, world, operations, line, verified] of ROWS) {
  test(`${mutant}: the chain says what happened`, (t) => {
    const found = explained(world, operations, mutant);
    t.true(found.because.some((b) => line.test(b)), found.because.join('\n'));
  });

  if (verified.source === '.') continue;
  test(`${mutant}: the missing command is verified by running again with it`, (t) => {
    const found = explained(world, operations, mutant);
    t.regex(found.verified ?? 'none', verified);
    t.true(found.tried >= 1);
  });
}

test('a missing SYNC is said to be missing', (t) => {
  const { because } = explained(smallWorld(), page, 'sync-missing');
  t.true(because.some((b) => /no CMD_SYNC completed since/.test(b)), because.join('\n'));
  t.true(because.some((b) => /names it, but no CMD_SYNC completes it/.test(b)), because.join('\n'));
});

test('freed before its invalidation: no single command afterwards helps', (t) => {
  const operations = [attach(), map(0, 4 * MB2 + KB4, MB2), unmap(0, MB2), sync()];
  const found = explained(smallWorld(), operations, 'table-freed-before-sync');
  t.true(found.verified === null || /op 3/.test(found.verified), String(found.verified)); // only before the call that frees
  t.true(found.tried > 0);
});

test('a plan that reaches too little: the gather, the plan, and no command is tried', (t) => {
  const operations = [attach(), map(0x5000, 0x70000, 2 * KB4), unmap(0x5000, 2 * KB4), sync()];
  const found = explained(smallWorld(), operations, 'last-page-dropped');
  t.deepEqual([found.verified, found.tried], [null, 0]);
  t.true(found.because.some((b) => /0x5000\.\.0x6fff/.test(b)), found.because.join('\n'));
  t.true(found.because.some((b) => /planned TLBI_NH_VA.*1 granules/.test(b)), found.because.join('\n'));
});

test('a failure that does not happen again is said not to be deterministic', (t) => {
  const v = verdict(page, smallWorld(), 'missing-tlbi') as Violation;
  t.regex(explain(smallWorld(), page, v).because.join(), /not deterministic/);
});

const leaf: FactPlace = { smmu: 0, kind: 'leaf', asid: 3, frame: 5, frames: 1, level: 3 };
const table: FactPlace = { smmu: 0, kind: 'table', asid: 3, frame: 512, frames: 512, level: 2 };

function va(change: Partial<Command> = {}): Command {
  return { ...newCommand(), op: OP.TLBI_NH_VA, asid: 3, frame: 5, ...change };
}

const REASONS: readonly [string, Command, FactPlace, RegExp][] = [
  ['another ASID', va({ asid: 4 }), leaf, /names asid 4, not 3/],
  ['another address', va({ frame: 6 }), leaf, /covers 0x6000\.\.0x7000, not 0x5000/],
  ['a range that ends before', va({ frame: 0, tg: 1, num: 4, ttl: 3 }), leaf, /covers 0x0\.\.0x5000, not 0x5000/],
  ['another level', va({ frame: 0, tg: 1, num: 15, ttl: 2 }), leaf, /TTL = 2 does not ask for level 3 leaves/],
  ['Leaf = 1 for a table', va({ frame: 512, leaf: 1 }), table, /Leaf = 1 asks for no table/],
  ['a CFGI for a leaf', { ...newCommand(), op: OP.CFGI_STE, sid: 1 }, leaf, /need not touch the TLB/],
  ['it names the leaf', va(), leaf, /names it, but what it is derived from/],
  ['another STE', { ...newCommand(), op: OP.CFGI_STE, sid: 2, leaf: 1 }, { smmu: 0, kind: 'ste', sid: 1 }, /does not name that STE/],
  ['the STE too early', { ...newCommand(), op: OP.CFGI_STE, sid: 1, leaf: 1 }, { smmu: 0, kind: 'ste', sid: 1 }, /memory still showed the older form/],
  ['another CD', { ...newCommand(), op: OP.CFGI_CD, sid: 2, leaf: 1 }, { smmu: 0, kind: 'cd', sid: 1 }, /does not name that CD/],
  ['the CD too early', { ...newCommand(), op: OP.CFGI_CD, sid: 1, leaf: 1 }, { smmu: 0, kind: 'cd', sid: 1 }, /could be read again/],
];

for (const [what, command, place, reason] of REASONS) {
  test(`why a command leaves the fact: ${what}`, (t) => {
    t.regex(whyNot(command, place), reason);
  });
}
