/**
 * Scenarios that `check` knows by name: small worlds, each with the calls that run side by side.
 */
import { smallWorld } from '../stack/world.js';
import type { Scenario } from './explore.js';

const PAGE = 4096;

export const SCENARIOS: readonly Scenario[] = [
  {
    id: 'attach-unmap',
    about: 'one CPU attaches a device to a domain while another unmaps a page of it',
    world: smallWorld({ inputBits: 39 }),
    before: [{ op: 'map', domain: 0, iova: 0, pa: 0x5000 * PAGE, size: PAGE, prot: 'rw' }],
    threads: [
      [{ op: 'attach', device: 0, to: 0 }],
      [{ op: 'unmap', domain: 0, iova: 0, size: PAGE }, { op: 'sync', domain: 0 }],
    ],
  },
];

export function findScenario(id: string): Scenario | undefined {
  return SCENARIOS.find((s) => s.id === id);
}
