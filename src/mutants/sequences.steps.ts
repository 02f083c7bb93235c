/**
 * Sequences: the right actions of the driver in a wrong order. Mutants only.
 */
import { storeWords, syncEntry } from '../optimised/driver/entry.steps.js';
import { install, leave, prepare, publish, requestFor, steFor } from '../optimised/driver/attach.steps.js';
import { releaseTables } from '../optimised/driver/invalidate.steps.js';
import { insertList, submit, waitConsumed } from '../optimised/driver/queue.steps.js';
import type { Batch, Context, DeviceState, Gather, SmmuState } from '../optimised/driver/types.js';
import { REG } from '../spec/register.js';
import type { Result, Target } from '../stack/operation.js';
import type { Steps } from '../stack/steps.js';

/** Attach with the new array published last. */
export function* publishAfterSte(ctx: Context, device: number, target: Target): Steps<Result> {
  const dev = ctx.state.devices[device] as DeviceState;
  const a = prepare(ctx, requestFor(dev, device, target));
  if (typeof a === 'string') return a;
  yield* install(ctx, a, steFor(ctx, a, target));
  if (a.next !== null) {
    yield 'publish the new array';
    publish(ctx, a);
  }
  dev.target = target;
  yield* leave(ctx, a);
  return 'ok';
}

/** The gather's tables are freed first and invalidated then. */
export function* freeBeforeFlush(ctx: Context, domain: number, gather: Gather): Steps<void> {
  ctx.parts.describe(gather, ctx.description);
  ctx.cpu.drainAll();
  yield 'free the tables';
  releaseTables(ctx, gather);
  yield* ctx.parts.invalidate(ctx, domain, ctx.description);
}

/** All words of a live entry in one go, V = 1 throughout, and one sync. */
export function* writeLive(ctx: Context, kind: 'ste' | 'cd', smmu: number, ref: number, target: Uint32Array, streams: readonly number[], ssid = 0): Steps<void> {
  ctx.cpu.barrier('entry-target-visible');
  yield 'write the whole entry';
  if (storeWords(ctx, ref, target, 0, 8)) {
    yield* syncEntry(ctx, kind, smmu, streams, ssid);
  }
}

/** The call returns without looking at CONS: nobody knows whether the SYNC is complete. */
export function* submitWithoutWaiting(ctx: Context, batch: Batch): Steps<void> {
  ctx.parts.emit(batch);
  const smmu = ctx.state.smmus[batch.smmu] as SmmuState;
  for (let at = 0; at < batch.count; at += smmu.listMax) {
    const n = Math.min(smmu.listMax, batch.count - at);
    yield 'insert commands';
    insertList(ctx, smmu, batch.words, at, n, true);
  }
}

/** The SYNC stands in front of the commands that it should cover. */
export function* submitSyncFirst(ctx: Context, batch: Batch): Steps<void> {
  ctx.parts.emit(batch);
  const smmu = ctx.state.smmus[batch.smmu] as SmmuState;
  yield 'insert the SYNC';
  const target = insertList(ctx, smmu, batch.words, 0, 0, true);
  for (let at = 0; at < batch.count; at += smmu.listMax) {
    yield 'insert commands';
    insertList(ctx, smmu, batch.words, at, Math.min(smmu.listMax, batch.count - at), false);
  }
  yield 'wait for CMD_SYNC';
  waitConsumed(ctx, smmu, target);
}

/** PROD without its wrap bit: on every second lap the SMMU takes the queue for emptier, or fuller, than it is. */
export function* submitWithoutWrap(ctx: Context, batch: Batch): Steps<void> {
  const smmus = ctx.state.smmus.map((s) => ({
    ...s,
    port: {
      readRegister: (offset: number): number => s.port.readRegister(offset),
      writeRegister: (offset: number, value: number): void => { s.port.writeRegister(offset, offset === REG.CMDQ_PROD ? value % 2 ** s.queueLog2 : value); },
    },
  }));
  yield* submit({ ...ctx, state: { ...ctx.state, smmus } }, batch);
}

/** Commands are written although the queue may be full: nobody looks how far the SMMU is. */
export function* submitIntoFullQueue(ctx: Context, batch: Batch): Steps<void> {
  const smmu = ctx.state.smmus[batch.smmu] as SmmuState;
  yield 'take the queue for empty';
  ctx.cpu.store(smmu.consCell, ctx.cpu.loadLo(smmu.prodCell), 0);
  const sync = batch.sync;
  batch.sync = false;
  yield* submit(ctx, batch);
  batch.sync = sync;
}

/** Lists as long as the queue is, whatever the SMMU can take between two SYNCs. */
export function* submitLongLists(ctx: Context, batch: Batch): Steps<void> {
  ctx.parts.emit(batch);
  if (batch.count === 0 && !batch.sync) return;
  const smmu = ctx.state.smmus[batch.smmu] as SmmuState;
  const room = 2 ** smmu.queueLog2 - 1;
  let target = -1;
  let at = 0;
  do {
    const n = Math.min(room, batch.count - at);
    yield 'insert commands';
    target = insertList(ctx, smmu, batch.words, at, n, batch.sync && at + n === batch.count);
    at += room;
  } while (at < batch.count);
  if (!batch.sync) return;
  yield 'wait for CMD_SYNC';
  waitConsumed(ctx, smmu, target);
}
