/** The machine against the literal walker (literal.ts) on random tables: every granule and size, both stages, nested, hardware updates. */
import test from 'ava';
import fc from 'fast-check';
import { eventName } from '../../../src/spec/event.js';
import { CR0_SMMUEN, CR2_E2H, REG, strtabLinear } from '../../../src/spec/register.js';
import { Journal } from '../../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../../src/memory/memory.js';
import { OUTCOME_OK } from '../../../src/stack/outcome.js';
import { newAnswer, newTransaction, type Transaction } from '../../../src/stack/transaction.js';
import { OptimisedMachine } from '../../../src/optimised/machine/machine.js';
import { LiteralWalker, type Literal, type Words } from './literal.js';
import { NoRoom, RandomStream, sequence, type Next } from './random-tables.js';

const SID = 1;
const SLOTS = 2048;

/** One stream, its machine, and a copy of memory for the literal walker. */
class Case {
  readonly memory: Memory;
  readonly stream: RandomStream;
  readonly machine: OptimisedMachine;
  readonly #ste: bigint;
  readonly #lo: Uint32Array;
  readonly #hi: Uint32Array;
  readonly #literal: LiteralWalker;

  constructor(next: Next) {
    this.memory = new Memory(new Journal(), SLOTS);
    this.stream = new RandomStream(this.memory, next);
    const { features, ste, chip } = this.stream;
    for (let i = 0; i < 8; i += 1) this.memory.commit(SID * 8 + i, ste[2 * i] as number, ste[2 * i + 1] as number);
    this.#ste = ste.reduceRight((sum, half) => (sum << 32n) | BigInt(half), 0n);
    this.machine = new OptimisedMachine(this.memory, { features, tlbEntries: [4, 64][next(2)] as number, mergeRuns: next(2) === 0, strictReserved: true });
    this.machine.writeRegister(REG.STRTAB_BASE, RAM_BASE * 4096);
    this.machine.writeRegister(REG.STRTAB_BASE_CFG, strtabLinear(6));
    this.machine.writeRegister(REG.CR2, chip.e2h ? CR2_E2H : 0);
    this.machine.writeRegister(REG.CR0, CR0_SMMUEN);
    this.#lo = this.memory.lo.slice(0, this.stream.used * 512);
    this.#hi = this.memory.hi.slice(0, this.stream.used * 512);
    this.#literal = new LiteralWalker(this.#words(), chip);
  }

  #words(): Words {
    const ref = (address: bigint): number => Number(address / 8n) - RAM_BASE * 512;
    return {
      read: (address) => {
        const at = ref(address);
        return at < 0 || at >= SLOTS * 512 ? null : BigInt(this.#hi[at] ?? 0) * 2n ** 32n + BigInt(this.#lo[at] ?? 0);
      },
      write: (address, value) => {
        this.#lo[ref(address)] = Number(value % 2n ** 32n);
        this.#hi[ref(address)] = Number(value >> 32n);
      },
    };
  }

  ask(t: Transaction): { machine: string; literal: string } {
    const out = newAnswer();
    this.machine.transact(t, out);
    const machine = out.kind === OUTCOME_OK ? `ok ${out.frame.toString(16)}` : `${eventName(out.event) ?? 'abort'} ${out.stage2} ${out.class} ${out.ipa.toString(16)}`;
    return { machine, literal: say(this.#literal.translate(this.#ste, { address: BigInt(t.frame) * 4096n, write: t.write, privileged: t.privileged, fetch: t.instruction })) };
  }

  /** The first word in which the machine's memory and the literal walker's differ. */
  difference(): string | undefined {
    for (let i = 0; i < this.#lo.length; i += 1) {
      if (this.#lo[i] !== this.memory.lo[i] || this.#hi[i] !== this.memory.hi[i]) {
        return `word ${i}: ${(this.memory.hi[i] as number).toString(16)} ${(this.memory.lo[i] as number).toString(16)} for ${(this.#hi[i] as number).toString(16)} ${(this.#lo[i] as number).toString(16)}`;
      }
    }
    return undefined;
  }
}

function say(l: Literal): string {
  return 'pa' in l ? `ok ${(l.pa / 4096n).toString(16)}` : `${eventName(l.event)} ${l.stage2 ? 1 : 0} ${l.cls} ${(l.ipa / 4096n).toString(16)}`;
}

/** A transaction at or near an address that has a mapping. */
function draw(c: Case, next: Next): Transaction {
  const base = c.stream.inputs[next(c.stream.inputs.length)] ?? 0n;
  const near = next(4) === 0 ? BigInt(next(64)) - 32n : next(6) === 0 ? 2n ** BigInt(next(40)) : 0n;
  const frame = BigInt.asUintN(52, base / 4096n + near);
  return { ...newTransaction(), sid: SID, frame: Number(frame), write: next(2) === 0, privileged: next(2) === 0, instruction: next(3) === 0 };
}

/** Answers seen, over all cases: the property must not pass on faults alone. */
const seen = new Map<string, number>();

function count(answer: string): void {
  const key = answer.startsWith('ok') ? 'ok' : answer.split(' ').slice(0, 3).join(' ');
  seen.set(key, (seen.get(key) ?? 0) + 1);
}

/** A case, or null when the draw does not fit into memory. */
function newCase(next: Next): Case | null {
  try {
    return new Case(next);
  } catch (error) {
    if (error instanceof NoRoom) return null;
    throw error;
  }
}

function run(seed: number, cold: boolean): void {
  const next = sequence(seed);
  const c = newCase(next);
  if (c === null) return;
  for (let i = 0; i < 24; i += 1) {
    const t = draw(c, next);
    if (cold) c.machine.flushCaches();
    const { machine, literal } = c.ask(t);
    if (cold) count(literal);
    if (machine !== literal) throw new Error(`access ${i} at ${t.frame.toString(16)} ${JSON.stringify(t)}: ${machine} for ${literal}`);
    const difference = i % 8 === 7 ? c.difference() : undefined;
    if (difference !== undefined) throw new Error(`access ${i}: memory differs at ${difference}`);
  }
}

test('cold: every answer and every update is the literal walker\'s', (t) => {
  t.notThrows(() => { fc.assert(fc.property(fc.integer(), (seed) => { run(seed, true); }), { numRuns: 1000, seed: 11 }); });
  for (const key of ['ok', 'F_TRANSLATION 0 2', 'F_TRANSLATION 1 2', 'F_TRANSLATION 1 1', 'F_ADDR_SIZE 0 2', 'F_ADDR_SIZE 1 2', 'F_ACCESS 0 2', 'F_ACCESS 1 2', 'F_PERMISSION 0 2',
    'F_PERMISSION 1 2', 'F_PERMISSION 1 1', 'F_WALK_EABT 0 1']) t.true((seen.get(key) ?? 0) > 20, `${key}: ${JSON.stringify([...seen])}`);
});

test('warm: what is cached answers as memory does, while nobody changes it', (t) => {
  t.notThrows(() => { fc.assert(fc.property(fc.integer(), (seed) => { run(seed, false); }), { numRuns: 1000, seed: 12 }); });
});
