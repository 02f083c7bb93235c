/**
 * Reset: bringing one SMMU up in the kernel's order (IHI 0070 §3.11): stream
 * table of abort entries, queues, CMDQEN, CFGI_ALL and SYNC, NSNH_ALL and SYNC, event queue, and SMMUEN last, so that
 * nothing cached before can be hit.
 */
import { OP } from '../../spec/command.js';
import { CR0_ATSCHK, CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, queueBase, REG, strtabLinear } from '../../spec/register.js';
import type { Steps } from '../../stack/steps.js';
import { LIMITS } from '../../stack/world.js';
import { RAM_BASE } from '../../memory/memory.js';
import { abortSte } from './structures.js';
import type { Context, SmmuState } from './types.js';

export function* reset(ctx: Context, smmu: number): Steps<void> {
  const s = ctx.state.smmus[smmu] as SmmuState;
  const abort = abortSte();
  for (let sid = 0; sid < 2 ** LIMITS.streamLog2; sid += 1) {
    ctx.cpu.store(s.streamSlot * 512 + sid * 8, abort[0] as number, abort[1] as number);
  }
  ctx.cpu.barrier('entry-target-visible');
  const port = s.port;
  port.writeRegister(REG.CR0, 0);
  port.writeRegister(REG.STRTAB_BASE, (RAM_BASE + s.streamSlot) * 4096);
  port.writeRegister(REG.STRTAB_BASE_CFG, strtabLinear(LIMITS.streamLog2));
  port.writeRegister(REG.CMDQ_BASE, queueBase((RAM_BASE + s.queueSlot) * 4096, s.queueLog2));
  port.writeRegister(REG.CMDQ_PROD, 0);
  port.writeRegister(REG.CMDQ_CONS, 0);
  port.writeRegister(REG.CR0, CR0_CMDQEN);
  yield* one(ctx, smmu, OP.CFGI_STE_RANGE, 31);
  yield* one(ctx, smmu, OP.TLBI_NSNH_ALL, 0);
  port.writeRegister(REG.EVENTQ_BASE, queueBase((RAM_BASE + s.eventSlot) * 4096, s.eventLog2));
  port.writeRegister(REG.EVENTQ_PROD, 0);
  port.writeRegister(REG.EVENTQ_CONS, 0);
  port.writeRegister(REG.CR0, CR0_CMDQEN + CR0_EVENTQEN);
  const checked = s.features.ats ? CR0_ATSCHK : 0; // what endpoints send as translated is held against their STEs
  if (checked !== 0) port.writeRegister(REG.CR0, CR0_CMDQEN + CR0_EVENTQEN + checked);
  port.writeRegister(REG.CR0, CR0_CMDQEN + CR0_EVENTQEN + checked + CR0_SMMUEN);
}

/** One command and its SYNC. */
function* one(ctx: Context, smmu: number, op: number, word2: number): Steps<void> {
  const batch = ctx.batch;
  batch.smmu = smmu;
  batch.purpose = 'reset';
  batch.sync = true;
  batch.words[0] = op;
  batch.words[1] = 0;
  batch.words[2] = word2;
  batch.words[3] = 0;
  batch.count = 1;
  yield* ctx.parts.submit(ctx, batch);
}
