/** Candidates: what is let in, and what one can do wrong without harm. */
import test from 'ava';
import { alone } from '../../src/compare/pulse.js';
import { wrapModule } from '../../src/compare/candidate-js.js';
import { loadWasm } from '../../src/compare/candidate-wasm.js';
import { CandidateFault, CandidateRefused, wrap, type FaultKind } from '../../src/compare/candidate.js';
import { readShape, WASM_PAGE } from '../../src/compare/wasm-binary.js';
import { SINGLE_RANGE } from '../../src/optimised/driver/planners/single-range.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import { newDescription, type Description } from '../../src/stack/description.js';
import type { Planner, PlannerFeatures } from '../../src/stack/planner.js';
import { questionAt } from '../../src/compare/questions.js';
import { bytesOf, MODULES, type ModuleName } from './modules.js';

const RANGE: PlannerFeatures = { range: true, ds: false };
const PAGES: Description = { ...newDescription(), first: 4, last: 8, leaves: 1 };

function load(name: ModuleName): Planner {
  return wrap(name, loadWasm(bytesOf(name), `${name}.wasm`), alone()).planner;
}

function faultOf(planner: Planner, d = PAGES): { kind: FaultKind; text: string } | null {
  try {
    planner.plan(d, RANGE, new Uint32Array(4 * planner.room));
    return null;
  } catch (error) {
    if (!(error instanceof CandidateFault)) throw error;
    return error.fault;
  }
}

test('the example in C plans what single-range plans, over all kinds of questions', (t) => {
  const mine = load('right');
  const words = [new Uint32Array(4 * mine.room), new Uint32Array(4 * SINGLE_RANGE.room)] as const;
  const chooser = new RandomChooser('equal');
  for (let k = 0; k < 20_000; k += 1) {
    const { description, features } = questionAt(k, chooser);
    const count = SINGLE_RANGE.plan(description, features, words[1]);
    t.is(mine.plan(description, features, words[0]), count, JSON.stringify({ description, features }));
    if (count > 0) t.deepEqual(words[0].slice(0, count * 4), words[1].slice(0, count * 4));
  }
});

test('64-bit addresses arrive whole and come back whole', (t) => {
  const out = new Uint32Array(2048);
  const d: Description = { ...newDescription(), first: 2 ** 51 + 5, last: 2 ** 51 + 5, leaves: 1 };
  t.is(load('right').plan(d, { range: false, ds: false }, out), 1);
  t.deepEqual([...out.subarray(0, 4)], [0, 0, 0x5001, 0x80000000]);
});

const FAULTS: readonly (readonly [ModuleName, FaultKind, RegExp])[] = [
  ['traps', 'throws', /^it threw RuntimeError: unreachable$/],
  ['tooMany', 'garbage', /^it returned 513, and not a number of commands from 0 to 512, or -1/],
  ['stray', 'garbage', /^command 0 of 1 \(0x0000000000000011 0x0000000000004000\) has bits beyond/],
  ['beyond', 'throws', /out of bounds/],
  ['before', 'harm', /outside of the commands/],
  ['front', 'harm', /outside of the commands/],
  ['input', 'harm', /changed the description/],
];

for (const [name, kind, text] of FAULTS) {
  test(`${name}.wasm is a finding: ${kind}`, (t) => {
    const fault = faultOf(load(name));
    t.is(fault?.kind, kind);
    t.regex(fault?.text ?? '', text);
  });
}

const REFUSED: readonly (readonly [ModuleName, RegExp])[] = [
  ['imports', /^imports\.wasm: it imports env\.printk \(function\), but a candidate is given nothing$/],
  ['signature', /^signature\.wasm: plan has the type \(i64, i64\) -> i32, and not \(i32, i32, i32\) -> i32 as smmucheck_plan\.h declares it$/],
  ['nameless', /^nameless\.wasm: it exports no function plan/],
  ['large', /^large\.wasm: it begins with 22 MiB of memory, and 16 MiB is the limit$/],
];

for (const [name, text] of REFUSED) {
  test(`${name}.wasm is not let in`, (t) => {
    const error = t.throws(() => load(name), { instanceOf: CandidateRefused });
    t.regex(error.message, text);
  });
}

