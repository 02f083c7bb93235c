/**
 * The hitless claim: the driver's entry writer keeps it, on every sixteenth row here; writers that are broken on purpose do not, each for its
 * own reason; and the judge's own parts: torn reads, what an entry means, the lattices.
 */
import test from 'ava';
import { planEntry, storeWords, syncEntry } from '../../src/optimised/driver/entry.steps.js';
import type { Context } from '../../src/optimised/driver/types.js';
import type { ClaimResult } from '../../src/prove/claims.js';
import { proveHitless } from '../../src/prove/hitless.js';
import { lattice } from '../../src/prove/hitless/lattice.js';
import { atsOf, GONE, ILLEGAL, translationOf, type EntryKind } from '../../src/spec/meaning.js';
import { newSum, Sweep } from '../../src/prove/hitless/sweep.js';
import { groupOf, tornReads, WatchedWrite, type Writer } from '../../src/prove/hitless/watched-write.js';
import { setField, type Field } from '../../src/spec/bits.js';
import { CD } from '../../src/spec/cd.js';
import { STE } from '../../src/spec/ste.js';
import { runSteps, type Steps } from '../../src/stack/steps.js';

const go = async (): Promise<boolean> => Promise.resolve(false);

test('the driver\'s writer is hitless wherever it can be', async (t) => {
  const [r, minimal] = await proveHitless(false, go) as [ClaimResult, ClaimResult];
  t.is(r.verdict, 'proved', r.witness);
  t.is(r.method, 'sampled');
  t.true(r.cases > 40_000);
  for (const figure of ['steHitless', 'steBroken', 'steAvoidable', 'cdHitless', 'cdBroken', 'steSyncs1', 'steSyncs2', 'steSyncs3']) t.true((r.figures?.[figure] ?? 0) > 0, figure);
  t.is(r.figures?.cdAvoidable, 0);
  t.is(minimal.verdict, 'refuted');
  t.regex(minimal.witness ?? '', /^STE from .* to .*: V = 0 in between/);
});

/** A writer in steps, run plain; it is handed `sync`. */
function writer(body: (ctx: Context, kind: EntryKind, ref: number, target: Uint32Array, sync: () => void) => void): Writer {
  return ((ctx: Context, kind: EntryKind, smmu: number, ref: number, target: Uint32Array, streams: readonly number[]) => {
    body(ctx, kind, ref, target, () => { runStepsOf(syncEntry(plainSubmit(ctx), kind, smmu, streams)); });
    return undefined as never;
  });
}

function runStepsOf(steps: Steps<void>): void {
  runSteps(steps);
}

/** The watched submit is plain; the sync in steps delegates to it. */
function plainSubmit(ctx: Context): Context {
  const { submit } = ctx.parts;
  return { ...ctx, parts: { ...ctx.parts, *submit(c, batch) { submit(c, batch); } } };
}

function now(ctx: Context, ref: number): Uint32Array {
  return Uint32Array.from(Array.from({ length: 8 }, (_, q) => [ctx.cpu.loadLo(ref + q), ctx.cpu.loadHi(ref + q)]).flat());
}

const BROKEN: readonly [name: string, kind: EntryKind, writer: Writer, says: RegExp][] = [
  ['everything at once', 'ste', writer((ctx, _kind, ref, target, sync) => {
    if (storeWords(ctx, ref, target, 0, 8)) sync();
  }), /what neither entry gives/],
  ['no SYNC between the ignored bits and the word that decides', 'ste', writer((ctx, kind, ref, target, sync) => {
    const plan = planEntry(kind, now(ctx, ref), target);
    if (plan.differing !== 1) return;
    plan.interim[plan.critical * 2] = ctx.cpu.loadLo(ref + plan.critical);
    plan.interim[plan.critical * 2 + 1] = ctx.cpu.loadHi(ref + plan.critical);
    storeWords(ctx, ref, plan.interim, 0, 8);
    storeWords(ctx, ref, target, plan.critical, plan.critical + 1);
    if (storeWords(ctx, ref, target, 0, 8)) sync();
    else sync();
  }), /what neither entry gives|not what was to be written/],
  ['no SYNC after the last store', 'cd', writer((ctx, _kind, ref, target) => { storeWords(ctx, ref, target, 0, 8); }), /followed by no CFGI/],
  ['a SYNC for nothing', 'cd', writer((ctx, _kind, ref, target, sync) => {
    ctx.cpu.store(ref, 0, 0);
    sync();
    sync();
    storeWords(ctx, ref, target, 1, 8);
    sync();
    storeWords(ctx, ref, target, 0, 1);
    sync();
  }), /SYNCs, at most 3|after no store/],
  ['half of the entry', 'cd', writer((ctx, _kind, ref, target, sync) => {
    if (now(ctx, ref).every((w, i) => i < 2 || w === target[i])) return;
    ctx.cpu.store(ref, 0, 0);
    sync();
    storeWords(ctx, ref, target, 0, 1);
    sync();
  }), /not what was to be written/],
  ['always through V = 0', 'ste', writer((ctx, _kind, ref, target, sync) => {
    if (now(ctx, ref).join() === target.join()) return;
    ctx.cpu.store(ref, 0, 0);
    sync();
    if (storeWords(ctx, ref, target, 1, 8)) sync();
    if (storeWords(ctx, ref, target, 0, 1)) sync();
  }), /although one word decides/],
  ['V before the body', 'ste', writer((ctx, _kind, ref, target, sync) => {
    ctx.cpu.store(ref, 0, 0);
    sync();
    if (storeWords(ctx, ref, target, 0, 1)) sync();
    if (storeWords(ctx, ref, target, 1, 8)) sync();
  }), /what neither entry gives|after no store/],
];

