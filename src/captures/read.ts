/**
 * Reading a recording (format smmu-capture/1: gzip or plain JSON Lines) one event at a time. The memory used does
 * not grow with the recording; lines and their number are bounded. Every problem is a CaptureError that names the
 * file and the line. What the events mean is events.ts's business.
 */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';

export const CAPTURE_FORMAT = 'smmu-capture/1';
export const MAX_LINE_BYTES = 2 ** 20;
export const MAX_LINES = 20_000_000;

/** A recording that cannot be used. The message is one sentence: which file, which line, what is wrong. */
export class CaptureError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CaptureError';
  }
}

export interface ReadLimits {
  readonly lineBytes: number;
  readonly lines: number;
}

const NEWLINE = 0x0a;
const HEX = /^0x[0-9a-f]{1,16}$/i;
const NUMBER = /^(0x[0-9a-f]{1,16}|[0-9]{1,16})$/i;

/** One event: its kind (`ev`) and its fields, which each getter checks. Numbers are recorded as numbers or "0x…". */
export class CaptureEvent {
  readonly kind: string;
  readonly line: number;
  private readonly fields: Readonly<Record<string, unknown>>;
  private readonly file: string;

  constructor(kind: string, line: number, fields: Readonly<Record<string, unknown>>, file: string) {
    this.kind = kind;
    this.line = line;
    this.fields = fields;
    this.file = file;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.fields, key);
  }

  value(key: string): unknown {
    return this.has(key) ? this.fields[key] : undefined;
  }

  /** A short string (a pointer, a name). */
  text(key: string): string {
    const v = this.value(key);
    if (typeof v !== 'string') this.fail(`"${key}" must be a string`);
    return v as string;
  }

  /** An integer from 0 to 2^53 - 1. */
  number(key: string): number {
    const v = this.value(key);
    const n = typeof v === 'string' && NUMBER.test(v) ? Number(v) : v;
    if (typeof n !== 'number' || !Number.isSafeInteger(n) || n < 0) {
      this.fail(`"${key}" must be a number or a hexadecimal string, from 0 to 2^53 - 1`);
    }
    return n as number;
  }

  numberOr(key: string, otherwise: number): number {
    return this.has(key) ? this.number(key) : otherwise;
  }

  /** A 64-bit word. */
  word(key: string): bigint {
    return this.toWord(this.value(key), key);
  }

  /** A list of 64-bit words. */
  words(key: string): bigint[] {
    const v = this.value(key);
    if (!Array.isArray(v)) this.fail(`"${key}" must be an array of hexadecimal strings`);
    return (v as readonly unknown[]).map((word) => this.toWord(word, key));
  }

  /** The same as halves, low first: without a bigint each. */
  halves(key: string): number[] {
    const v = this.value(key);
    if (!Array.isArray(v)) this.fail(`"${key}" must be an array of hexadecimal strings`);
    const out: number[] = [];
    for (const word of v as readonly unknown[]) {
      if (typeof word !== 'string' || word.length > 18 || !HEX.test(word)) this.fail(`"${key}" must hold 64-bit words as hexadecimal strings`);
      const text = word as string;
      if (text.length <= 10) out.push(Number(text), 0);
      else out.push(Number(`0x${text.slice(-8)}`), Number(text.slice(0, -8)));
    }
    return out;
  }

  private toWord(v: unknown, key: string): bigint {
    if (typeof v === 'string' && /^0x[0-9a-f]{1,16}$/i.test(v)) return BigInt(v);
    if (typeof v === 'number' && Number.isSafeInteger(v) && v >= 0) return BigInt(v);
    return this.fail(`"${key}" must hold 64-bit words as hexadecimal strings`);
  }

  fail(problem: string): never {
    throw new CaptureError(`${this.file}:${this.line}: in the "${this.kind}" event ${problem}`);
  }
}

/** The events of a recording, in recorded order. The first is always `meta` of the right format. Throws CaptureError. */
export async function* readCapture(path: string, limits: Partial<ReadLimits> = {}): AsyncGenerator<CaptureEvent, void, undefined> {
  let line = 0;
  for await (const texts of readLines(path, limits)) {
    for (const text of texts) {
      const event = parseLine(text, ++line, path);
      if (line === 1) checkMeta(event, path);
      yield event;
    }
  }
  if (line === 0) throw new CaptureError(`${path}: the recording is empty: its first line must be a "meta" event`);
}

