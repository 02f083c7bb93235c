/**
 * The state of a long prove on disk: which items are done and what they showed. Written whole (a reader never sees half of it); a file of
 * another program, of other options or of other planners is refused.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeWhole } from '../fuzz/store.js';
import { SHAPES } from '../prove/shapes.js';
import { BITS, type Found, type Part } from '../prove/sweep.js';
import { Results, type Work } from '../prove/work.js';
import { Node, readCaseText, readDocument } from '../operations/node.js';
import { reason } from './cases.js';
import { UsageError } from './exit.js';
import { packageVersion } from './version.js';

/** Milliseconds between two states. */
export const STATE_MS = 10_000;

/** Of what is proved and by what: the planners, what they share, and the engine. */
export function codeDigest(): string {
  const hash = createHash('sha256');
  for (const folder of ['../optimised/driver/planners', '../prove', '../spec']) {
    const at = fileURLToPath(new URL(folder, import.meta.url));
    for (const name of readdirSync(at).filter((n) => n.endsWith('.js')).sort()) hash.update(`${name}\n${readFileSync(join(at, name), 'utf8')}`);
  }
  return hash.digest('hex').slice(0, 16);
}

export class StateFile {
  readonly #path: string;
  readonly #key: string;
  /** One bit an item. */
  readonly done: Uint8Array;
  readonly #items: number;

  constructor(path: string, work: Work) {
    this.#path = path;
    this.#items = work.items.length;
    this.#key = createHash('sha256').update(JSON.stringify([packageVersion(), codeDigest(), work.options.planners, work.items.length])).digest('hex').slice(0, 16);
    this.done = new Uint8Array(Math.ceil(work.items.length / 8));
  }

  isDone(item: number): boolean {
    return (((this.done[item >> 3] as number) >> (item & 7)) & 1) === 1;
  }

  mark(from: number, to: number): void {
    for (let i = from; i < to; i += 1) this.done[i >> 3] = (this.done[i >> 3] as number) | (1 << (i & 7));
  }

  get remaining(): number {
    let n = 0;
    for (let i = 0; i < this.#items; i += 1) if (!this.isDone(i)) n += 1;
    return n;
  }

  /** Continues what is on disk, if anything is. */
  load(results: Results): void {
    if (!existsSync(this.#path)) return;
    const n = readDocument(readCaseText(this.#path), this.#path);
    if (!n.keys().includes('key') || n.child('key').value !== this.#key) {
      throw new UsageError(`${this.#path}: not a state of this version with these planners: name another file, or remove it`);
    }
    n.object(['schema', 'kind', 'key', 'done', 'parts', 'shapes']);
    const bits = Buffer.from(n.child('done').text(2 ** 24), 'base64');
    if (bits.length !== this.done.length) n.child('done').fail('does not have a bit for each item');
    this.done.set(bits);
    const parts = n.child('parts').list(results.parts.length, results.parts.length, (p) => {
      p.object(['gathered', 'any']);
      return { gathered: parsePart(p.child('gathered')), any: parsePart(p.child('any')) };
    });
    const shapes = new Float64Array(SHAPES);
    n.child('shapes').list(0, SHAPES, (s) => {
      const [index, count] = s.list(2, 2, (v) => v.integer(0, Number.MAX_SAFE_INTEGER));
      if ((index as number) >= SHAPES) s.fail('names a shape that there is not');
      shapes[index as number] = count as number;
    });
    results.merge({ parts, shapes });
  }

  save(results: Results): void {
    const shapes = [...results.shapes].flatMap((n, i) => (n === 0 ? [] : [[i, n]]));
    const text = JSON.stringify({ schema: 1, kind: 'prove-state', key: this.#key, done: Buffer.from(this.done).toString('base64'), parts: results.parts, shapes });
    try {
      writeWhole(this.#path, `${text}\n`);
    } catch (error) {
      throw new UsageError(`${this.#path}: the state cannot be written: ${reason(error)}`);
    }
  }
}

function parsePart(n: Node): Part {
  n.object(['cases', 'found']);
  const number = (v: Node): number => v.integer(0, Number.MAX_SAFE_INTEGER);
  return {
    cases: number(n.child('cases')),
    found: n.child('found').list(BITS.length, BITS.length, (f): Found | null => {
      if (f.value === null) return null;
      f.object(['stratum', 'first', 'last', 'granules']);
      return { stratum: number(f.child('stratum')), first: number(f.child('first')), last: number(f.child('last')), granules: number(f.child('granules')) };
    }),
  };
}
