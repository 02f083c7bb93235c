/** Two-level stream tables on the stage-1 machine: level-1 descriptors are facts, and premises of the STEs behind them (IHI 0070 §3.3.1, §4.3.1, §5.1). */
import test from 'ava';
import { Journal } from '../../../src/memory/journal.js';
import { ScatteredMemory } from '../../../src/memory/scattered.js';
import { Stage1Reference } from '../../../src/reference/stage1/machine.js';
import { newCommand, OP, type Command } from '../../../src/spec/command.js';
import { EVENT } from '../../../src/spec/event.js';
import { CR0_CMDQEN, CR0_SMMUEN, REG } from '../../../src/spec/register.js';
import { stage1Features } from '../../../src/stack/machine.js';
import { newOutcome, setAbort, setFault, setOk } from '../../../src/stack/outcome.js';
import { Unmodelled } from '../../../src/stack/violation.js';
import { DEFAULT_SMMU } from '../../../src/stack/world.js';

const L1 = 0x5000;
const OLD = 0x80000;
const NEW = 0xc0000;
const ABORT = 1;
const BYPASS = 9;
const SPAN_256 = 9;

class Rig {
  readonly memory = new ScatteredMemory(new Journal());
  readonly machine = new Stage1Reference(this.memory, DEFAULT_SMMU, { ...stage1Features(DEFAULT_SMMU), twoLevelStreams: true });

  store(pa: number, lo: number): this {
    this.memory.commit(this.memory.slotOf(Math.floor(pa / 4096)) * 512 + (pa % 4096) / 8, lo, 0);
    return this;
  }

  enable(): this {
    this.machine.writeRegister(REG.STRTAB_BASE, L1);
    this.machine.writeRegister(REG.STRTAB_BASE_CFG, 0x10210);
    this.machine.writeRegister(REG.CR0, CR0_CMDQEN + CR0_SMMUEN);
    return this;
  }

  sync(c: Partial<Command>): this {
    const { clock } = this.memory.journal;
    clock.now += 1;
    const visible = clock.now;
    clock.now += 1;
    this.machine.synced([{ command: { ...newCommand(), ...c }, visible }]);
    return this;
  }

  /** What stream 3 may get: abort, bypass, C_BAD_STREAMID. */
  may(): string {
    const out = newOutcome();
    const is = (): boolean => this.machine.permits(3, 7, false, out);
    const found: string[] = [];
    setAbort(out); if (is()) found.push('abort');
    setOk(out, 7); if (is()) found.push('bypass');
    setFault(out, EVENT.C_BAD_STREAMID); if (is()) found.push('bad');
    return found.join(' ');
  }
}

function two(): Rig {
  return new Rig().store(OLD + 3 * 64, ABORT).store(NEW + 3 * 64, BYPASS).store(L1, OLD + SPAN_256).enable();
}

test('a stream behind an invalid level-1 descriptor is a bad StreamID, and that may stay cached', (t) => {
  const r = new Rig().store(OLD + 3 * 64, ABORT).enable();
  t.is(r.may(), 'bad');
  r.store(L1, OLD + SPAN_256);
  t.is(r.may(), 'abort bad');
  t.is(r.sync({ op: OP.CFGI_STE, sid: 3, leaf: 1 }).may(), 'abort bad');
  t.is(r.sync({ op: OP.CFGI_STE, sid: 3, leaf: 0 }).may(), 'abort');
});

test('an STE behind a replaced level-1 descriptor goes with Leaf = 0 only', (t) => {
  const r = two();
  t.is(r.may(), 'abort');
  r.store(L1, NEW + SPAN_256);
  t.is(r.may(), 'abort bypass');
  t.is(r.sync({ op: OP.CFGI_STE, sid: 3, leaf: 1 }).may(), 'abort bypass', 'the cached descriptor leads to it again');
  t.is(r.sync({ op: OP.CFGI_STE, sid: 3, leaf: 0 }).may(), 'bypass');
});

test('Leaf = 0 of another stream takes the descriptor, and leaves the STE that was cached behind it', (t) => {
  const r = two().store(L1, NEW + SPAN_256).sync({ op: OP.CFGI_STE, sid: 5, leaf: 0 });
  t.is(r.may(), 'abort bypass');
  t.is(r.sync({ op: OP.CFGI_STE, sid: 3, leaf: 1 }).may(), 'bypass', 'nothing leads to it any more');
});

test('a range of streams takes both', (t) => {
  t.is(two().store(L1, NEW + SPAN_256).sync({ op: OP.CFGI_STE_RANGE, sid: 0, range: 31 }).may(), 'bypass');
});

test('an STE that is rewritten behind a replaced descriptor is cached in every form', (t) => {
  const r = two().store(L1, NEW + SPAN_256).store(OLD + 3 * 64, BYPASS + 0);
  t.is(r.may(), 'abort bypass');
  t.deepEqual(r.machine.configuration.staleLevel1().map((f) => f.sid), [0]);
});

test('the smallest table, and a span that ends in front of the stream', (t) => {
  const r = new Rig().store(0x90400 + 3 * 64, BYPASS).store(L1, 0x90400 + 3).enable();
  t.is(r.may(), 'bypass');
  t.is(r.store(L1, 0x90400 + 2).sync({ op: OP.CFGI_STE, sid: 3, leaf: 0 }).may(), 'bad');
});

test('the worlds\' SMMU has no two-level tables', (t) => {
  const machine = new Stage1Reference(new ScatteredMemory(new Journal()), DEFAULT_SMMU);
  machine.writeRegister(REG.STRTAB_BASE_CFG, 0x10210);
  t.throws(() => { machine.writeRegister(REG.CR0, CR0_SMMUEN); }, { instanceOf: Unmodelled });
});
