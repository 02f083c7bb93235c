/**
 * Wasm binary: what must be known of a WebAssembly module before it is let in (WebAssembly core specification, binary format, sections 1, 2, 3,
 * 5 and 7): what it imports, the types of the functions that it exports, its memory; and the same module with a memory that cannot grow
 * beyond a limit. The bytes must have been validated: nothing is checked here twice.
 */

/** Bytes of a page of memory. */
export const WASM_PAGE = 65536;

const SECTION = { type: 1, import: 2, function: 3, memory: 5, export: 7 } as const;
const KIND_FUNCTION = 0;
const KIND_MEMORY = 2;
const KINDS: readonly string[] = ['function', 'table', 'memory', 'global', 'tag'];
const TYPES: Readonly<Record<number, string>> = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64', 0x7b: 'v128', 0x70: 'funcref', 0x6f: 'externref' };

export interface WasmShape {
  /** The first thing that it wants to be given, as `env.printk (function)`; null: nothing. */
  readonly wants: string | null;
  /** Exported functions: `(i32, i32) -> i32`. */
  readonly functions: ReadonlyMap<string, string>;
  /** Name of the exported memory. */
  readonly memory: string | null;
  /** Pages of memory that it begins with; 0 without a memory. */
  readonly pages: number;
  /** Is its memory a plain one: one, 32-bit, not shared? */
  readonly plainMemory: boolean;
  /** The same module, whose memory cannot have more than `most` pages. */
  readonly bounded: (most: number) => Uint8Array<ArrayBuffer>;
}

class Reader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const value = this.#bytes[this.at] ?? 0;
    this.at += 1;
    return value;
  }

  /** An unsigned LEB128 number. */
  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const b = this.byte();
      value += (b & 127) * scale;
      if (b < 128) return value;
    }
  }

  text(): string {
    const length = this.number();
    this.at += length;
    return new TextDecoder().decode(this.#bytes.subarray(this.at - length, this.at));
  }

  list<T>(item: () => T): T[] {
    const n = this.number();
    return Array.from({ length: n }, item);
  }
}

interface Span {
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

/** Where each section stands. */
function sections(bytes: Uint8Array): Map<number, Span> {
  const found = new Map<number, Span>();
  const r = new Reader(bytes, 8);
  while (r.at < bytes.length) {
    const start = r.at;
    const id = r.byte();
    const length = r.number();
    if (id !== 0) found.set(id, { start, body: r.at, end: r.at + length });
    r.at += length;
  }
  return found;
}

export function readShape(bytes: Uint8Array): WasmShape {
  const at = sections(bytes);
  const reader = (id: number): Reader | null => {
    const span = at.get(id);
    return span === undefined ? null : new Reader(bytes, span.body);
  };
  const types = readTypes(reader(SECTION.type));
  const own = reader(SECTION.function);
  const functions = own === null ? [] : own.list(() => types[own.number()] ?? '?');
  const memory = reader(SECTION.memory);
  const memories = memory === null ? [] : memory.list(() => limits(memory));
  const exported = readExports(reader(SECTION.export));
  return {
    wants: firstImport(reader(SECTION.import)),
    functions: new Map(exported.filter((e) => e.kind === KIND_FUNCTION).map((e) => [e.name, functions[e.index] ?? '?'])),
    memory: exported.find((e) => e.kind === KIND_MEMORY)?.name ?? null,
    pages: memories[0]?.least ?? 0,
    plainMemory: memories.length === 1 && (memories[0]?.flags ?? 0) <= 1,
    bounded: (most) => withMemory(bytes, at.get(SECTION.memory), memories[0]?.least ?? 0, most),
  };
}

/** Texts of function types; a type that is no plain function is `?`. */
function readTypes(r: Reader | null): string[] {
  if (r === null) return [];
  let strange = false;
  return r.list(() => {
    if (strange || r.byte() !== 0x60) {
      strange = true; // types of later proposals: what follows cannot be read
      return '?';
    }
    const values = (): string => r.list(() => TYPES[r.byte()] ?? '?').join(', ');
    const parameters = values();
    return `(${parameters}) -> ${values() || 'nothing'}`;
  });
}

function limits(r: Reader): { flags: number; least: number } {
  const flags = r.byte();
  const least = r.number();
  if ((flags & 1) !== 0) r.number();
  return { flags, least };
}

function readExports(r: Reader | null): { name: string; kind: number; index: number }[] {
  return r === null ? [] : r.list(() => ({ name: r.text(), kind: r.byte(), index: r.number() }));
}

function firstImport(r: Reader | null): string | null {
  if (r === null || r.number() === 0) return null;
  const module = r.text();
  const name = r.text();
  return `${module}.${name} (${KINDS[r.byte()] ?? 'unknown'})`;
}

function leb(n: number): number[] {
  const out: number[] = [];
  for (let left = n; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...out, left];
    out.push((left % 128) + 128);
  }
}

/** A new memory section: [least, most] pages. */
function withMemory(bytes: Uint8Array, span: Span | undefined, least: number, most: number): Uint8Array<ArrayBuffer> {
  const start = span?.start ?? 0;
  const body = [1, 1, ...leb(least), ...leb(most)];
  const section = span === undefined ? [] : [SECTION.memory, ...leb(body.length), ...body];
  const rest = bytes.subarray(span?.end ?? 0);
  const out = new Uint8Array(start + section.length + rest.length);
  out.set(bytes.subarray(0, start));
  out.set(section, start);
  out.set(rest, start + section.length);
  return out;
}
