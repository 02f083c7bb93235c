/**
 * Guest: what a guest may ask of its vSMMU, said by what the words mean: which STEs are taken, and which commands may be issued for it (the acceptance of
 * iommufd, with reserved bits refused as later kernels do).
 */
import { getField, setField } from '../../spec/bits.js';
import { commandVerdict, decodeCommand, encodeCommand, newCommand, OP } from '../../spec/command.js';
import type { Features } from '../../spec/features.js';
import { CONFIG_ABORT, CONFIG_BYPASS, CONFIG_S1, EATS_FULL, STE } from '../../spec/ste.js';

export type GuestConfig = 'abort' | 'bypass' | 'stage1';

/** Fields of words 0 and 1 that are a guest's. */
const ALLOWED = [STE.V, STE.Config, STE.S1Fmt, STE.S1ContextPtr, STE.S1CDMax, STE.S1DSS, STE.S1CIR, STE.S1COR, STE.S1CSH, STE.S1STALLD, STE.EATS] as const;

/** What the guest's STE asks for; null: it is refused. */
export function acceptSte(words: readonly number[]): { readonly config: GuestConfig; readonly ats: boolean } | null {
  const ste = new Uint32Array(16);
  for (let i = 0; i < 4; i += 1) ste[i] = words[i] as number;
  if (getField(ste, STE.V) === 0) return { config: 'abort', ats: false };
  const kept = new Uint32Array(16);
  for (const f of ALLOWED) setField(kept, f, getField(ste, f));
  if (kept.some((w, i) => w !== ste[i])) return null;
  const eats = getField(ste, STE.EATS);
  if (eats > EATS_FULL) return null;
  switch (getField(ste, STE.Config)) {
    case CONFIG_ABORT: return { config: 'abort', ats: false };
    case CONFIG_BYPASS: return { config: 'bypass', ats: false };
    case CONFIG_S1: return { config: 'stage1', ats: eats === EATS_FULL };
    default: return null;
  }
}

const OF_VMID: ReadonlySet<number> = new Set([OP.TLBI_NH_ALL, OP.TLBI_NH_ASID, OP.TLBI_NH_VA, OP.TLBI_NH_VAA]);
const OF_STREAM: ReadonlySet<number> = new Set([OP.ATC_INV, OP.CFGI_CD, OP.CFGI_CD_ALL]);

/** May this command be issued for the guest? `sees`: StreamIDs as the guest knows its devices. */
export function acceptsCommand(words: readonly number[], f: Features, sees: (sid: number) => boolean): boolean {
  const raw = Uint32Array.from({ length: 4 }, (_, i) => words[i] as number);
  const c = decodeCommand(raw, 0, newCommand());
  if (c.op === OP.TLBI_NSNH_ALL) return true; // stands for everything of its VMID, and nothing else of it counts
  if (OF_STREAM.has(c.op)) {
    if (!sees(c.sid)) return false;
    raw[1] = 0; // whatever the stream is on the SMMU
    decodeCommand(raw, 0, c);
  } else if (OF_VMID.has(c.op)) {
    raw[1] = (((raw[1] as number) & 0xffff0000) | 1) >>> 0; // whatever VMID it names is replaced
    decodeCommand(raw, 0, c);
  } else return false;
  return commandVerdict(c, raw, 0, f).verdict === 'legal';
}

/** How many commands of the list are taken before the first that is refused. */
export function acceptedCommands(words: readonly number[], f: Features, sees: (sid: number) => boolean): number {
  const count = Math.floor(words.length / 4);
  for (let i = 0; i < count; i += 1) if (!acceptsCommand(words.slice(i * 4, i * 4 + 4), f, sees)) return i;
  return count;
}

/** A guest's command as four uint32. */
export function commandWords(fields: Partial<ReturnType<typeof newCommand>>): number[] {
  const out = new Uint32Array(4);
  encodeCommand({ ...newCommand(), ...fields }, out);
  return [...out];
}
