/**
 * CD tables: where the CD of a substream stands. One page of up to 64 CDs; more are linear where the SMMU has no two-level tables, else level-1
 * descriptors stand in the first page, and pages of 64 CDs come when the first of their substreams is attached. (The kernel's pages are 64K, with 1024 CDs
 * each; nothing else differs.) Such a page, zeroed, is there before the descriptor; and the descriptor, which the SMMU may have cached as
 * invalid, is invalidated with Leaf = 0 before a CD in it is used (IHI 0070 §4.3.3).
 */
import { OP } from '../../spec/command.js';
import { cdIndex1, cdIndex2, l1cdLow, l1cdPointer, l1cdValid, l1High } from '../../spec/level1.js';
import { S1FMT_4K } from '../../spec/ste.js';
import type { Steps } from '../../stack/steps.js';
import { RAM_BASE } from '../../memory/memory.js';
import type { Context, DeviceState } from './types.js';

/** Words of a CD. */
const CD_WORDS = 8;
/** log2 of the CDs in a page. */
export const PAGE_CDS_LOG2 = 6;

function level1Ref(dev: DeviceState, ssid: number): number {
  return dev.cdSlot * 512 + cdIndex1(ssid, S1FMT_4K);
}

/** Reference of the CD of a substream (0: of traffic without one), or -1 while its page is missing. */
export function cdRef(ctx: Context, dev: DeviceState, ssid: number): number {
  if (!dev.twoLevelCds) return dev.cdSlot * 512 + ssid * CD_WORDS;
  const ref = level1Ref(dev, ssid);
  const lo = ctx.cpu.loadLo(ref);
  if (!l1cdValid(lo)) return -1;
  const slot = l1cdPointer(lo, ctx.cpu.loadHi(ref), S1FMT_4K) / 4096 - RAM_BASE;
  return slot * 512 + cdIndex2(ssid, S1FMT_4K) * CD_WORDS;
}

/** The page at `slot`, zeroed, becomes the one of this substream's CD. */
export function* installCdPage(ctx: Context, dev: DeviceState, ssid: number, slot: number): Steps<void> {
  const address = (RAM_BASE + slot) * 4096;
  yield 'install a page of CDs';
  ctx.cpu.store(level1Ref(dev, ssid), l1cdLow(address), l1High(address));
  yield* ctx.parts.system.cdTableInstalled(ctx, dev, ssid);
}

/** CFGI_CD with Leaf = 0 for every stream, and CMD_SYNC. */
export function* cdTableInstalled(ctx: Context, dev: DeviceState, ssid: number): Steps<void> {
  const batch = ctx.batch;
  batch.smmu = dev.smmu;
  batch.purpose = 'cd-table';
  batch.sync = true;
  batch.count = dev.streams.length;
  for (let i = 0; i < dev.streams.length; i += 1) {
    batch.words[i * 4] = (OP.CFGI_CD | (ssid << 12)) >>> 0;
    batch.words[i * 4 + 1] = dev.streams[i] as number;
    batch.words[i * 4 + 2] = 0;
    batch.words[i * 4 + 3] = 0;
  }
  yield* ctx.parts.submit(ctx, batch);
}

/** Pages of CDs of a device, apart from those it was made with. */
export function cdPages(ctx: Context, dev: DeviceState): number[] {
  if (!dev.twoLevelCds) return [];
  const pages: number[] = [];
  for (let ssid = 0; ssid < 2 ** dev.ssidBits; ssid += 2 ** PAGE_CDS_LOG2) {
    const ref = cdRef(ctx, dev, ssid);
    if (ref >= 0) pages.push(Math.floor(ref / 512));
  }
  return pages;
}
