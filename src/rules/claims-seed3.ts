/**
 * Claims of seed 3, "Store IOTLB cache tags in struct arm_smmu_attach_state": whose tag it is, and how long.
 */
import { by, line, type Claim } from './claim.js';

const TAGS_TEST = 'test/optimised/driver/tags.test.ts';
const TAGS = 'src/optimised/driver/tags.ts';
const ATTACH = 'src/optimised/driver/attach.steps.ts';
const INVS_TEST = 'test/optimised/driver/invs.test.ts';
const INVS = 'src/optimised/driver/invs.ts';
const SYSTEM_TAGS_TEST = 'test/optimised/driver/system-tags.test.ts';
const SUBSTREAMS_TEST = 'test/optimised/driver/substreams.test.ts';
const ISSUE_TEST = 'test/optimised/driver/issue-order.test.ts';
const NESTED = 'src/optimised/driver/nested.steps.ts';
const ATTACH_TEST = 'test/optimised/driver/attach.test.ts';

export const SEED3: readonly Claim[] = [
  {
    id: 'S3-1', claim: 'nobody needs a tag before it is in CD or STE, nor after it is gone from there',
    decidedBy: [
      by([SYSTEM_TAGS_TEST, 'flushed, and only then free: stage 1, stage 2 and vSMMUs'], line(ATTACH, 'yield* ctx.parts.releaseTag(ctx, tag);'), ['mutant tag-freed-before-flush', 'mutant leave-before-ste']),
    ],
  },
  {
    id: 'S3-2', claim: 'a tag lives exactly as long as its entry in the array',
    decidedBy: [
      by([TAGS_TEST, 'the last user\'s id is flushed before it is free again'], line(ATTACH, 'yield* ctx.parts.releaseTag(ctx, tag);'), ['rule isolation']),
    ],
  },
  {
    id: 'S3-3', claim: 'find: the entry of that SMMU, of the type of the stage, with users',
    decidedBy: [
      by([INVS_TEST, 'a tag is found by its type: an ASID is no VMID'], line(INVS, 'if (entrySmmu(ctx, array, i) === smmu && entryType(ctx, array, i) === type && entryUsers(ctx, array, i) > 0) return entryId(ctx, array, i);', 'if (entrySmmu(ctx, array, i) === smmu && entryUsers(ctx, array, i) > 0) return entryId(ctx, array, i);')),
    ],
  },
  {
    id: 'S3-4', claim: 'SVA and stage 1 have ASIDs, stage 2 VMIDs, anything else is an error',
    decidedBy: [
      by([SYSTEM_TAGS_TEST, 'sva and stage 1 have ASIDs, stage 2 VMIDs'], line(TAGS, 'return binding.vsmmu >= 0 ? \'vsmmu-tag\' : own.stage === 1 ? \'s1-tag\' : \'s2-tag\';', 'return binding.vsmmu >= 0 ? \'vsmmu-tag\' : \'s1-tag\';')),
    ],
  },
  {
    id: 'S3-5', claim: 'a domain without devices is a bug of the caller',
    decidedBy: [
      by([ATTACH_TEST, 'detached: blocked, and free to attach to blocked again'], line(ATTACH, 'if (binding === null) return null;')),
    ],
  },
  {
    id: 'S3-6', claim: 'trash entries are no tags',
    decidedBy: [
      by([INVS_TEST, 'the tag of an SMMU is its live entry'], line(INVS, 'if (entrySmmu(ctx, array, i) === smmu && entryType(ctx, array, i) === type && entryUsers(ctx, array, i) > 0) return entryId(ctx, array, i);', 'if (entrySmmu(ctx, array, i) === smmu && entryType(ctx, array, i) === type) return entryId(ctx, array, i);')),
    ],
  },
  {
    id: 'S3-7', claim: 'not found is an error of its own',
    decidedBy: [
      by([SYSTEM_TAGS_TEST, 'VMIDs and ASIDs are two spaces; both begin with 1'], line(TAGS, 'return id < 0 ? undefined : { smmu, type, id, fresh: false };', 'return { smmu, type, id, fresh: false };')),
    ],
  },
  {
    id: 'S3-8', claim: 'alloc is find, and allocates only when nothing was found',
    decidedBy: [
      by([TAGS_TEST, 'a domain keeps its id on an SMMU while a device there uses it'], line(TAGS, 'if (known !== undefined) return known;')),
    ],
  },
  {
    id: 'S3-9', claim: 'a new tag has no users until it is merged',
    decidedBy: [
      by([SYSTEM_TAGS_TEST, 'out of memory: attach is refused, and takes neither tag nor page'], line(ATTACH, 'if (tag.fresh) giveBack(ctx, tag); // never used: no flush'), ['rule tag-lifetime']),
    ],
  },
  { id: 'S3-10', claim: 'the placeholder copies the domain’s id (provisional)', documentation: 'a state between two patches of the series' },
  {
    id: 'S3-11', claim: 'only the side of the new domain allocates',
    decidedBy: [
      by([SYSTEM_TAGS_TEST, 'the side that is left must find its tag: anything else is a fault of the driver'], line(ATTACH, 'const tag = ctx.parts.system.findTag(ctx, ctx.cpu.loadLo(own.invsCell), dev.smmu, binding);', 'const tag = findOrAllocate(ctx, ctx.cpu.loadLo(own.invsCell), dev.smmu, binding);')),
    ],
  },
  {
    id: 'S3-12', claim: 'the side of the old domain finds; failing is a bug',
    decidedBy: [
      by([SYSTEM_TAGS_TEST, 'the side that is left must find its tag: anything else is a fault of the driver'], line(ATTACH, 'if (tag === undefined) throw new Error(`domain ${binding.domain} is in use on SMMU ${dev.smmu} and has no tag there`);', 'if (tag === undefined) return null;')),
    ],
  },
  {
    id: 'S3-13', claim: 'the attach keeps both sides’ tags and gives them to list, CD and STE',
    decidedBy: [
      by([SUBSTREAMS_TEST, 'a substream moves to another domain in one call: the old one\'s tag goes after the CD'], line(ATTACH, 'return { device, dev, ssid, old: oldSide(ctx, dev, ssid, binding), next: { domain: r.next.domain, tag, keys }, array, cdPage, ats };', 'return { device, dev, ssid, old: null, next: { domain: r.next.domain, tag, keys }, array, cdPage, ats };'), ['rule accounting']),
    ],
  },
  { id: 'S3-14', claim: 'a tag is an ASID or a VMID', documentation: 'an assertion of a C function; here the closed type TagType says it, and nothing else compiles' },
  { id: 'S3-15', claim: 'the ASID lock protects the array', documentation: 'a lock of the kernel; attaches here are serialised by the caller, and what readers may meet meanwhile is explored by `check`' },
  {
    id: 'S3-16', claim: 'a nested domain uses the array of its stage-2 parent',
    decidedBy: [
      by([ISSUE_TEST, 'a parent below a guest: stage 2, SYNC, its stage 1, SYNC, ATCs in full, SYNC'], line(NESTED, 'const a = prepare(ctx, { device, ssid: 0, next: { domain: v.parent, vsmmu }, substreams: false, withoutAts: !guestWantsAts(ste) });', 'const a = prepare(ctx, { device, ssid: 0, next: { domain: v.parent - 1, vsmmu }, substreams: false, withoutAts: !guestWantsAts(ste) });'), ['rule accounting']),
    ],
  },
  { id: 'S3-17', claim: 'the helper is exported to other files', documentation: 'visibility of a C function' },
  { id: 'S3-18', claim: 'an error on the old side after the merge does not leak the merged array', documentation: 'the old side cannot fail behind the merge here: it only finds, and not finding is a fault of the driver (S3-12); that out of memory leaks nothing is asked of every allocation of an attach' },
  {
    id: 'S3-19', claim: 'CD or STE and the array always agree on the id',
    decidedBy: [
      by([ATTACH_TEST, 'attached to a domain: stage 1 for every stream, with the domain\'s tables and tag'], line(ATTACH, 'const cd = stage1Cd(RAM_BASE + own.rootSlot, own.inputBits, next.tag.id, own.outputBits);', 'const cd = stage1Cd(RAM_BASE + own.rootSlot, own.inputBits, 0, own.outputBits);'), ['rule tag-lifetime']),
    ],
  },
  {
    id: 'S3-20', claim: 'a tag per attach is what lets a nesting parent be shared',
    decidedBy: [
      by([SYSTEM_TAGS_TEST, 'the tag of a vSMMU is asked of the vSMMU: the array may have another one\'s first'], line(TAGS, 'const id = type === \'vsmmu-tag\' ? (ctx.state.vsmmus[binding.vsmmu] as VsmmuState).vmid : findTag(ctx, array, smmu, type);', 'const id = findTag(ctx, array, smmu, type);'), ['mutant vmid-of-another-vsmmu']),
    ],
  },
];
