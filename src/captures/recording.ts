/**
 * A recording as a stream of recorded lines: the full form (smmu-capture/1, JSON Lines), the same vocabulary from tracing alone, and the plain text of
 * tracefs (tracefs.ts). Packed or not. Memory does not grow with the file. What a file can be wrong in by itself is a CaptureError with
 * the line: not JSON, cut off, lines missing or out of order (`n`), fields of the wrong form.
 */
import { CaptureError, checkMeta, parseLine, readLines, type ReadLimits } from './read.js';
import { recordedOf, type Recorded } from './recorded.js';
import { TraceText } from './tracefs.js';

/** The lines of a recording, many at a time. The first is `meta`. Throws CaptureError. */
export async function* readRecording(path: string, limits: Partial<ReadLimits> = {}): AsyncGenerator<readonly Recorded[], void, undefined> {
  let reader: ((text: string, line: number) => readonly Recorded[]) | null = null;
  let line = 0;
  const json = new JsonLines(path);
  const text = new TraceText(path);
  for await (const texts of readLines(path, limits)) {
    const out: Recorded[] = [];
    for (const t of texts) {
      line += 1;
      if (reader === null) {
        const plain = TraceText.looksLike(t);
        reader = plain ? (s, n) => text.line(s, n) : (s, n) => [json.line(s, n)];
        if (plain) out.push(TraceText.meta);
      }
      for (const r of reader(t, line)) out.push(r);
    }
    yield out;
  }
  if (line === 0) throw new CaptureError(`${path}: the recording is empty: its first line must be a "meta" event, or "# tracer: nop"`);
  json.end(line);
}

/** The JSON form: every line numbered, the full form closed by its own check. */
class JsonLines {
  readonly #path: string;
  #last = -1;
  /** The full form ends with "selfcheck". */
  #open = false;

  constructor(path: string) {
    this.#path = path;
  }

  line(text: string, line: number): Recorded {
    const e = parseLine(text, line, this.#path);
    if (line === 1) checkMeta(e, this.#path);
    const n = e.has('n') ? e.number('n') : e.fail('"n", the number of the event, is missing');
    if (n !== this.#last + 1) {
      throw new CaptureError(`${this.#path}:${line}: event ${n} follows event ${this.#last}: ${n > this.#last ? 'lines are missing' : 'the lines are out of order'}`);
    }
    this.#last = n;
    const r = recordedOf(e);
    if (r.what.kind === 'meta') {
      if (line !== 1) e.fail('a second beginning was found');
      this.#open = !r.what.tracing;
    }
    if (r.what.kind === 'selfcheck') {
      if (r.what.mismatch !== 0) e.fail('the recorder says by itself that it contradicts what it saw');
      this.#open = false;
    }
    return r;
  }

  end(line: number): void {
    if (this.#open) throw new CaptureError(`${this.#path}:${line}: the recording ends without "selfcheck", its last line: it was cut off`);
  }
}
