/** temp */
import type { MachineLockstep } from '../lockstep/machine-lockstep.js';
import type { MachineOperation } from '../stack/machine-world.js';
import type { Violation } from '../stack/violation.js';
export interface Finding { readonly violation: Violation; readonly operation: MachineOperation; readonly both: MachineLockstep }
export interface Waiver { readonly id: string; matches(f: Finding): boolean }
export function waiverOf(waivers: readonly Waiver[], f: Finding): Waiver | null { return waivers.find((w) => w.matches(f)) ?? null; }
