/** temp: what the command line needs of the real one */
import type { MachineCandidate } from '../fuzz/machine-shrink.js';
import type { Twins } from '../lockstep/twins.js';
import type { MachineLockstep } from '../lockstep/machine-lockstep.js';
import type { MachineOperation } from '../stack/machine-world.js';
import type { Violation } from '../stack/violation.js';
export interface Finding { readonly violation: Violation; readonly operation: MachineOperation; readonly both: MachineLockstep }
export interface Waiver { readonly id: string; readonly clause: string; readonly behaviour: string; readonly hides: string; matches(f: Finding): boolean }
export const WAIVERS: readonly Waiver[] = [];
export function waiverOf(waivers: readonly Waiver[], f: Finding): Waiver | null { return waivers.find((w) => w.matches(f)) ?? null; }
export function waiversFor(_version: string): readonly Waiver[] { return WAIVERS; }
export function waiversOf(waivers: readonly Waiver[], _failing: MachineCandidate, _twins: Twins): readonly Waiver[] | null { return waivers.length > 0 ? null : null; }
