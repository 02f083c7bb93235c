/**
 * Invalidation: what each command removes from the concrete machine's caches (IHI 0070 §4.3, §4.4). Commands take
 * effect at once and in order, so CMD_SYNC has nothing left to do. More could be removed; this machine keeps to the fields:
 * StreamWorld, VMID with its wildcard, ASID, range, TG, TTL and, for table descriptors, Leaf.
 *
 * Why it equals its slow twin (the match rule of §4.4.1.1, put to every entry): a scope is that rule's tags, frames and levels,
 * computed once. Commands by VA name entries of both stages by their stage-1 descriptor; commands by IPA name those of stage 2 alone.
 */
import { POW2 } from '../../spec/bits.js';
import { OP, rangeGranules, type Command } from '../../spec/command.js';
import type { Features } from '../../spec/features.js';
import { tgOfCommand } from '../../spec/granule.js';
import { WORLD_EL1, WORLD_EL2, WORLD_EL2_E2H } from '../../stack/transaction.js';
import type { ConfigCache } from './config-cache.js';
import { GROUPS_ALL, GROUPS_VA, GROUPS_VA_TAGGED, GROUP_S2, newScope, type SpanScope } from './span-cache.js';
import type { Tlb } from './tlb.js';
import type { WalkCache } from './walk-cache.js';

const EL1 = 1 << WORLD_EL1;
const EL2 = 1 << WORLD_EL2;
const EL2_E2H = 1 << WORLD_EL2_E2H;
const GROUPS_IPA = 1 << GROUP_S2;
const ALL_STREAMS = 31;

export interface Caches {
  readonly tlb: Tlb;
  readonly tables: WalkCache;
  readonly config: ConfigCache;
}

export class Invalidation {
  readonly #caches: Caches;
  readonly #features: Features;
  readonly #scope: SpanScope = newScope();
  /** CR2.E2H: which StreamWorld EL2 commands mean. */
  e2h = false;
  /** VMID bits that are compared: all but CR0.VMW low ones. */
  vmidMask = 0xffff;

  constructor(caches: Caches, features: Features) {
    this.#caches = caches;
    this.#features = features;
  }

  /** Carries out one legal command; those that concern no cache of the SMMU do nothing. */
  execute(c: Command): void {
    switch (c.op) {
      case OP.CFGI_STE: case OP.CFGI_STE_RANGE: case OP.CFGI_CD: case OP.CFGI_CD_ALL: this.#configuration(c); return;
      case OP.TLBI_NH_ALL: this.#drop(EL1, GROUPS_VA, c.vmid, -1); return;
      case OP.TLBI_NH_ASID: this.#drop(EL1, GROUPS_VA_TAGGED, c.vmid, c.asid); return;
      case OP.TLBI_NH_VA: this.#dropAddresses(c, EL1, GROUPS_VA, c.asid); return;
      case OP.TLBI_NH_VAA: this.#dropAddresses(c, EL1, GROUPS_VA, -1); return;
      case OP.TLBI_EL2_ALL: this.#drop(EL2 | EL2_E2H, GROUPS_VA, -1, -1); return;
      case OP.TLBI_EL2_ASID: this.#drop(EL2_E2H, GROUPS_VA_TAGGED, -1, c.asid); return;
      case OP.TLBI_EL2_VA: this.#dropAddresses(c, this.e2h ? EL2_E2H : EL2, GROUPS_VA, this.e2h ? c.asid : 0); return;
      case OP.TLBI_EL2_VAA: this.#dropAddresses(c, this.e2h ? EL2_E2H : EL2, GROUPS_VA, -1); return;
      case OP.TLBI_S12_VMALL: this.#drop(EL1, GROUPS_ALL, c.vmid, -1); return;
      case OP.TLBI_S2_IPA: this.#dropAddresses(c, EL1, GROUPS_IPA, -1); return;
      case OP.TLBI_NSNH_ALL: this.#drop(EL1, GROUPS_ALL, -1, -1); return;
      default: return; // CMD_SYNC: all is done; PREFETCH_*: hints; ATC_INV: the endpoint's
    }
  }

  #configuration(c: Command): void {
    const config = this.#caches.config;
    switch (c.op) {
      case OP.CFGI_STE: config.dropStreams(c.sid, c.sid, c.leaf === 0); return;
      case OP.CFGI_CD: config.dropCd(c.sid, c.ssid, c.leaf === 0); return;
      case OP.CFGI_CD_ALL: config.dropCds(c.sid); return;
      default: this.#dropStreamRange(c);
    }
  }

  /** The aligned block of 2^(Range+1) streams, with their L1STDs; Range = 31 is CFGI_ALL (§4.3.2, §4.3.6). */
  #dropStreamRange(c: Command): void {
    if (c.range === ALL_STREAMS) {
      this.#caches.config.clear();
      return;
    }
    const streams = POW2[c.range + 1] as number;
    const first = c.sid - (c.sid % streams);
    this.#caches.config.dropStreams(first, first + streams - 1, true);
  }

  /** `vmid` -1: any. EL2 entries have none. */
  #begin(worlds: number, groups: number, vmid: number, asid: number): SpanScope {
    const scope = this.#scope;
    scope.worlds = worlds;
    scope.groups = groups;
    scope.vmid = Math.max(0, vmid);
    scope.vmidMask = vmid < 0 ? 0 : this.vmidMask;
    scope.asid = asid;
    scope.first = 0;
    scope.last = Infinity;
    scope.tg = 0;
    scope.fromLevel = -1;
    scope.toLevel = 3;
    scope.wholeRuns = false;
    return scope;
  }

  /** Everything of the tags, leaves and tables. */
  #drop(worlds: number, groups: number, vmid: number, asid: number): void {
    const scope = this.#begin(worlds, groups, vmid, asid);
    this.#caches.tlb.dropSpans(scope);
    this.#caches.tables.dropSpans(scope);
  }

  /**
   * An address command. A range does not wrap: frames past the top name nothing. A leaf is named at the level of TTL (0: at
   * any), a table only with Leaf = 0 and above that level. Tables are never global.
   */
  #dropAddresses(c: Command, worlds: number, groups: number, asid: number): void {
    const scope = this.#begin(worlds, groups, worlds === EL1 ? c.vmid : 0, asid);
    const tg = tgOfCommand(c.tg);
    scope.tg = tg;
    scope.first = c.frame;
    scope.last = c.frame + (tg === 0 ? 1 : rangeGranules(c) * (POW2[tg - 12] as number)) - 1;
    scope.wholeRuns = this.#features.wholeRunOnly && tg !== 0;
    if (tg !== 0 && c.ttl !== 0) {
      scope.fromLevel = c.ttl;
      scope.toLevel = c.ttl;
    }
    this.#caches.tlb.dropSpans(scope);
    if (c.leaf !== 0) return;
    scope.fromLevel = -1;
    scope.toLevel = tg === 0 || c.ttl === 0 ? 2 : c.ttl - 1;
    scope.wholeRuns = false;
    this.#caches.tables.dropSpans(scope);
  }
}
