/**
 * Zoo: rows of the bug zoo's classes A, B, D, E, H and N that no mutant stands for, and what decides them instead, or why nothing does.
 */
import type { ZooElsewhere } from './ranges.js';

const NO_STALL = 'the models have no stall';

export const SYSTEM_ZOO_ELSEWHERE: readonly ZooElsewhere[] = [
  { id: 'A3', what: 'a reader of the array that takes a lock by trying spins on an empty one', where: 'the reader here takes no lock (claim S1-4)' },
  { id: 'A4', what: 'a merge that meets trash does not advance', where: 'tests and the property of the array (`properties/optimised/invs.test.ts`): merge, unref and purge beside a multiset' },
  { id: 'A5', what: 'an unref reads behind the array', where: 'as A4; reading beyond an array is a fault of the driver (rule `use-after-free`)' },
  { id: 'A9', what: 'a new array does not say that it has ATS entries', where: 'as A4: what the array says of itself is compared there; no lock depends on it here' },
  { id: 'A16', what: 'an unref does not wait for readers that may still send ATC_INV to the device', where: 'needs two CPUs and endpoints that do not answer: not built' },
  { id: 'A19', what: 'what a device adds to the array is not sorted', where: 'as A4; lists that are always in one wrong order turned out to miss nothing here, because each StreamID is one device\'s' },
  { id: 'B5', what: 'a VMID is lost when opening a vSMMU fails', where: 'opening takes the VMID last, so nothing can fail behind it; rule `tag-lifetime` counts ids after every call' },
  { id: 'B7', what: 'an ASID changes while an attach is under way', where: 'no ASID here is shared with a CPU, so none ever changes' },
  { id: 'B11', what: 'TLBI_NH_* where stage 1 lives in EL2', where: 'the driver runs stage 1 in EL1 only; corner cases decide the matching' },
  { id: 'D10', what: 'an ATC_INV that times out is ignored', where: 'corner cases 69 and 82; the endpoints of systems always answer' },
  { id: 'D13', what: 'a sync with nothing to invalidate invalidates everything', where: 'a cost and no fault: the driver skips an empty gather, which tests ask for' },
  { id: 'E2', what: 'a 64-bit word of an STE is written in halves', where: 'stores here are whole words' },
  { id: 'E3', what: 'SHCFG is missing in a bypass STE', where: 'memory attributes are not modelled' },
  { id: 'E6', what: 'EATS counts as safe together with S2S or split stage', where: '`prove --claim hitless`, on every pair of configurations' },
  { id: 'E7', what: 'a level-2 stream table is visible before it is filled', where: 'stream tables are linear here; corner cases decide the two-level form' },
  { id: 'E8', what: 'the last index of a 32-bit StreamID space overflows', where: 'StreamIDs have 6 bits here' },
  { id: 'E9', what: 'a device that names a StreamID twice fails', where: 'worlds have such devices: each profile of systems draws them' },
  { id: 'E15', what: 'CD.S stays set when a process ends, with STALL_FORCE', where: NO_STALL },
  { id: 'E16', what: 'a CD table is freed while the STE points to it', where: 'rule `use-after-free`, at every page of CDs that is freed; the driver keeps them until the end' },
  { id: 'E18', what: 'an invalid level-1 stream table descriptor stays cached', where: 'stream tables are linear here; corner cases decide the two-level form' },
  { id: 'H1', what: 'an mm is used after it has ended', where: 'a matter of reference counts, which the models do not have; calls for an mm that is gone are refused' },
  { id: 'H2', what: 'sleeping under a spin lock', where: 'a matter of contexts of a kernel' },
  { id: 'H6', what: 'the ASID of a CPU rolls over', where: 'no ASID here is shared with a CPU' },
  { id: 'N4', what: 'a virtual device is published before it is complete', where: 'a guest knows its devices by their number: there is nothing to publish' },
  { id: 'N5', what: 'events go to another guest after a failed attach', where: 'events are not passed on to guests here' },
  { id: 'N7', what: 'a guest floods the host with events', where: 'MEV is set and changes no answer; how often records are merged is not modelled' },
];
