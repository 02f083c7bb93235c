/**
 * Helpers of the tests of whole structures: an STE and a CD that are legal, and copies of them with fields changed.
 */
import { setField } from '../../src/spec/bits.js';
import { CD } from '../../src/spec/cd.js';
import { STE } from '../../src/spec/ste.js';

export type SteFields = Readonly<Partial<Record<keyof typeof STE, number>>>;
export type CdFields = Readonly<Partial<Record<keyof typeof CD, number>>>;

/** Stage 1 with 2^10 CDs in two levels. */
export const STAGE1: SteFields = { V: 1, Config: 5, S1Fmt: 2, S1ContextPtr: 0x80010000 / 64, S1CDMax: 10, S1DSS: 2, EATS: 1 };
/** Stage 2: 40 bits of 4K tables, two of them side by side at level 1. */
export const STAGE2: SteFields = {
  V: 1, Config: 6, S2VMID: 3, S2T0SZ: 24, S2SL0: 1, S2TG: 0, S2PS: 2, S2AA64: 1, S2R: 1, S2TTB: 0x80020000 / 16,
};
export const NESTED: SteFields = { ...STAGE1, ...STAGE2, Config: 7 };
/** 48 bits of 4K tables below, nothing above. */
export const CONTEXT: CdFields = { V: 1, AA64: 1, A: 1, R: 1, T0SZ: 16, TG0: 0, IPS: 5, EPD1: 1, ASID: 9, TTB0: 0x80030000 / 16 };
/** A half above that is legal by itself. */
export const UPPER: CdFields = { EPD1: 0, T1SZ: 16, TG1: 2, TTB1: 0x80040000 / 16 };

/** 16 uint32 of an STE. */
export function ste(fields: SteFields): Uint32Array {
  const words = new Uint32Array(16);
  for (const name of Object.keys(fields) as (keyof typeof STE)[]) setField(words, STE[name], fields[name] ?? 0);
  return words;
}

/** 16 uint32 of a CD. */
export function cd(fields: CdFields): Uint32Array {
  const words = new Uint32Array(16);
  for (const name of Object.keys(fields) as (keyof typeof CD)[]) setField(words, CD[name], fields[name] ?? 0);
  return words;
}
