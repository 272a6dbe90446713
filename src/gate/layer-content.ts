/** Layers by what they unpack to: a daemon that lost its record of a pull compresses them anew, and nothing else is the same. */
import { createHash } from 'node:crypto';
import { Readable, promises } from 'node:stream';
import * as zlib from 'node:zlib';
import { parseJson, field } from '../distribution/json.ts';
import { hasDigest } from '../distribution/digest.ts';
import type { ImageManifest } from '../distribution/plain-manifest.ts';
import type { Registry, RegistryFailure } from '../ports.ts';
import type { GateMemory, Unpacked } from './gate-memory.ts';

/** Bytes that the layers of one image which differ may unpack to, together. */
export const maxUnpacked = 1_073_741_824;
/** Bytes of a configuration. */
const maxConfig = 8_388_608;
/** Milliseconds for one layer, also behind an answer that has been given. */
const maxLayerMs = 120_000;

export interface LayerParts {
  readonly registry: Pick<Registry, 'openBlob'>;
  readonly memory: GateMemory;
  /** Where the image is written: its layers are there already. */
  readonly repository: string;
}

export type Comparison =
  | { readonly kind: 'same' }
  | { readonly kind: 'differ'; readonly why: string }
  | { readonly kind: 'unknown'; readonly reason: RegistryFailure['reason'] };

const differ: Comparison = { kind: 'differ', why: 'layers differ; use promote' };

/** Bytes that may still be unpacked. */
export interface UnpackBudget {
  left: number;
}

/** Approved images that one is compared with, the most alike first. */
const maxCompared = 16;

/**
 * Whether each layer that differs from those of some approved image of the same configuration unpacks to what the
 * configuration says at its place. `approved`: the ordered layers of those images.
 */
export async function compareLayers(
  parts: LayerParts,
  image: ImageManifest,
  approved: readonly (readonly string[])[],
  budget: UnpackBudget,
): Promise<Comparison> {
  const config = await readSmallBlob(parts, image.config.digest);
  if (!config.ok) return { kind: 'unknown', reason: config.reason };
  const diffs = diffsOf(config.content);
  if (diffs?.length !== image.layers.length) return differ;
  const apart = (layers: readonly string[]): readonly number[] =>
    image.layers.flatMap(({ digest }, at) => (layers.length === diffs.length && layers[at] === digest ? [] : [at]));
  const judged = new Map<number, Comparison>();
  const judge = async (at: number): Promise<Comparison> => {
    const { digest = '' } = image.layers[at] ?? {};
    const unpacked = parts.memory.layer(digest) ?? (await unpackOnce(parts, digest, budget.left));
    if ('kind' in unpacked) return unpacked;
    budget.left -= unpacked.bytes;
    return budget.left >= 0 && unpacked.digest === diffs[at] ? { kind: 'same' } : differ;
  };
  let worst: Comparison = differ;
  const nearest = approved.map(apart).sort((left, right) => left.length - right.length);
  for (const places of nearest.slice(0, maxCompared)) {
    let all: Comparison = { kind: 'same' };
    for (const at of places) {
      const known = judged.get(at) ?? (await judge(at));
      judged.set(at, known);
      if (known.kind === 'same') continue;
      all = known;
      break;
    }
    if (all.kind === 'same') return all;
    if (worst.kind === 'differ') worst = all;
  }
  return worst;
}

function diffsOf(config: Buffer | undefined): readonly unknown[] | undefined {
  const diffs = config && field(parseJson(config), 'rootfs', 'diff_ids');
  return Array.isArray(diffs) ? (diffs as readonly unknown[]) : undefined;
}

/** Whoever asks again while it is being read waits for the same reading. */
function unpackOnce(parts: LayerParts, digest: string, most: number): Promise<Unpacked | Comparison> {
  const { reading } = parts.memory;
  const known = reading.get(digest) as Promise<Unpacked | Comparison> | undefined;
  if (known !== undefined) return known;
  const begun = parts.memory.unpacking.run(() => unpack(parts, digest, most)).finally(() => reading.delete(digest));
  reading.set(digest, begun);
  return begun;
}

async function unpack(parts: LayerParts, digest: string, most: number): Promise<Unpacked | Comparison> {
  const opened = await parts.registry.openBlob(parts.repository, digest);
  if (!opened.ok) return { kind: 'unknown', reason: opened.reason };
  if (opened.blob === undefined) return differ;
  const { content } = opened.blob;
  const timer = setTimeout(() => content.destroy(new Error('the layer did not come in time')), maxLayerMs);
  try {
    const unpacked = await digestUnpacked(content, digest, most);
    if (!('kind' in unpacked)) parts.memory.rememberLayer(digest, unpacked);
    return unpacked;
  } finally {
    clearTimeout(timer);
    content.destroy();
  }
}

