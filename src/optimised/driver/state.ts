/**
 * State: the driver's state as it is made for one world: what SMMUs say of themselves, rings and root tables, cells of tag bitmaps, tables of CDs;
 * and giving all of it back at the end of a run.
 */
import type { Journal } from '../../memory/journal.js';
import type { Pages } from '../../memory/pages.js';
import { featuresOf, type Features } from '../../spec/features.js';
import { stage1StartLevel } from '../../spec/granule.js';
import { REG } from '../../spec/register.js';
import type { RegisterPort } from '../../stack/machine.js';
import { domainSizes, type SystemWorld } from '../../stack/system.js';
import { GATHER_STYLES, LIMITS, OAS, PHYSICAL_FRAMES, type DomainConfig, type World } from '../../stack/world.js';
import { cdPages, PAGE_CDS_LOG2 } from './cd-tables.steps.js';
import { Ranges } from './iova.js';
import { Rcu } from './rcu.js';
import { isTable, slotOfTable } from './table-reads.js';
import { newGather, PAYLOAD_KINDS, type Context, type DeviceState, type DomainState, type DriverObserver, type DriverState, type Parts, type SmmuState } from './types.js';

/** Commands of one list at the most (the kernel's batch), its SYNC apart. */
const LIST_MAX = 64;

/** The PCI side of devices, as far as ATS goes. */
export interface EndpointPort {
  /** Switches ATS of every stream of a device. PCIe lets an ATC keep what it holds while ATS is off; it begins empty when ATS is switched on again. */
  setAts(device: number, on: boolean): void;
}

export interface DriverSetup {
  readonly world: World;
  /** What the world has beyond stage 1; `world` is its base. */
  readonly system?: SystemWorld;
  /** Devices with ATS in `system`: where their PCI configuration is written. */
  readonly endpoints?: EndpointPort;
  readonly pages: Pages;
  readonly journal: Journal;
  readonly ports: readonly RegisterPort[];
  readonly parts: Parts;
  readonly observer: DriverObserver | null;
}

/** What the SMMU says of itself in its identification registers. */
function probe(port: RegisterPort): Features {
  const id = (offset: number): number => port.readRegister(offset);
  return featuresOf(id(REG.IDR0), id(REG.IDR1), id(REG.IDR3), id(REG.IDR5), id(REG.IIDR));
}

export function buildState(setup: DriverSetup): DriverState {
  const { world, pages, system } = setup;
  const smmus = world.smmus.map((_, i) => smmuState(setup, i));
  const devices = world.devices.map((_, i) => deviceState(setup, smmus, i));
  // The first cells of the heap are never an array: 0 stands for none.
  const domains = world.domains.map((d, i) => domainState(setup, d, i, smmus[0]?.features));
  return {
    world, startLevel: stage1StartLevel(12, world.inputBits), pages, smmus, devices, domains, rcu: new Rcu(pages, setup.journal),
    vsmmus: (system?.vsmmus ?? []).map((v) => ({ smmu: v.smmu, parent: v.parent, vmid: 0 })),
    setAts: (device, on) => { setup.endpoints?.setAts(device, on); },
  };
}

function smmuState(setup: DriverSetup, i: number): SmmuState {
  const { world, pages } = setup;
  const config = world.smmus[i] as World['smmus'][number];
  const port = setup.ports[i] as RegisterPort;
  const features = probe(port);
  const vmidMax = features.stage2 ? Math.min(setup.system?.smmus[i]?.stage2?.vmidMax ?? 0, 2 ** features.vmidBits - 1) : 0;
  return {
    port,
    queueSlot: pages.allocateRun('queue', 1),
    queueLog2: config.queueLog2,
    eventSlot: pages.allocateRun('queue', 1),
    eventLog2: config.eventLog2,
    streamSlot: pages.allocateRun('stream', 1),
    prodCell: pages.allocateObject(1),
    consCell: pages.allocateObject(1),
    asidCell: idCells(pages, config.asidMax),
    asidMax: Math.min(config.asidMax, 2 ** features.asidBits - 1),
    vmidCell: vmidMax === 0 ? 0 : idCells(pages, vmidMax),
    vmidMax,
    features,
    kind: PAYLOAD_KINDS.findIndex((k) => k.range === features.range && k.ds === (features.range && features.ds)),
    listMax: Math.min(features.forceSync ? LIMITS.forcedList : LIST_MAX, 2 ** config.queueLog2 - 1),
    forceSync: features.forceSync,
    coherent: features.coherent,
  };
}

