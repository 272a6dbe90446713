/** What may come along with an image: only what is attached to it. Who may name one image brings in no other by a list of such. */
import { attachmentsTag } from '../distribution/attachments.ts';
import { readPlainManifest } from '../distribution/plain-manifest.ts';
import { judgeAttached } from '../gate/attached.ts';
import { GateMemory } from '../gate/gate-memory.ts';
import { Moment, type Provenance } from '../gate/moment.ts';
import type { StoredManifest } from '../ports.ts';
import type { Fault } from './fault.ts';

/** `tag`: of a list of what is attached, whose entries are judged by themselves. */
export type IsAttached = (manifest: StoredManifest, tag?: string) => Promise<boolean | Fault>;

/** By what gates take for attached, whether or not one stands. Asks each thing once. */
export function attachedIn(registry: Provenance, repository: string): IsAttached {
  const moment = new Moment(registry, new GateMemory(), 0);
  return async ({ digest, content, mediaType }, tag) => {
    const manifest = readPlainManifest(content, []) ?? readPlainManifest(content, [mediaType]);
    if (manifest === undefined) return false;
    if (tag !== undefined && attachmentsTag(tag)?.form === 'list') return manifest.kind === 'index';
    const judged = await judgeAttached(moment, { repository, digest, manifest, tag, attests: undefined });
    if (judged.kind !== 'unknown') return judged.kind === 'attached';
    return { kind: 'registry', reason: judged.reason, detail: `looking at ${digest}, which seems to be attached` };
  };
}
