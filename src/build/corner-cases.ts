/**
 * Writes the corner cases to corpus/corner-cases, and removes what is no longer one of them: `npm run corner-cases`. A test compares the
 * files with what the builder gives.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cornerFiles, cornerText } from '../operations/corner/files.js';

/** How many files were written to `folder`. */
export function writeCornerCases(folder: string): number {
  const files = cornerFiles();
  const names = new Set(files.map((f) => f.name));
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name.endsWith('.json') && !names.has(name)) rmSync(join(folder, name));
  for (const f of files) writeFileSync(join(folder, f.name), cornerText(f));
  return files.length;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = fileURLToPath(new URL('../../../corpus/corner-cases', import.meta.url));
  process.stdout.write(`${writeCornerCases(folder)} files in ${folder}\n`);
}
