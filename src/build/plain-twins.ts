/**
 * Plain twins: from each compiled `x.steps.js` derives `x.plain.js`, the same text with the generator marks blanked
 * out, so that line and column (and the source map) stay true. Runs after the compiler. A steps file keeps to three
 * forms, checked here: `function* name(`, `yield* call(…)`, and `yield 'label';` as a statement of its own.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The plain form of a compiled steps module; throws when a mark is left that it does not know. */
export function plainTwin(source: string, name: string): string {
  const plain = source
    .replace(/\bfunction\*/g, 'function ')
    .replace(/\byield\*/g, '      ')
    .replace(/^(\s*)yield ('[^']*';)$/gm, '$1      $2')
    .replace(/\.steps\.js'/g, ".plain.js'");
  const bare = plain.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '').replace(/'[^']*'/g, "''");
  const left = /^.*\byield\b.*$/m.exec(bare);
  if (left !== null) throw new Error(`${name}: a yield is neither a labelled statement nor a delegation: ${left[0]}`);
  if (plain.length !== source.length) throw new Error(`${name}: the plain twin has another length`);
  return plain;
}

function twinAll(folder: string): number {
  let n = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) n += twinAll(path);
    else if (entry.name.endsWith('.steps.js')) {
      const twin = plainTwin(readFileSync(path, 'utf8'), path).replace(/\.steps\.js\.map$/m, '.plain.js.map');
      writeFileSync(path.replace(/\.steps\.js$/, '.plain.js'), twin);
      writeFileSync(path.replace(/\.steps\.js$/, '.plain.js.map'), readFileSync(`${path}.map`));
      n += 1;
    }
  }
  return n;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) twinAll(fileURLToPath(new URL('..', import.meta.url)));
