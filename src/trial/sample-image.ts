/** A small image for `portcullis try`, made here: nothing is downloaded. */
import { gzipSync } from 'node:zlib';
import { digestOf } from '../distribution/digest.ts';

/** Bytes as a registry keeps them, with the OCI descriptor fields that name them. */
export interface Content {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Buffer;
}

export interface SampleImage {
  readonly blobs: readonly Content[];
  readonly manifest: Content;
}

/** A complete image of under 1 KiB (OCI image-spec): one layer with one text file, a config and a manifest. */
export function buildSampleImage(text = 'Hello from behind the portcullis.\n'): SampleImage {
  const layerTar = tarWithOneFile('hello.txt', Buffer.from(text));
  const layer = content('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(layerTar));
  const config = content(
    'application/vnd.oci.image.config.v1+json',
    json({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Cmd: ['/hello.txt'] },
      // The image-spec wants the digest of the layer before compression here.
      rootfs: { type: 'layers', diff_ids: [digestOf(layerTar)] },
    }),
  );
  const manifest = content(
    'application/vnd.oci.image.manifest.v1+json',
    json({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: descriptor(config),
      layers: [descriptor(layer)],
    }),
  );
  return { blobs: [config, layer], manifest };
}

function content(mediaType: string, bytes: Buffer): Content {
  return { mediaType, digest: digestOf(bytes), bytes };
}

function descriptor({ mediaType, digest, bytes }: Content): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest, size: bytes.length };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

const tarBlockBytes = 512;

/** A POSIX ustar archive: one header block, the file padded to whole blocks, two empty blocks. */
function tarWithOneFile(name: string, body: Buffer): Buffer {
  const header = Buffer.alloc(tarBlockBytes);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');
  header.write(name, 0);
  header.write(`${octal(0o644, 7)}\0`, 100);
  header.write(`${octal(0, 7)}\0`, 108);
  header.write(`${octal(0, 7)}\0`, 116);
  header.write(`${octal(body.length, 11)}\0`, 124);
  header.write(`${octal(0, 11)}\0`, 136);
  header.write('0', 156);
  header.write('ustar\0' + '00', 257);
  // The checksum counts its own eight bytes as blanks.
  header.fill(' ', 148, 156);
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${octal(checksum, 6)}\0 `, 148);
  const padding = Buffer.alloc((tarBlockBytes - (body.length % tarBlockBytes)) % tarBlockBytes);
  return Buffer.concat([header, body, padding, Buffer.alloc(2 * tarBlockBytes)]);
}
