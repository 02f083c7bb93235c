/**
 * Queue: submitting commands to one SMMU's command queue (IHI 0070 §3.5; the kernel's arm_smmu_cmdq_issue_cmdlist
 * in what it promises: commands are in memory before PROD says so, lists stay together, and with `sync` the call
 * returns when CONS has passed the SYNC). Inserting a list is one step; several inserters come with their own issue.
 */
import { OP } from '../../spec/command.js';
import { queueIndex, queueNext, queueUsed, REG } from '../../spec/register.js';
import { POW2 } from '../../spec/bits.js';
import type { Steps } from '../../stack/steps.js';
import type { Batch, Context, SmmuState } from './types.js';

const MASK = 0xfffff;

/**
 * Submits a batch in lists; the last one carries the SYNC (with the FORCE_SYNC erratum, each one). A batch of nothing without a SYNC is
 * nothing to do.
 */
export function* submit(ctx: Context, batch: Batch): Steps<void> {
  ctx.parts.emit(batch);
  if (batch.count === 0 && !batch.sync) return;
  const smmu = ctx.state.smmus[batch.smmu] as SmmuState;
  const room = smmu.listMax;
  let target = -1;
  let at = 0;
  do {
    const n = Math.min(room, batch.count - at);
    yield 'insert commands';
    target = insertList(ctx, smmu, batch.words, at, n, (batch.sync && at + n === batch.count) || smmu.forceSync);
    at += room;
  } while (at < batch.count);
  if (!batch.sync) return;
  yield 'wait for CMD_SYNC';
  waitConsumed(ctx, smmu, target);
}

/** Writes `n` commands (and a SYNC) and publishes them. Returns PROD, which CONS reaches when the SYNC is done. */
export function insertList(ctx: Context, smmu: SmmuState, words: Uint32Array, from: number, n: number, sync: boolean): number {
  const cpu = ctx.cpu;
  const log2 = smmu.queueLog2;
  const need = n + (sync ? 1 : 0);
  let prod = cpu.loadLo(smmu.prodCell);
  let cons = cpu.loadLo(smmu.consCell);
  while ((POW2[log2] as number) - queueUsed(prod, cons, log2) < need) {
    cpu.step('waiting for space in the command queue');
    cons = smmu.port.readRegister(REG.CMDQ_CONS) & MASK;
    cpu.store(smmu.consCell, cons, 0);
  }
  for (let i = 0; i < n; i += 1) {
    const w = (from + i) * 4;
    writeEntry(ctx, smmu, prod, words[w] as number, words[w + 1] as number, words[w + 2] as number, words[w + 3] as number);
    prod = queueNext(prod, log2);
  }
  if (sync) {
    writeEntry(ctx, smmu, prod, OP.SYNC, 0, 0, 0);
    prod = queueNext(prod, log2);
  }
  cpu.store(smmu.prodCell, prod, 0);
  cpu.barrier('command-published');
  smmu.port.writeRegister(REG.CMDQ_PROD, prod);
  return prod;
}

export function writeEntry(ctx: Context, smmu: SmmuState, prod: number, w0: number, w1: number, w2: number, w3: number): void {
  const ref = smmu.queueSlot * 512 + queueIndex(prod, smmu.queueLog2) * 2;
  ctx.cpu.store(ref, w0, w1);
  ctx.cpu.store(ref + 1, w2, w3);
}

/** Polls CONS until it is at or behind `target`: everything up to it is consumed, its SYNC complete. */
export function waitConsumed(ctx: Context, smmu: SmmuState, target: number): void {
  const cpu = ctx.cpu;
  for (;;) {
    const cons = smmu.port.readRegister(REG.CMDQ_CONS) & MASK;
    cpu.store(smmu.consCell, cons, 0);
    const prod = cpu.loadLo(smmu.prodCell);
    if (queueUsed(prod, cons, smmu.queueLog2) <= queueUsed(prod, target, smmu.queueLog2)) return;
    cpu.step('waiting for CMD_SYNC');
  }
}
