/**
 * Claims of seed 3, "Store IOTLB cache tags in struct arm_smmu_attach_state": whose tag it is, and how long. Rows that later work decides are not built yet.
 */
import { by, line, type Claim } from './claim.js';

const TAGS_TEST = 'test/optimised/driver/tags.test.ts';
const TAGS = 'src/optimised/driver/tags.ts';
const ATTACH = 'src/optimised/driver/attach.steps.ts';
const INVS_TEST = 'test/optimised/driver/invs.test.ts';
const INVS = 'src/optimised/driver/invs.ts';

export const SEED3: readonly Claim[] = [
  { id: 'S3-1', claim: 'nobody needs a tag before it is in CD or STE, nor after it is gone from there', unbuilt: true },
  {
    id: 'S3-2', claim: 'a tag lives exactly as long as its entry in the array',
    decidedBy: [
      by([TAGS_TEST, 'the last user\'s id is flushed before it is free again'], line(ATTACH, 'yield* ctx.parts.releaseTag(ctx, tag);'), ['rule isolation']),
    ],
  },
  { id: 'S3-3', claim: 'find: the entry of that SMMU, of the type of the stage, with users', unbuilt: true },
  { id: 'S3-4', claim: 'SVA and stage 1 have ASIDs, stage 2 VMIDs, anything else is an error', unbuilt: true },
  { id: 'S3-5', claim: 'a domain without devices is a bug of the caller', unbuilt: true },
  {
    id: 'S3-6', claim: 'trash entries are no tags',
    decidedBy: [
      by([INVS_TEST, 'the tag of an SMMU is its live entry'], line(INVS, 'if (entrySmmu(ctx, array, i) === smmu && entryType(ctx, array, i) === type && entryUsers(ctx, array, i) > 0) return entryId(ctx, array, i);', 'if (entrySmmu(ctx, array, i) === smmu && entryType(ctx, array, i) === type) return entryId(ctx, array, i);')),
    ],
  },
  { id: 'S3-7', claim: 'not found is an error of its own', unbuilt: true },
  {
    id: 'S3-8', claim: 'alloc is find, and allocates only when nothing was found',
    decidedBy: [
      by([TAGS_TEST, 'a domain keeps its id on an SMMU while a device there uses it'], line(TAGS, 'if (known !== undefined) return known;')),
    ],
  },
  { id: 'S3-9', claim: 'a new tag has no users until it is merged', unbuilt: true },
  { id: 'S3-10', claim: 'the placeholder copies the domain’s id (provisional)', documentation: 'a state between two patches of the series' },
  { id: 'S3-11', claim: 'only the side of the new domain allocates', unbuilt: true },
  { id: 'S3-12', claim: 'the side of the old domain finds; failing is a bug', unbuilt: true },
  { id: 'S3-13', claim: 'the attach keeps both sides’ tags and gives them to list, CD and STE', unbuilt: true },
  { id: 'S3-14', claim: 'a tag is an ASID or a VMID', unbuilt: true },
  { id: 'S3-15', claim: 'the ASID lock protects the array', unbuilt: true },
  { id: 'S3-16', claim: 'a nested domain uses the array of its stage-2 parent', unbuilt: true },
  { id: 'S3-17', claim: 'the helper is exported to other files', documentation: 'visibility of a C function' },
  { id: 'S3-18', claim: 'an error on the old side after the merge does not leak the merged array', unbuilt: true },
  { id: 'S3-19', claim: 'CD or STE and the array always agree on the id', unbuilt: true },
  { id: 'S3-20', claim: 'a tag per attach is what lets a nesting parent be shared', unbuilt: true },
];
