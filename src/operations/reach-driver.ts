/**
 * Reach driver: worlds and mixes for driver sequences on another SMMU: one instance with what that SMMU has, devices on the streams that are
 * in front of it, short runs of the swarm's operations, and the window that everything stays in.
 */
import { LIMITS, type DeviceConfig, type DomainConfig, type World } from '../stack/world.js';
import { RAM_BASE } from '../memory/memory.js';
import type { Chooser } from '../stack/chooser.js';
import type { Window } from './generate.js';
import { oneIn, pick } from './machine-worlds.js';
import { drawMix, PLAIN_MIX, type Mix } from './profiles.js';
import { allStreams, BEHIND_RAM, directions, type Reach } from './reach.js';

/** What a run of the driver within a reach is generated from. */
export interface ReachDriver {
  readonly world: World;
  readonly mix: Mix;
  readonly operations: number;
  readonly window: Window;
}

/** Mostly small maps, and many looks at them. */
const REACH_MIX: Mix = { ...PLAIN_MIX, weights: { ...PLAIN_MIX.weights, access: 44, attach: 6, detach: 3 }, sizes: [80, 40, 0, 0, 12, 0, 0, 0] };

export function drawReachDriver(chooser: Chooser, reach: Reach): ReachDriver {
  const c = chooser;
  const identity = oneIn(c, 3);
  const mix = drawMix(c, REACH_MIX);
  const world: World = {
    smmus: [{ range: reach.features.range, asidBits: reach.features.asidBits, asidMax: pick(c, [2, 3, 4, 15]), queueLog2: 3 + c.index(6), eventLog2: 7, tlbEntries: 64 }],
    devices: drawDevices(c, reach), domains: drawDomains(c), inputBits: pick(c, [39, 48] as const), flushQueue: pick(c, [2, 4, 16]), storeOrder: pick(c, ['fifo', 'reverse'] as const),
  };
  return {
    world, mix: { ...mix, weights: { ...mix.weights, access: Math.max(mix.weights.access, REACH_MIX.weights.access) } }, operations: 10 + c.index(11),
    window: {
      inputFirst: identity ? reach.firstFrame : 0, inputEnd: identity ? Math.min(reach.inputFrames, RAM_BASE) : reach.inputFrames, outputFirst: BEHIND_RAM, outputEnd: reach.endFrame,
      identity, directions: (sid) => directions(reach, sid),
    },
  };
}

/** One to three devices of one stream, sometimes of two. */
function drawDevices(c: Chooser, reach: Reach): readonly DeviceConfig[] {
  const left = allStreams(reach).filter((sid) => sid < 2 ** LIMITS.streamLog2);
  const take = (): number => left.splice(c.index(left.length), 1)[0] as number;
  const devices: DeviceConfig[] = [];
  for (let n = 1 + c.index(3); n > 0 && left.length > 0; n -= 1) devices.push({ smmu: 0, streams: left.length > 1 && oneIn(c, 3) ? [take(), take()] : [take()] });
  return devices;
}

function drawDomains(c: Chooser): readonly DomainConfig[] {
  return Array.from({ length: 1 + c.index(3) }, () => {
    const lazy = oneIn(c, 3);
    return { mode: lazy ? 'lazy' : 'strict', managed: lazy || oneIn(c, 4) };
  });
}
