/**
 * Claim: the plain twin of the driver and its generator form do the same. Two worlds get the same random operations,
 * one in each form; every store that becomes visible, every register write, every word of the driver's promises to its
 * observer and every result must be equal, in order.
 */
import test from 'ava';
import fc from 'fast-check';
import { DriverRig, type FakeSmmu } from '../../test/optimised/driver/rig.js';
import type { Form } from '../../src/optimised/driver/driver.js';
import { Generator } from '../../src/operations/generate.js';
import { PROFILES, type Mix, type Profile } from '../../src/operations/profiles.js';
import { Intent } from '../../src/reference/driver/intent.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import type { Operation, Result } from '../../src/stack/operation.js';
import type { World } from '../../src/stack/world.js';

/** A driver that writes down everything it does to the outside. */
class Recorded {
  readonly rig: DriverRig;
  trace: number[] = [];
  readonly #heard: string[] = [];

  constructor(world: World, form: Form) {
    this.rig = new DriverRig(world, {
      form, boot: false,
      observer: {
        planned: (smmu, d, words, count) => { this.#heard.push(`planned ${smmu} ${JSON.stringify(d)} ${count} ${words.subarray(0, Math.max(0, count) * 4).join()}`); },
        entrySynced: (smmu, kind, streams) => { this.#heard.push(`synced ${smmu} ${kind} ${streams.join()}`); },
        tagReleased: (smmu, asid) => { this.#heard.push(`released ${smmu} ${asid}`); },
      },
    });
    const { memory, smmus } = this.rig;
    const { cpu } = this.rig.ctx;
    const clean = cpu.clean.bind(cpu);
    cpu.clean = (ref, words, site) => {
      this.#heard.push(`clean ${ref} ${words} ${site}`);
      return clean(ref, words, site);
    };
    const commit = memory.commit.bind(memory);
    memory.commit = (ref, lo, hi) => {
      this.trace.push(ref, lo, hi);
      commit(ref, lo, hi);
    };
    smmus.forEach((s: FakeSmmu, i) => {
      const write = s.writeRegister.bind(s);
      s.writeRegister = (offset, value) => {
        this.trace.push(-1 - i, offset, value);
        write(offset, value);
      };
    });
  }

  /** What happened since the last call: stores and register writes, what the observer heard, what is in use. */
  take(): { trace: number[]; heard: string[]; use: (number | string)[] } {
    const { pages, driver } = this.rig;
    const taken = {
      trace: this.trace, heard: [...this.#heard],
      use: [pages.pagesInUse, pages.objectsInUse, pages.refused, String(pages.fault?.what), this.rig.ctx.cpu.pending, ...this.rig.smmus.map((_, i) => driver.tagsInUse(i))],
    };
    this.trace = [];
    this.#heard.length = 0;
    return taken;
  }
}

function same(a: ReturnType<Recorded['take']>, b: ReturnType<Recorded['take']>): boolean {
  return a.trace.length === b.trace.length && a.trace.every((x, i) => x === b.trace[i])
    && a.heard.join('\n') === b.heard.join('\n') && a.use.join() === b.use.join();
}

interface Pair { readonly plain: Recorded; readonly steps: Recorded }

function boot(world: World): Pair {
  const pair = { plain: new Recorded(world, 'plain'), steps: new Recorded(world, 'steps') };
  pair.plain.rig.driver.boot();
  pair.steps.rig.driver.boot();
  return pair;
}

/** Runs one operation in both forms; says what differs, or what both return. */
function runBoth(pair: Pair, op: Operation): { result: Result; differs: string | null } {
  const result = pair.plain.rig.run(op);
  const other = pair.steps.rig.run(op);
  const a = pair.plain.take();
  const b = pair.steps.take();
  if (result !== other) return { result, differs: `${result} and ${other}` };
  return { result, differs: same(a, b) ? null : `${a.trace.length / 3} and ${b.trace.length / 3} actions` };
}

function sequence(profile: Profile, seed: string, t: { log(...lines: string[]): void }): boolean {
  const chooser = new RandomChooser(seed);
  const { world, mix } = profile.draw(chooser) as { world: World; mix: Mix };
  const pair = boot(world);
  if (!same(pair.plain.take(), pair.steps.take())) {
    t.log(`seed ${seed}: reset differs`);
    return false;
  }
  const intent = new Intent(world);
  const generator = new Generator(world, mix, chooser);
  for (let i = 0; i < 60; i += 1) {
    const op = generator.next(intent);
    if (op.op === 'access') continue;
    const expected = intent.begin(op);
    const { result, differs } = runBoth(pair, op);
    if (differs !== null) {
      t.log(`seed ${seed}, operation ${i} ${JSON.stringify(op)}: ${differs}`);
      return false;
    }
    if (expected === 'ok') intent.finish(op, result);
  }
  return true;
}

for (const profile of PROFILES) {
  test(`${profile.name}: the same stores, commands and results in both forms`, (t) => {
    const property = fc.property(fc.nat(), (n) => sequence(profile, `twin/${n}`, t));
    t.notThrows(() => { fc.assert(property, { numRuns: profile.name === 'swarm' ? 200 : 60, seed: 7 }); });
  });
}

test('the generator form does run in steps', (t) => {
  const rig = new DriverRig(undefined, { form: 'steps' });
  t.true([...rig.driver.steps(rig.ctx, { op: 'attach', device: 0, to: 0 })].length > 5);
});
