/**
 * Claim: on worlds that the stage-1 form covers, the whole machine and the stage-1 form cache the same leaves and table descriptors, by tag, level, address
 * and value, after every step.
 */
import test from 'ava';
import { RandomChooser } from '../../src/stack/chooser.js';
import { FULL_FEATURES, type Features } from '../../src/spec/features.js';
import { CR0_CMDQEN, CR0_SMMUEN, queueBase, REG, strtabLinear } from '../../src/spec/register.js';
import { RAM_BASE } from '../../src/memory/memory.js';
import { ReferenceMachine } from '../../src/reference/machine/machine.js';
import { OAS } from '../../src/stack/world.js';
import { listTlb } from '../../test/reference/stage1/listing.js';
import { QUEUE_LOG2, QUEUE_SLOT, STREAM_SLOT, STREAMS_LOG2 } from '../../test/reference/stage1/rig.js';
import { SmallWorld } from './small-worlds.js';

const STAGE1: Features = {
  ...FULL_FEATURES, stage2: false, hyp: false, httu: 0, ats: false, splitAts: false, twoLevelStreams: false, twoLevelCds: false, sidBits: 6, ssidBits: 0, extraQueues: 0, oas: OAS,
  gran16k: false, gran64k: false, smallTables: false,
};
const WORLDS = 500;
const STEPS = 50;

/** The whole machine beside the stage-1 form of a small world: it hears the same stores, register writes and observations. */
function beside(w: SmallWorld): ReferenceMachine {
  const { machine, memory } = w.rig;
  const whole = new ReferenceMachine(memory, { features: STAGE1, tlbEntries: 64, mergeRuns: false, strictReserved: true });
  whole.writeRegister(REG.STRTAB_BASE, (RAM_BASE + STREAM_SLOT) * 4096);
  whole.writeRegister(REG.STRTAB_BASE_CFG, strtabLinear(STREAMS_LOG2));
  whole.writeRegister(REG.CMDQ_BASE, queueBase((RAM_BASE + QUEUE_SLOT) * 4096, QUEUE_LOG2));
  whole.writeRegister(REG.CR0, CR0_CMDQEN | CR0_SMMUEN);
  const write = machine.writeRegister.bind(machine);
  machine.writeRegister = (offset, value) => { write(offset, value); whole.writeRegister(offset, value); };
  const observe = machine.queue.observe.bind(machine.queue);
  machine.queue.observe = (cons) => { observe(cons); whole.observe(0, cons); };
  return whole;
}

function listWhole(m: ReferenceMachine): Set<string> {
  const names = new Set<string>();
  for (const f of m.tables.translations) {
    const c = f.regime.context;
    names.add(`${f.kind} ${f.asid}/${c.rootFrame}/${c.startLevel}/${c.inputBits}/${c.outputBits} level ${f.level} va ${f.va} ${f.hi}:${f.lo}`);
  }
  return names;
}

for (let batch = 0; batch < 4; batch += 1) {
  test(`the whole machine caches what the stage-1 form caches, batch ${batch}`, (t) => {
    let compared = 0;
    for (let n = 0; n < WORLDS; n += 1) {
      const w = new SmallWorld(new RandomChooser(`whole ${batch}.${n}`), false);
      const whole = beside(w);
      for (let i = 0; i < STEPS; i += 1) {
        w.step();
        const less = listTlb(w.rig.machine);
        const more = listWhole(whole);
        const missing = [...less].filter((name) => !more.has(name));
        const extra = [...more].filter((name) => !less.has(name));
        compared += less.size;
        if (missing.length + extra.length === 0) continue;
        t.fail(`world ${batch}.${n} after step ${i}: missing ${missing.join('; ')} extra ${extra.join('; ')}`);
        return;
      }
    }
    t.log(`${compared} facts compared`);
    t.true(compared > WORLDS * 100);
  });
}