/** A bitmap of ids up to `max`. */
function idCells(pages: Pages, max: number): number {
  const cells = pages.allocateObject(Math.floor(max / 32) + 1);
  if (cells < 0) throw new RangeError('the heap has no room for the ids of this world: make Pages with more of it');
  return cells;
}

function deviceState(setup: DriverSetup, smmus: readonly SmmuState[], i: number): DeviceState {
  const config = setup.world.devices[i] as World['devices'][number];
  const beyond = setup.system?.devices[i];
  const features = (smmus[config.smmu] as SmmuState).features;
  const ssidBits = Math.min(beyond?.ssidBits ?? 0, features.ssidBits);
  const twoLevelCds = ssidBits > PAGE_CDS_LOG2 && features.twoLevelCds;
  const frames = twoLevelCds ? 1 : Math.max(1, 2 ** (ssidBits - PAGE_CDS_LOG2));
  return {
    smmu: config.smmu, streams: [...new Set(config.streams)], cdSlot: frames === 1 ? setup.pages.allocate('cd') : alignedRun(setup.pages, frames),
    ssidBits, twoLevelCds, ats: beyond?.ats === true && features.ats, atsOn: false, target: 'none', vsmmu: -1, substreams: [],
  };
}

/** A linear table of CDs is aligned to its size. What is left over before it goes back. */
function alignedRun(pages: Pages, frames: number): number {
  const first = pages.allocateRun('cd', 2 * frames - 1);
  const slot = Math.ceil(first / frames) * frames;
  for (let i = first; i < first + 2 * frames - 1; i += 1) if (i < slot || i >= slot + frames) pages.release(i);
  return slot;
}

function domainState(setup: DriverSetup, d: DomainConfig, i: number, first: Features | undefined): DomainState {
  const { world, pages, system } = setup;
  const beyond = system?.domains[i];
  const { inputBits, outputBits } = system === undefined ? { inputBits: world.inputBits, outputBits: OAS } : domainSizes(system, i);
  const parent = beyond?.parent === true && beyond.stage === 2;
  return {
    lazy: d.mode === 'lazy', managed: d.managed, coherent: d.coherent !== false, rootSlot: pages.allocate('table'), invsCell: pages.allocateObject(1),
    gather: newGather(d.gather ?? GATHER_STYLES[0]), queuedTables: [], ranges: new Ranges(),
    stage: beyond?.stage ?? 1, tg: 12, inputBits, outputBits, startLevel: stage1StartLevel(12, inputBits), outputFrames: Math.min(PHYSICAL_FRAMES, 2 ** (outputBits - 12)),
    parent, forceWriteBack: parent && first?.forceWriteBack === true, dirty: false, gone: false,
  };
}

/** Everything that `buildState` took and that came later, apart from rings and stream tables, which are as old as the SMMUs. */
export function releaseState(ctx: Context): void {
  const { pages, smmus, devices, domains } = ctx.state;
  ctx.cpu.drainAll();
  for (const own of domains) {
    releaseTables(ctx, own.rootSlot, own.startLevel);
    pages.release(own.rootSlot);
    pages.releaseObject(own.invsCell);
  }
  for (const dev of devices) {
    for (const slot of cdPages(ctx, dev)) pages.release(slot);
    const frames = dev.twoLevelCds ? 1 : Math.max(1, 2 ** (dev.ssidBits - PAGE_CDS_LOG2));
    for (let i = 0; i < frames; i += 1) pages.release(dev.cdSlot + i);
  }
  for (const s of smmus) {
    for (const cell of [s.prodCell, s.consCell, s.asidCell]) pages.releaseObject(cell);
    if (s.vmidMax > 0) pages.releaseObject(s.vmidCell);
  }
}

function releaseTables(ctx: Context, slot: number, level: number): void {
  for (let i = 0; i < 512; i += 1) {
    const lo = ctx.cpu.loadLo(slot * 512 + i);
    if (!isTable(lo, level)) continue;
    const child = slotOfTable(lo, ctx.cpu.loadHi(slot * 512 + i));
    releaseTables(ctx, child, level + 1);
    ctx.state.pages.release(child);
  }
}