/** As clients do, by its first bytes and not by what it is called. */
async function digestUnpacked(content: Readable, digest: string, most: number): Promise<Unpacked | Comparison> {
  const [algorithm = '', encoded] = digest.split(':');
  const stored = createHash(algorithm);
  const unpacked = createHash('sha256');
  let bytes = 0;
  let isBroken = false;
  let isTooLarge = false;
  const iterator = (content as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const next = async (): Promise<Buffer | undefined> => {
    try {
      const result = await iterator.next();
      if (result.done === true) return undefined;
      stored.update(result.value);
      return result.value;
    } catch (error) {
      isBroken = true;
      throw error;
    }
  };
  try {
    let head = Buffer.alloc(0);
    for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
      head = Buffer.concat([head, chunk]);
      if (head.length >= 4) break;
    }
    const packing = packingOf(head);
    const unpacker = unpackers[packing]?.();
    if (packing !== 'none' && unpacker === undefined) {
      return { kind: 'differ', why: `layers differ; use promote (${packing} cannot be compared here)` };
    }
    const source = Readable.from(
      (async function* () {
        yield head;
        for (let chunk = await next(); chunk !== undefined; chunk = await next()) yield chunk;
      })(),
    );
    const sink = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        isTooLarge = bytes > most;
        if (isTooLarge) throw new Error('the layer is too large');
        unpacked.update(chunk);
      }
    };
    await (unpacker === undefined ? promises.pipeline(source, sink) : promises.pipeline(source, unpacker, sink));
    // What came after the end of what could be unpacked.
    while ((await next()) !== undefined);
  } catch {
    // Whichever part of the pipeline said so first.
    if (isTooLarge) {
      return { kind: 'differ', why: 'layers differ; use promote (they are too large to be compared)' };
    }
    return isBroken ? { kind: 'unknown', reason: 'broken' } : differ;
  }
  if (stored.digest('hex') !== encoded) return { kind: 'unknown', reason: 'broken' };
  return { digest: `sha256:${unpacked.digest('hex')}`, bytes };
}

type Packing = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** Of content of which the first bytes are given. */
export function packingOf(head: Buffer): Packing {
  const hex = head.toString('hex', 0, 6);
  if (hex.startsWith('1f8b')) return 'gzip';
  if (hex.startsWith('28b52ffd') || /^5[0-9a-f]2a4d18/.test(hex)) return 'zstd';
  if (hex.startsWith('425a68')) return 'bzip2';
  return hex === 'fd377a585a00' ? 'xz' : 'none';
}

const chunkSize = 131_072;

/** Node has zstd from 22.15 on. */
const { createZstdDecompress } = zlib as { readonly createZstdDecompress?: (options: object) => zlib.Gunzip };

const unpackers: Readonly<Partial<Record<Packing, () => zlib.Gunzip>>> = {
  gzip: () => zlib.createGunzip({ chunkSize }),
  ...(createZstdDecompress && { zstd: () => createZstdDecompress({ chunkSize }) }),
};

/** `content` is undefined when there is none, or more than a configuration has. It has the digest. */
export async function readSmallBlob(
  { registry, repository }: Pick<LayerParts, 'registry' | 'repository'>,
  digest: string,
): Promise<{ readonly ok: true; readonly content: Buffer | undefined } | RegistryFailure> {
  const head = await readHead({ registry, repository }, digest, maxConfig + 1);
  if (!head.ok || head.content === undefined || head.content.length > maxConfig) {
    return head.ok ? { ok: true, content: undefined } : head;
  }
  return hasDigest(head.content, digest) ? head : { ok: false, reason: 'broken' };
}

/** The first bytes of a blob, at least so many if it has them; not verified. */
export async function readHead(
  { registry, repository }: Pick<LayerParts, 'registry' | 'repository'>,
  digest: string,
  bytes: number,
): Promise<{ readonly ok: true; readonly content: Buffer | undefined } | RegistryFailure> {
  const opened = await registry.openBlob(repository, digest);
  if (!opened.ok) return opened;
  if (opened.blob === undefined) return { ok: true, content: undefined };
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of opened.blob.content as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= bytes) break;
    }
  } catch {
    return { ok: false, reason: 'broken' };
  }
  return { ok: true, content: Buffer.concat(chunks) };
}
