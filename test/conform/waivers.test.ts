/** Which known deviations a finding is: one, several that are needed together, or none. The machine is one that does not notice some illegal commands. */
import test, { type ExecutionContext } from 'ava';
import { loosened, waiversOf, type Failing, type Waiver } from '../../src/conform/waivers.js';
import { replayMachine } from '../../src/lockstep/machine-replay.js';
import type { Twins } from '../../src/lockstep/twins.js';
import { newCommand } from '../../src/spec/command.js';
import type { MachineOperation } from '../../src/stack/machine-world.js';
import { Unmodelled } from '../../src/stack/violation.js';
import { BOOT, CONFIG, FakeConcrete, FakeWeakest, script, WHERE, type Script } from '../lockstep/fake-twins.js';

/** Commands with these opcodes are illegal, and the machine takes them all the same. */
const [A, B, C] = [0x91, 0x92, 0x93];

function twinsOf(change: Partial<Script> = {}): Twins {
  const s = script({ blind: true, fails: (c) => (c.op > 0x90 ? 1 : 0), ...change });
  return { concrete: (memory) => new FakeConcrete(memory, s), weakest: (memory) => new FakeWeakest(memory, s) };
}

const boot: MachineOperation = { op: 'boot', smmu: 0, boot: BOOT };
const command = (op: number): MachineOperation => ({ op: 'command', smmu: 0, queue: 0, command: { ...newCommand(), op } });

function waiver(id: string, change: Partial<Waiver> = {}): Waiver {
  return { id, from: '7.2', clause: '', behaviour: '', hides: '', ...change };
}

/** What takes a command out of the sequence. */
function without(id: string, op: number, change: Partial<Waiver> = {}): Waiver {
  return waiver(id, { undo: (operations) => operations.filter((o) => o.op !== 'command' || o.command.op !== op), ...change });
}

const WAIVERS = [without('a', A), without('b', B), without('c', C)];

/** A sequence that fails, up to where it does. */
function failing(t: ExecutionContext, operations: readonly MachineOperation[], twins = twinsOf()): Failing {
  const world = { smmus: [CONFIG], frames: 16, judged: false };
  const { violation, failedAt } = replayMachine(world, operations, { twins });
  if (violation === null) throw new Error('it does not fail');
  t.is(violation.rule, 'machine-refinement');
  return { world, operations: operations.slice(0, failedAt + 1), violation };
}

/** All commands come before anybody looks, so that each of them is in the sequence that fails. */
function together(t: ExecutionContext, ...ops: readonly number[]): Failing {
  const operations = [boot, ...ops.map(command)];
  return { ...failing(t, operations), operations };
}

function ids(found: readonly Waiver[] | null): readonly string[] | null {
  return found?.map((w) => w.id) ?? null;
}

test('one that explains it alone', (t) => {
  t.deepEqual(ids(waiversOf(WAIVERS, failing(t, [boot, command(B)]), twinsOf())), ['b']);
});

test('the first of several that explain it alone', (t) => {
  t.deepEqual(ids(waiversOf([without('x', B), ...WAIVERS], failing(t, [boot, command(B)]), twinsOf())), ['x']);
});

test('several that are needed together, and no others', (t) => {
  t.deepEqual(ids(waiversOf(WAIVERS, together(t, C, A), twinsOf())), ['a', 'c']);
  t.deepEqual(ids(waiversOf(WAIVERS, together(t, A, B, C), twinsOf())), ['a', 'b', 'c']);
});

test('none, where something else is wrong as well', (t) => {
  t.is(waiversOf(WAIVERS, failing(t, [boot, command(0x94)]), twinsOf()), null);
  t.is(waiversOf(WAIVERS, together(t, A, 0x94), twinsOf()), null);
  t.is(waiversOf([], failing(t, [boot, command(A)]), twinsOf()), null);
});

