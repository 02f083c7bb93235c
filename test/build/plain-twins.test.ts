/** Plain twins: the same text without the generator marks, and nothing it does not know. */
import test from 'ava';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plainTwin } from '../../src/build/plain-twins.js';

/** Source line, plain line; the same length. */
const FORMS: readonly [string, string][] = [
  ['export function* a(ctx) {', 'export function  a(ctx) {'],
  ['function* a() {', 'function  a() {'],
  ['    const x = yield* b(ctx);', '    const x =        b(ctx);'],
  ['    yield* b(ctx);', '           b(ctx);'],
  ["    yield 'clear V of the entry';", "          'clear V of the entry';"],
  ["import { b } from './b.steps.js';", "import { b } from './b.plain.js';"],
  ["import * as c from '../x/b.steps.js';", "import * as c from '../x/b.plain.js';"],
  ['const a = 1; // yield nothing', 'const a = 1; // yield nothing'],
  ['/* a yield in words */', '/* a yield in words */'],
];

for (const [source, plain] of FORMS) {
  test(`${source.trim()}`, (t) => {
    t.is(plainTwin(source, 'x'), plain);
    t.is(plain.length, source.length);
  });
}

const REFUSED: readonly string[] = ['yield x;', 'const a = yield 1;', 'f(yield);', '  yield `label`;', 'yield 7; // a label'];

for (const source of REFUSED) {
  test(`refused: ${source}`, (t) => {
    t.throws(() => plainTwin(source, 'name.steps.js'), { message: /^name\.steps\.js: a yield is neither/ });
  });
}

function stepsFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((e) => {
    const path = join(folder, e.name);
    return e.isDirectory() ? stepsFiles(path) : e.name.endsWith('.steps.js') ? [path] : [];
  });
}

const built = stepsFiles(fileURLToPath(new URL('../../src', import.meta.url)));

test('there are steps files', (t) => {
  t.true(built.length >= 7);
});

test('every twin is built from the steps file as it is, line by line of equal length, without marks', (t) => {
  for (const path of built) {
    const source = readFileSync(path, 'utf8');
    const twin = readFileSync(path.replace('.steps.js', '.plain.js'), 'utf8');
    t.is(twin, plainTwin(source, path).replace(/\.steps\.js\.map$/m, '.plain.js.map'), path);
    t.deepEqual(twin.split('\n').map((l) => l.length), source.split('\n').map((l) => l.length), path);
    t.notRegex(twin.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''), /function\*|\byield\b/, path);
  }
});

test('every twin has its source map', (t) => {
  for (const path of built) {
    const map = path.replace('.steps.js', '.plain.js.map');
    t.true(statSync(map).size > 100);
    t.true(readFileSync(path.replace('.steps.js', '.plain.js'), 'utf8').includes('.plain.js.map'));
  }
});
