import { execFileSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/distribution/digest.ts';
import { buildSampleImage } from '../../src/trial/sample-image.ts';

describe('the sample image', () => {
  const image = buildSampleImage();
  const [config, layer] = image.blobs;

  test('is the same every time, so that trying twice does not fill the registry', () => {
    expect(buildSampleImage().manifest.digest).toBe(image.manifest.digest);
  });

  test('has a layer that tar reads', () => {
    const listing = execFileSync('tar', ['-xzOf', '-', 'hello.txt'], { input: layer?.bytes, encoding: 'utf8' });
    expect(listing).toBe('Hello from behind the portcullis.\n');
  });

  test('names its parts by digest and size, and the layer before compression in its config', () => {
    const manifest = JSON.parse(String(image.manifest.bytes)) as { config: unknown; layers: unknown[] };
    const describeContent = (content: typeof layer): unknown => ({
      mediaType: content?.mediaType,
      digest: content?.digest,
      size: content?.bytes.length,
    });
    expect(manifest.config).toEqual(describeContent(config));
    expect(manifest.layers).toEqual([describeContent(layer)]);
    expect(JSON.parse(String(config?.bytes))).toMatchObject({
      rootfs: { diff_ids: [digestOf(gunzipSync(layer?.bytes ?? Buffer.alloc(0)))] },
    });
  });
});
