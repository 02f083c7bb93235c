/**
 * Guest: what the host makes of a guest's STEs and commands (the kernel's iommufd part of the driver, `nested-and-pkvm.md` A.2 and A.5, in this project's own
 * shape). A guest sees an SMMU of stage 1 only, and StreamIDs of its own: here the number of a device in the world, if it is attached through the same vSMMU.
 *
 * Sounder than the kernel in three places. A command whose other fields the SMMU would not take (reserved bits, ranges that it does not have, ids that are
 * too large) is refused: it would stop the queue of the whole host. CFGI_CD and ATC_INV go to every stream of a device, not only to its
 * first. And ids of substreams beyond what the SMMU has are refused instead of passed on.
 */
import { commandVerdict, decodeCommand, newCommand, OP } from '../../spec/command.js';
import { getField, setField, type Field } from '../../spec/bits.js';
import { CONFIG_ABORT, CONFIG_BYPASS, CONFIG_NESTED, CONFIG_S1, EATS_FULL, EATS_OFF, STE } from '../../spec/ste.js';
import { abortSte } from './structures.js';
import type { Context, DeviceState, SmmuState, VsmmuState } from './types.js';

/** Words 0 and 1 of an STE, as far as a guest may set them. */
const GUEST_FIELDS: readonly Field[] = [STE.V, STE.Config, STE.S1Fmt, STE.S1ContextPtr, STE.S1CDMax, STE.S1DSS, STE.S1CIR, STE.S1COR, STE.S1CSH, STE.S1STALLD, STE.EATS];
/** What a translating guest STE takes over into the physical one; Config and EATS are the host's. */
const TAKEN: readonly Field[] = [STE.S1Fmt, STE.S1ContextPtr, STE.S1CDMax, STE.S1DSS, STE.S1CIR, STE.S1COR, STE.S1CSH, STE.S1STALLD];

/** Is a bit set outside of what a guest may have? */
function hasOther(guest: Uint32Array): boolean {
  const allowed = new Uint32Array(16);
  for (const f of GUEST_FIELDS) setField(allowed, f, getField(guest, f));
  return guest.some((word, i) => word !== allowed[i]);
}

/** Does an accepted STE ask for ATS? */
export function guestWantsAts(guest: Uint32Array): boolean {
  return getField(guest, STE.V) !== 0 && getField(guest, STE.Config) === CONFIG_S1 && getField(guest, STE.EATS) === EATS_FULL;
}

/**
 * The STE that stands for the guest's: abort as it is (V = 0 too), bypass is the parent alone, stage 1 is nested over the parent. Events of the stream
 * are merged (MEV), so that a guest cannot flood the host with them. Null: not one that a guest may have.
 */
export function physicalSte(guest: Uint32Array, parent: Uint32Array, ats: boolean): Uint32Array | null {
  if (getField(guest, STE.V) === 0) return abortSte();
  if (hasOther(guest)) return null;
  const config = getField(guest, STE.Config);
  const eats = getField(guest, STE.EATS);
  if ((eats !== EATS_OFF && eats !== EATS_FULL) || (config !== CONFIG_ABORT && config !== CONFIG_BYPASS && config !== CONFIG_S1)) return null;
  if (config === CONFIG_ABORT) return abortSte();
  const out = parent.slice();
  setField(out, STE.EATS, ats ? EATS_FULL : EATS_OFF);
  if (config === CONFIG_BYPASS) return out;
  setField(out, STE.Config, CONFIG_NESTED);
  setField(out, STE.MEV, 1);
  for (const f of TAKEN) setField(out, f, getField(guest, f));
  return out;
}

const decoded = newCommand();

/** Writes what the guest's command at `at` becomes to `out`, 4 uint32 each. Returns how many commands that is; -1: a guest may not issue it. */
export function guestCommand(ctx: Context, vsmmu: number, words: readonly number[], at: number, out: Uint32Array): number {
  const v = ctx.state.vsmmus[vsmmu] as VsmmuState;
  for (let i = 0; i < 4; i += 1) out[i] = words[at + i] as number;
  const op = (out[0] as number) & 0xff;
  let n = 1;
  switch (op) {
    case OP.TLBI_NSNH_ALL: // everything, to the guest, is everything under its VMID
      out.set([OP.TLBI_NH_ALL, v.vmid, 0, 0]);
      break;
    case OP.TLBI_NH_ALL: case OP.TLBI_NH_ASID: case OP.TLBI_NH_VA: case OP.TLBI_NH_VAA:
      out[1] = (((out[1] as number) & 0xffff0000) | v.vmid) >>> 0;
      break;
    case OP.ATC_INV: case OP.CFGI_CD: case OP.CFGI_CD_ALL:
      n = toStreams(ctx, vsmmu, out);
      break;
    default: return -1;
  }
  const { features } = ctx.state.smmus[v.smmu] as SmmuState;
  return n > 0 && commandVerdict(decodeCommand(out, 0, decoded), out, 0, features).verdict === 'legal' ? n : -1;
}

/** One command for each stream of the device that the guest's StreamID names; -1 if it is none of this vSMMU's. */
function toStreams(ctx: Context, vsmmu: number, out: Uint32Array): number {
  const dev: DeviceState | undefined = ctx.state.devices[out[1] as number];
  if (dev === undefined || dev.target !== 'nested' || dev.vsmmu !== vsmmu) return -1;
  dev.streams.forEach((sid, i) => {
    out.copyWithin(i * 4, 0, 4);
    out[i * 4 + 1] = sid;
  });
  return dev.streams.length;
}
