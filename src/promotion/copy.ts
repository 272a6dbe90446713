/** The steps that write: blobs first, then manifests by their digests, lists of attachments last. None of them sets the tag. */
import type { NamedBlob } from '../distribution/contents.ts';
import { digestOf } from '../distribution/digest.ts';
import { onlyHeld, withAttachments } from '../distribution/attachments.ts';
import type { OpenUpload, Registry, RegistryWriter, StoredManifest, TagLocks } from '../ports.ts';
import { AtOnce } from '../gate/at-once.ts';
import type { AttachmentsTag } from './closure.ts';
import { type Fault, registryFault } from './fault.ts';
import { each } from './each.ts';

export interface CopyParts {
  readonly registry: Pick<Registry, 'openBlob' | 'manifest'>;
  readonly writer: RegistryWriter;
  readonly tagLocks: TagLocks;
  /** Blobs that pass through this process at once, of all promotions. */
  /** Turns of those that send blobs into the registry of a repository. */
  readonly streamsInto: (repository: string) => AtOnce;
}

export interface CopyPlace {
  readonly from: string;
  readonly into: string;
}

export interface CopiedBlobs {
  mounted: number;
  /** Of those that had to be sent. */
  bytes: number;
  /** Digests of blobs that only their manifest's URLs lead to: the registry has none of them. */
  left: string[];
}

const mountsAtOnce = 4;
/** Of one promotion. */
const streamsAtOnce = 2;
/** Milliseconds that a list of attachments waits for another writer of the same. */
const listTurnMs = 30_000;

/** Every blob is mounted, whether or not it seems to be there: some registries say so of blobs that only others hold. */
export async function copyBlobs(
  parts: CopyParts,
  place: CopyPlace,
  blobs: Iterable<NamedBlob>,
): Promise<CopiedBlobs | Fault> {
  const copied: CopiedBlobs = { mounted: 0, bytes: 0, left: [] };
  const own = new AtOnce(streamsAtOnce);
  const fault = await each([...blobs], mountsAtOnce, async (blob) => {
    const mounting = await parts.writer.mountBlob(place.into, blob.digest, place.from);
    if (!mounting.ok) return registryFault(mounting, `mounting ${blob.digest}`);
    const { upload } = mounting;
    if (upload === undefined) {
      copied.mounted++;
      return undefined;
    }
    return own.run(() => parts.streamsInto(place.into).run(() => sendBlob(parts, place, { blob, upload }, copied)));
  });
  return fault ?? copied;
}

async function sendBlob(
  { registry, writer }: CopyParts,
  { from }: CopyPlace,
  { blob, upload }: { readonly blob: NamedBlob; readonly upload: OpenUpload },
  copied: CopiedBlobs,
): Promise<Fault | undefined> {
  const reading = await registry.openBlob(from, blob.digest);
  if (!reading.ok || reading.blob === undefined) {
    await writer.cancelUpload(upload);
    if (!reading.ok) return registryFault(reading, `reading ${blob.digest}`);
    if (!blob.isElsewhere) return broken(`${blob.digest} is named by a manifest, and missing`);
    copied.left.push(blob.digest);
    return undefined;
  }
  const { size, content } = reading.blob;
  if (size !== undefined && size !== blob.size) {
    content.on('error', () => {});
    content.destroy();
    await writer.cancelUpload(upload);
    return broken(`${blob.digest} has ${size} bytes, and ${blob.size} by its manifest`);
  }
  const sent = await writer.sendBlob(upload, blob, content);
  if (!sent.ok) return registryFault(sent, `sending ${blob.digest}`);
  copied.bytes += blob.size;
  return undefined;
}

/** One by one, each behind what it names. */
export async function copyManifests(
  { writer }: CopyParts,
  into: string,
  manifests: Iterable<StoredManifest>,
): Promise<Fault | undefined> {
  return each([...manifests], 1, async (manifest) => {
    const written = await writer.putManifest(into, manifest.digest, manifest);
    return written.ok ? undefined : registryFault(written, `writing ${manifest.digest}`);
  });
}

/** A list is merged with what the target has, so that nothing that is attached there is lost; `isHeld`: what is there now. */
export async function copyLists(
  parts: CopyParts,
  into: string,
  lists: readonly AttachmentsTag[],
  isHeld: (digest: string) => boolean,
): Promise<Fault | undefined> {
  return each(lists, 1, async ({ tag, list }) => {
    const write = (): Promise<Fault | undefined> => mergeList(parts, into, { tag, list }, isHeld);
    const turn = await parts.tagLocks.withTags(into, [tag], listTurnMs, write);
    if (turn.ok) return turn.value;
    // Without the store of the locks an attachment may be lost that somebody else adds at this moment.
    return turn.reason === 'unavailable' ? write() : broken(`another writer of ${tag} did not end`);
  });
}

async function mergeList(
  { registry, writer }: CopyParts,
  into: string,
  { tag, list }: AttachmentsTag,
  isHeld: (digest: string) => boolean,
): Promise<Fault | undefined> {
  const reading = await registry.manifest(into, tag);
  if (!reading.ok) return registryFault(reading, `reading ${tag} of the target`);
  const { manifest: there } = reading;
  if (there?.digest === list.digest) return undefined;
  const content = there === undefined ? onlyHeld(tag, list, isHeld) : withAttachments(tag, there, list, isHeld);
  if (content === undefined) return broken(`${tag} is no list of attachments that can be merged`);
  if (there !== undefined && content.equals(there.content)) return undefined;
  const { mediaType } = there ?? list;
  const written = await writer.putManifest(into, tag, { content, mediaType, digest: digestOf(content) });
  return written.ok ? undefined : registryFault(written, `writing ${tag}`);
}

function broken(detail: string): Fault {
  return { kind: 'registry', reason: 'broken', detail };
}
