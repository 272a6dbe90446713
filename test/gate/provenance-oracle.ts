/**
 * What gates are to say, by a plain and slow reading of their rules over what a model of a registry holds: it shares no code
 * with the gateway, asks nobody, remembers nothing, and knows no order.
 */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { World } from '../support/image-world.ts';

export interface GateOptions {
  readonly sources: readonly string[];
  readonly target: string;
  readonly match: 'image' | 'digest';
  readonly attachments: 'allow' | 'deny';
  /** Beginnings of tags. */
  readonly fromTags: readonly string[] | undefined;
}

export interface Push {
  readonly content: Buffer;
  readonly mediaType: string;
  readonly tag: string | undefined;
}

interface Entry {
  readonly digest: string;
  readonly mediaType: string;
  readonly urls?: readonly string[];
  readonly platform?: { readonly os: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly mediaType: string;
  readonly config?: Entry;
  readonly layers?: readonly Entry[];
  readonly manifests?: readonly Entry[];
  readonly subject?: Entry;
}

const sha = (content: Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const names = new Set([
  'schemaVersion',
  'mediaType',
  'artifactType',
  'config',
  'layers',
  'manifests',
  'subject',
  'annotations',
]);

/** Content that is made here has no spaces and no name twice, so whatever reads otherwise is not its like. */
function parse(content: Buffer, mediaType: string): Manifest | undefined {
  const text = content.toString();
  const value = JSON.parse(text) as Manifest;
  if (JSON.stringify(value) !== text || Object.keys(value).some((key) => !names.has(key))) return undefined;
  if (value.mediaType !== mediaType || (value.manifests !== undefined && value.layers !== undefined)) return undefined;
  return /index|list/.test(mediaType) === (value.manifests !== undefined) ? value : undefined;
}

export function createOracle(world: World, gate: GateOptions): (push: Push) => boolean {
  const manifestIn = (repository: string, digest: string): Manifest | undefined => {
    const stored = world.repositories.get(repository)?.manifests.get(digest);
    return stored && parse(stored.content, stored.mediaType);
  };
  const isIn = (repository: string, digest: string): boolean =>
    world.repositories.get(repository)?.manifests.has(digest) === true;
  const blob = (digest: string): Buffer | undefined =>
    [...world.repositories.values()].map(({ blobs }) => blobs.get(digest)).find((content) => content !== undefined);

  /** Everything that a tag which counts leads to. */
  const approvedIn = (source: string): ReadonlySet<string> => {
    const found = new Set<string>();
    const visit = (digest: string): void => {
      if (!isIn(source, digest)) return;
      found.add(digest);
      for (const each of manifestIn(source, digest)?.manifests ?? []) visit(each.digest);
    };
    for (const [tag, digest] of world.repositories.get(source)?.tags ?? []) {
      if (gate.fromTags === undefined || gate.fromTags.some((begin) => tag.startsWith(begin))) visit(digest);
    }
    return found;
  };
  const isCopy = (digest: string): boolean =>
    gate.sources.some(
      (source) => isIn(source, digest) && (gate.fromTags === undefined || approvedIn(source).has(digest)),
    );

  const unpacked = (digest: string): string | undefined => {
    const content = blob(digest);
    if (content === undefined) return undefined;
    if (content.readUInt32LE(0) === 0xfd2fb528) return undefined;
    try {
      return sha(content.readUInt16BE(0) === 0x1f8b ? gunzipSync(content) : content);
    } catch {
      return undefined;
    }
  };
  const isSameImage = ({ config, layers = [] }: Manifest): boolean => {
    if (config === undefined || !/image\.config|container\.image/.test(config.mediaType)) return false;
    if ([config, ...layers].some(({ urls = [] }) => urls.length > 0)) return false;
    const approved = gate.sources
      .flatMap((source) => [...approvedIn(source)].map((digest) => manifestIn(source, digest)))
      .filter((manifest) => manifest?.config?.digest === config.digest);
    const { rootfs } = JSON.parse(blob(config.digest)?.toString() ?? '{}') as {
      rootfs?: { diff_ids?: readonly string[] };
    };
    return approved.some((manifest) => {
      const theirs = manifest?.layers ?? [];
      if (theirs.length === layers.length && theirs.every(({ digest }, at) => digest === layers[at]?.digest))
        return true;
      if (rootfs?.diff_ids?.length !== layers.length) return false;
      return layers.every(
        ({ digest }, at) =>
          (theirs.length === layers.length && theirs[at]?.digest === digest) ||
          unpacked(digest) === rootfs.diff_ids?.[at],
      );
    });
  };

  const isImage = ({ config }: Manifest): boolean =>
    config !== undefined &&
    (/image\.config|container\.image/.test(config.mediaType) ||
      /rootfs/i.test(blob(config.digest)?.toString() ?? 'rootfs'));
  const hasFiles = ({ layers = [] }: Manifest): boolean =>
    layers.some(({ digest, mediaType }) => {
      const content = blob(digest);
      if (content === undefined || /image\.layer|image\.rootfs/.test(mediaType)) return true;
      return content.readUInt16BE(0) === 0x1f8b || content.subarray(257, 262).toString() === 'ustar';
    });
  const isInBoth = (digests: readonly string[]): boolean =>
    gate.attachments === 'allow' || digests.every((digest) => gate.sources.some((source) => isIn(source, digest)));

  const isAttached = (manifest: Manifest, digest: string, tag: string | undefined, isAttestation: boolean): boolean => {
    const [, hex, suffix = ''] = /^sha256-([0-9a-f]{64})(\.[a-z]+)?$/.exec(tag ?? '') ?? [];
    const named = `sha256:${hex ?? ''}`;
    if (manifest.manifests !== undefined) {
      if (hex === undefined || suffix !== '' || !isIn(gate.target, named)) return false;
      const entries = manifest.manifests.map((entry) => manifestIn(gate.target, entry.digest));
      return (
        entries.every(
          (entry) => entry?.subject?.digest === named && entry.manifests === undefined && !isImage(entry),
        ) && isInBoth(manifest.manifests.map((entry) => entry.digest))
      );
    }
    if (isAttestation || suffix !== '') {
      const isThere = isAttestation || isIn(gate.target, named);
      return isThere && !hasFiles(manifest) && isInBoth([digest]);
    }
    const { subject } = manifest;
    return subject !== undefined && isIn(gate.target, subject.digest) && !isImage(manifest) && isInBoth([digest]);
  };

  const passes = (
    manifest: Manifest | undefined,
    digest: string,
    tag: string | undefined,
    isAttestation: boolean,
  ): boolean => {
    if (isCopy(digest)) return true;
    if (manifest === undefined) return false;
    if (isAttached(manifest, digest, tag, isAttestation)) return true;
    if (gate.match === 'digest') return false;
    const { manifests } = manifest;
    if (manifests === undefined) return isSameImage(manifest);
    const attested = (entry: Entry): string | undefined =>
      entry.platform?.os === 'unknown' ? entry.annotations?.['vnd.docker.reference.digest'] : undefined;
    const images = manifests.filter((entry) => attested(entry) === undefined).map((entry) => entry.digest);
    return (
      manifests.length > 0 &&
      manifests.every((entry) => {
        const part = manifestIn(gate.target, entry.digest);
        const isReadAlike = part?.mediaType === entry.mediaType;
        const about = attested(entry);
        return passes(
          isReadAlike ? part : undefined,
          entry.digest,
          undefined,
          about !== undefined && images.includes(about),
        );
      })
    );
  };
  return ({ content, mediaType, tag }) => passes(parse(content, mediaType), sha(content), tag, false);
}