test('none, where what is left cannot be judged', (t) => {
  const twins = twinsOf({ act: () => { throw new Unmodelled('anything'); } });
  const f = together(t, A);
  t.deepEqual(ids(waiversOf(WAIVERS, f, twins)), ['a']);
  t.is(waiversOf(WAIVERS, { ...f, operations: [...f.operations, { op: 'access', ...WHERE }] }, twins), null);
});

test('undoToo: only what is gone in both sequences is waived', (t) => {
  const f = together(t, A, B);
  const both = (first: Waiver, second: Waiver): Waiver => ({ ...first, ...(second.undo === undefined ? {} : { undoToo: second.undo }) });
  const everything = waiver('e', { undo: () => [boot] });
  t.deepEqual(ids(waiversOf([everything], f, twinsOf())), ['e']);
  t.is(waiversOf([both(everything, without('x', A))], f, twinsOf()), null);
  t.deepEqual(ids(waiversOf([both(everything, without('x', A)), without('b', B)], f, twinsOf())), ['e', 'b'], 'together with another');
  t.deepEqual(ids(waiversOf([both(everything, everything), without('a', A)], f, twinsOf())), ['e']);
});

test('hint: the waiver that a cause mostly means is tried first', (t) => {
  const f = failing(t, [boot, command(A)]);
  const [early, late] = [without('early', A), without('late', A, { hint: new RegExp(f.violation.cause) })];
  t.deepEqual(ids(waiversOf([early, late], f, twinsOf())), ['late']);
  t.deepEqual(ids(waiversOf([early, { ...late, hint: /nothing of that/ }], f, twinsOf())), ['early']);
});

test('when: only for an SMMU that it is about', (t) => {
  const f = failing(t, [boot, command(A)]);
  t.deepEqual(ids(waiversOf([without('a', A, { when: (features) => features.stage2 })], f, twinsOf())), ['a']);
  t.is(waiversOf([without('a', A, { when: (features) => !features.stage2 })], f, twinsOf()), null);
  t.is(waiversOf([waiver('s', { when: () => false, shows: () => true })], f, twinsOf()), null);
});

test('shows: a look at the sequence and at what broke is enough', (t) => {
  const f = failing(t, [boot, command(A)]);
  const seen: unknown[] = [];
  const shows: Waiver['shows'] = (candidate, violation) => {
    seen.push(candidate, violation);
    return true;
  };
  t.deepEqual(ids(waiversOf([...WAIVERS, waiver('s', { shows })], f, twinsOf())), ['s']);
  t.deepEqual(seen, [f, f.violation]);
});

test('shows: what it is not is looked for on', (t) => {
  t.deepEqual(ids(waiversOf([waiver('s', { shows: () => false }), ...WAIVERS], failing(t, [boot, command(A)]), twinsOf())), ['a']);
});

test('loosens: it explains no finding, it is left out of the comparison', (t) => {
  const loose = waiver('l', { loosens: 'direction-of-cd-fetch' });
  t.is(waiversOf([loose], failing(t, [boot, command(A)]), twinsOf()), null);
  t.deepEqual([...loosened([...WAIVERS, loose])], ['direction-of-cd-fetch']);
  t.deepEqual([...loosened(WAIVERS)], []);
});

test('none, where QEMU ended: a changed sequence goes on for any reason', (t) => {
  const f = failing(t, [boot, command(A)]);
  const always = waiver('s', { shows: () => true });
  for (const cause of ['QEMU ends', 'QEMU does not answer any more']) t.is(waiversOf([always, ...WAIVERS], { ...f, violation: { ...f.violation, cause } }, twinsOf()), null, cause);
});

test('none, where the optimised machine beside QEMU is wrong', (t) => {
  const f = failing(t, [boot, command(A)]);
  const wrong = { ...f.violation, cause: 'an answer that the weakest machine does not allow: access ok' };
  t.is(waiversOf([waiver('s', { shows: () => true }), ...WAIVERS], { ...f, violation: wrong }, twinsOf()), null);
});