test('what is no module is not let in', (t) => {
  for (const bytes of [new Uint8Array(0), new Uint8Array([0, 97, 115, 109]), bytesOf('right').slice(0, 200)]) {
    t.regex(t.throws(() => loadWasm(bytes, 'x.wasm'), { instanceOf: CandidateRefused }).message, /^x\.wasm: not a valid WebAssembly module/);
  }
});

test('the last byte is inclusive', (t) => {
  t.is(load('inclusive').plan(PAGES, RANGE, new Uint32Array(2048)), -1);
});

test('a module can ask for more room', (t) => {
  const wide = load('wide');
  t.is(wide.room, 4096);
  const out = new Uint32Array(4 * 4096);
  t.is(wide.plan({ ...PAGES, first: 0, last: 4095 }, RANGE, out), 4096);
  t.is(out[4 * 4095 + 2], 4095 * 4096);
});

test('the memory of a module has a limit that it cannot move', (t) => {
  const shape = readShape(bytesOf('right'));
  t.is(shape.pages, 131072 / WASM_PAGE);
  const bounded = readShape(shape.bounded(3));
  t.is(bounded.pages, shape.pages);
  const { WebAssembly: host } = globalThis as unknown as { WebAssembly: { Module: new (b: Uint8Array) => object; Instance: new (m: object, i: object) => { exports: { memory: { grow(n: number): number } } } } };
  const { memory } = new host.Instance(new host.Module(shape.bounded(3)), {}).exports;
  t.is(memory.grow(1), 2);
  t.throws(() => memory.grow(1), { instanceOf: RangeError });
});

function js(module: unknown): Planner {
  return wrap('x.js', wrapModule(module, 'x.js'), alone()).planner;
}

const ANSWERS: readonly (readonly [string, unknown, RegExp])[] = [
  ['NaN', Number.NaN, /^it returned NaN/],
  ['a fraction', 1.5, /^it returned 1\.5/],
  ['less than nothing', -2, /^it returned -2/],
  ['nothing', undefined, /^it returned undefined/],
  ['a promise', Promise.resolve(-1), /^it returned a promise \(plan must answer at once\)/],
  ['text', '1', /^it returned the text "1"/],
  ['an object', {}, /^it returned an object/],
  ['a symbol', Symbol('x'), /^it returned a symbol/],
];

for (const [what, value, text] of ANSWERS) {
  test(`an ES module that returns ${what}`, (t) => {
    const fault = faultOf(js({ plan: () => value }));
    t.is(fault?.kind, 'garbage');
    t.regex(fault?.text ?? '', text);
  });
}

test('an ES module that throws anything, or changes what it is given', (t) => {
  const thrower = (value: unknown) => js({ plan: () => { throw value; } });
  t.is(faultOf(thrower(null))?.text, 'it threw null');
  t.is(faultOf(thrower(new TypeError('no')))?.text, 'it threw TypeError: no');
  t.is(faultOf(thrower(Object.create(null)))?.kind, 'throws');
  t.regex(faultOf(js({ plan: (d: Description) => { d.last = 1; return -1; } }))?.text ?? '', /changed the description/);
});

test('an ES module needs plan, and a room that makes sense', (t) => {
  t.regex(t.throws(() => js({}), { instanceOf: CandidateRefused }).message, /exports no function plan/);
  for (const room of [0, 1.5, 2 ** 18 + 1, '8']) t.regex(t.throws(() => js({ plan: () => -1, room }), { instanceOf: CandidateRefused }).message, /room must be a whole number from 1 to 262144/);
  t.is(js({ plan: () => -1, room: 8 }).room, 8);
});

test('the question that brought a fault out comes with it, as it was asked', (t) => {
  const d = { ...PAGES };
  try {
    load('traps').plan(d, RANGE, new Uint32Array(2048));
    t.fail();
  } catch (error) {
    d.first = 0;
    t.deepEqual((error as CandidateFault).fault.question, { description: PAGES, features: RANGE });
  }
});

test('every module is there with its source', (t) => {
  for (const m of Object.values(MODULES)) t.regex(m.source, /int plans?\(/);
});
