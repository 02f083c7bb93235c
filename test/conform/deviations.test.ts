/** Known deviations of QEMU: each has its smallest case, which our own machines pass, and which the QEMU at hand fails because of it alone. */
import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { twinsFor } from '../../src/conform/campaign.js';
import { WAIVERS, waiversFor } from '../../src/conform/deviations.js';
import { worldOn } from '../../src/conform/judge.js';
import { applies, waiversOf, type Waiver } from '../../src/conform/waivers.js';
import { replayMachine } from '../../src/lockstep/machine-replay.js';
import { decodeMachineCase } from '../../src/operations/machine-codec.js';
import type { MachineCase } from '../../src/operations/machine-case.js';
import { Pool } from '../../src/qemu/pool.js';
import { deviationsMarkdown } from '../../src/report/conform-deviations.js';
import { withQemu } from '../qemu/rig.js';

const FOLDER = fileURLToPath(new URL('../../../corpus/conform/', import.meta.url));
const TABLE = fileURLToPath(new URL('../../../corpus/tables/qemu.md', import.meta.url));

function caseOf(id: string): MachineCase {
  return decodeMachineCase(readFileSync(`${FOLDER}${id}.json`, 'utf8'), id);
}

test('each deviation has its case, and each case its deviation', (t) => {
  t.deepEqual(readdirSync(FOLDER).sort(), WAIVERS.map((w) => `${w.id}.json`).sort());
  for (const w of WAIVERS) t.is(caseOf(w.id).provenance['deviation'], w.id);
});

test('our own machines do none of them', (t) => {
  for (const w of WAIVERS) {
    const c = caseOf(w.id);
    t.is(replayMachine(c.world, c.operations).violation, null, w.id);
  }
});

test('the table is made of them', (t) => {
  t.is(readFileSync(TABLE, 'utf8'), deviationsMarkdown(WAIVERS, new Map(WAIVERS.map((w) => [w.id, caseOf(w.id).operations]))));
});

test('versions are compared number by number', (t) => {
  const w = (from: string, until?: string): Waiver => ({ id: '', from, clause: '', behaviour: '', hides: '', ...(until === undefined ? {} : { until }) });
  t.true(applies(w('7.2'), '7.2.22'));
  t.true(applies(w('7.2'), '10.0.13'));
  t.false(applies(w('10.0'), '9.2.1'));
  t.true(applies(w('7.2', '10.0'), '9.2.1'));
  t.false(applies(w('7.2', '10.0'), '10.0.0'));
});

withQemu('the QEMU at hand does what is said of its version, and nothing of what is said of others', (t, binary) => {
  const pool = new Pool(binary);
  try {
    for (const w of WAIVERS) {
      const c = caseOf(w.id);
      const features = pool.features;
      if (w.when?.(features) === false || (c.world.smmus[0]?.features.stage2 === true && !features.stage2)) {
        t.log(`${w.id}: not with this SMMU`);
        continue;
      }
      const { world } = worldOn(c.world, features);
      const { violation, failedAt } = replayMachine(world, c.operations, { twins: twinsFor(pool, c.operations) });
      const operations = c.operations.slice(0, failedAt + 1);
      const known = violation === null ? null : waiversOf([w], { world, operations, violation }, twinsFor(pool, operations));
      const loose = w.loosens === undefined ? null : replayMachine(world, c.operations, { twins: twinsFor(pool, c.operations, { waivers: [w] }) }).violation;
      const seen = violation !== null && (w.loosens === undefined ? known !== null : loose === null);
      if (applies(w, binary.version)) t.true(seen, `QEMU ${binary.version} does no longer do this, give it an "until": ${w.id}: ${w.behaviour}`);
      else t.false(seen, `QEMU ${binary.version} does this as well: ${w.id}: ${w.behaviour}`);
      const others = waiversFor(binary.version).filter((x) => x !== w && x.loosens === undefined);
      if (seen && violation !== null) t.is(waiversOf(others, { world, operations, violation }, twinsFor(pool, operations)), null, `${w.id}: another waiver covers it as well`);
    }
  } finally {
    pool.end();
  }
});