for (const [name, kind, broken, says] of BROKEN) {
  test(`a writer that is wrong is found: ${name}`, (t) => {
    const sum = newSum();
    const sweep = new Sweep(kind, lattice(kind).filter((_, i) => i % 9 === 1), broken);
    for (let from = 0; from < sweep.configurations && sum.wrong === null; from += 1) sweep.row(from, sum);
    t.regex(sum.wrong?.what ?? 'nothing', says);
  });
}

test('a wrong writer refutes the claim, with the pair', async (t) => {
  const [r] = await proveHitless(false, go, BROKEN[0]?.[2]) as [ClaimResult];
  t.is(r.verdict, 'refuted');
  t.regex(r.witness ?? '', /^STE from .* to .*: before SYNC 1 of 1 a device may get/);
});

test('ended early, nothing is proved', async (t) => {
  const results = await proveHitless(true, async () => Promise.resolve(true));
  const [r] = results as [ClaimResult];
  t.deepEqual(results.map((c) => c.verdict), ['undecided', 'undecided']);
  t.true(r.cases > 0 && r.cases < (r.of ?? 0));
});

test('torn reads are every mixture of the values that each word had', (t) => {
  const to = new Uint32Array(16);
  to[0] = 1;
  to[5] = 2;
  to[15] = 3;
  const seen: string[] = [];
  const out = new Uint32Array(16);
  tornReads(groupOf(new Uint32Array(16), to), out, () => {
    seen.push(`${out[0]}${out[5]}${out[15]}`);
    return false;
  });
  t.deepEqual(seen.sort(), ['000', '003', '020', '023', '100', '103', '120', '123']);
});

test('a word that is written twice between two SYNCs may be read with each of its values', (t) => {
  const watched = new WatchedWrite(writer((ctx, _kind, ref, _target, sync) => {
    ctx.cpu.store(ref, 1, 0);
    ctx.cpu.drainAll();
    ctx.cpu.store(ref, 2, 0);
    sync();
  }));
  const [group] = watched.run('cd', new Uint32Array(16), new Uint32Array(16));
  t.deepEqual(group?.values[0], [[0, 0], [1, 0], [2, 0]]);
});

function entry(...fields: readonly (readonly [Field, number])[]): Uint32Array {
  const words = new Uint32Array(16);
  for (const [field, value] of fields) setField(words, field, value);
  return words;
}

test('what an entry means', (t) => {
  const ste = (...fields: readonly (readonly [Field, number])[]): string => translationOf('ste', entry(...fields));
  t.is(ste(), GONE);
  t.is(ste([STE.V, 1], [STE.S2TTB, 77]), 'abort');
  t.is(ste([STE.V, 1], [STE.Config, 4], [STE.S1DSS, 1]), ste([STE.V, 1], [STE.Config, 4]));
  t.not(ste([STE.V, 1], [STE.Config, 4], [STE.SHCFG, 1]), ste([STE.V, 1], [STE.Config, 4]));
  t.is(ste([STE.V, 1], [STE.Config, 5], [STE.MEV, 1], [STE.EATS, 1]), ste([STE.V, 1], [STE.Config, 5]));
  t.is(ste([STE.V, 1], [STE.Config, 5], [STE.EATS, 2]), ILLEGAL);
  t.is(ste([STE.V, 1], [STE.Config, 6], [STE.EATS, 1], [STE.S2S, 1]), ILLEGAL);
  t.is(ste([STE.V, 1], [STE.Config, 5], [STE.STRW, 1]), ILLEGAL);
  t.is(ste([STE.V, 1], [STE.Config, 7], [STE.STRW, 2]), ste([STE.V, 1], [STE.Config, 7]));
  t.is(atsOf('ste', entry([STE.V, 1], [STE.Config, 4], [STE.EATS, 1])), 0);
  t.is(atsOf('ste', entry([STE.V, 1], [STE.Config, 5], [STE.EATS, 1])), 1);
  const cd = (...fields: readonly (readonly [Field, number])[]): string => translationOf('cd', entry([CD.V, 1], ...fields));
  t.is(cd([CD.EPD0, 1], [CD.TTB0, 5]), cd([CD.EPD0, 1]));
  t.not(cd([CD.TTB0, 5]), cd());
  t.not(cd([CD.ASID, 5]), cd());
});

test('the lattices have no illegal configuration and none twice', (t) => {
  for (const kind of ['ste', 'cd'] as const) {
    const all = lattice(kind);
    t.true(all.length > 800);
    t.is(new Set(all.map((c) => c.words.join())).size, all.length);
    for (const c of all) t.not(translationOf(kind, c.words), ILLEGAL, c.name);
  }
});
