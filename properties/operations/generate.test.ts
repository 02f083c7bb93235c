/**
 * Claims about the generator, for any seed: equal choices give equal operations; recorded choices replay; every operation
 * can be stored; and of those that are not invalid on purpose nearly all are accepted.
 */
import test from 'ava';
import fc from 'fast-check';
import { operationJson } from '../../src/operations/case.js';
import { Generator } from '../../src/operations/generate.js';
import { PLAIN_MIX, PROFILES, type Mix } from '../../src/operations/profiles.js';
import { Intent } from '../../src/reference/driver/intent.js';
import { RandomChooser, RecordingChooser, ReplayChooser, type Chooser } from '../../src/stack/chooser.js';
import type { Operation, Result } from '../../src/stack/operation.js';
import type { World } from '../../src/stack/world.js';

const profile = fc.constantFrom(...PROFILES);
const seed = fc.nat().map((n) => `g/${n}`);

function generate(world: World, mix: Mix, chooser: Chooser, n: number): { op: Operation; result: Result }[] {
  const intent = new Intent(world);
  const generator = new Generator(world, mix, chooser);
  return Array.from({ length: n }, () => {
    const op = generator.next(intent);
    const result = intent.begin(op);
    if (result === 'ok') intent.finish(op, 'ok');
    return { op, result };
  });
}

test('the same seed gives the same world and operations', (t) => {
  const property = fc.property(profile, seed, (p, s) => {
    const draw = (): string => {
      const chooser = new RandomChooser(s);
      const { world, mix } = p.draw(chooser);
      return JSON.stringify([world, mix, generate(world, mix, chooser, 60)]);
    };
    return draw() === draw();
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 60, seed: 91 }); });
});

test('recorded choices replay the operations', (t) => {
  const property = fc.property(profile, seed, (p, s) => {
    const { world, mix } = p.draw(new RandomChooser(s));
    const recording = new RecordingChooser(new RandomChooser(`${s}/ops`));
    const once = generate(world, mix, recording, 60);
    return JSON.stringify(generate(world, mix, new ReplayChooser(recording.choices), 60)) === JSON.stringify(once);
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 60, seed: 92 }); });
});

test('every operation can be stored, and stays in the address space', (t) => {
  const property = fc.property(profile, seed, (p, s) => {
    const chooser = new RandomChooser(s);
    const { world, mix } = p.draw(chooser);
    return generate(world, mix, chooser, 100).every(({ op }) => {
      operationJson(op);
      return !('iova' in op) || (op.iova >= 0 && op.iova < 2 ** 53);
    });
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 100, seed: 93 }); });
});

test('without invalid calls on purpose nothing but tags and IOVA ranges runs out', (t) => {
  const property = fc.property(profile, seed, (p, s) => {
    const chooser = new RandomChooser(s);
    const { world } = p.draw(chooser);
    const bad = generate(world, { ...PLAIN_MIX, invalid: 0 }, chooser, 200).filter(({ result }) => result !== 'ok');
    return bad.every(({ result }) => result === 'no-tags' || result === 'iova-busy');
  });
  t.notThrows(() => { fc.assert(property, { numRuns: 60, seed: 94 }); });
});