/** One line of the JSON form. */
export function parseLine(text: string, line: number, path: string): CaptureEvent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CaptureError(`${path}:${line}: the line is not JSON (a recording that was cut off?)`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CaptureError(`${path}:${line}: the line must be a JSON object`);
  }
  const fields = value as Readonly<Record<string, unknown>>;
  const kind = Object.hasOwn(fields, 'ev') ? fields['ev'] : undefined;
  if (typeof kind !== 'string' || !/^[\w.-]{1,64}$/.test(kind)) {
    throw new CaptureError(`${path}:${line}: the line lacks the event's kind, a short name in "ev"`);
  }
  return new CaptureEvent(kind, line, fields, path);
}

export function checkMeta(event: CaptureEvent, path: string): void {
  if (event.kind !== 'meta' || event.value('format') !== CAPTURE_FORMAT) {
    throw new CaptureError(`${path}:1: the first line must be a "meta" event with "format":"${CAPTURE_FORMAT}"`);
  }
}

/**
 * The lines of a file, unpacked when it starts like gzip, as many at a time as came together. A last line without a newline counts. What
 * comes before a problem is given before it is thrown.
 */
export async function* readLines(path: string, limits: Partial<ReadLimits> = {}): AsyncGenerator<readonly string[], void, undefined> {
  const lineBytes = limits.lineBytes ?? MAX_LINE_BYTES;
  const most = limits.lines ?? MAX_LINES;
  let carried: Buffer[] = [];
  let length = 0;
  let line = 1;
  const tooLong = (at: number): CaptureError => new CaptureError(`${path}:${at}: the line is longer than ${lineBytes} bytes, the limit`);
  const tooMany = (at: number): CaptureError => new CaptureError(`${path}:${at}: the recording has more than ${most} lines, the limit`);
  for await (const chunk of readChunks(path, () => line)) {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end < 0) {
      carried.push(chunk);
      length += chunk.length;
      if (length > lineBytes) throw tooLong(line);
      continue;
    }
    carried.push(chunk.subarray(0, end));
    const lines = Buffer.concat(carried).toString('utf8').split('\n');
    carried = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
    length = chunk.length - end - 1;
    const long = lines.findIndex((text) => text.length * 3 > lineBytes && Buffer.byteLength(text) > lineBytes);
    const whole = long >= 0 ? long : lines.length;
    if (line - 1 + whole > most) {
      yield lines.slice(0, most - line + 1);
      throw tooMany(most + 1);
    }
    if (long >= 0) {
      yield lines.slice(0, long);
      throw tooLong(line + long);
    }
    line += lines.length;
    yield lines;
    if (length > lineBytes) throw tooLong(line);
  }
  if (length === 0) return;
  if (line > most) throw tooMany(line);
  yield [Buffer.concat(carried).toString('utf8')];
}

/** The bytes of the recording; system and gzip errors become CaptureErrors that name the line reached. */
async function* readChunks(path: string, line: () => number): AsyncGenerator<Buffer, void, undefined> {
  const packed = await startsLikeGzip(path);
  const source = createReadStream(path);
  const stream = packed ? source.on('error', (error) => stream.destroy(error)).pipe(createGunzip()) : source;
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof CaptureError) throw error;
    const cut = codeOf(error) === 'Z_BUF_ERROR';
    const what = cut ? 'the gzip data ends early' : `${packed ? 'cannot be unpacked' : 'cannot be read'}: ${messageOf(error)}`;
    throw new CaptureError(`${path}:${line()}: ${what}`);
  } finally {
    source.destroy();
    stream.destroy();
  }
}

async function startsLikeGzip(path: string): Promise<boolean> {
  try {
    if (!(await stat(path)).isFile()) throw new CaptureError(`${path}: not a regular file, so it cannot be a recording`);
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
      return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof CaptureError) throw error;
    throw new CaptureError(`${path}: cannot be read: ${messageOf(error)}`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
