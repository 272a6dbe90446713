import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import argon2 from 'argon2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { startRegistry, type RegistryProcess } from '../support/registry.ts';

const password = 'sooner-than-you-think';
const repository = 'sandbox/early';
const unknown = `/v2/${repository}/blobs/uploads/0d1e2f3a-4b5c-4d6e-8f90-a1b2c3d4e5f6`;
const body = randomBytes(8 * 1_048_576);
const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;

/** A stand-in never resets a connection on which a body is still coming; Go's server does. */
describeWithPrograms(['docker-registry'], 'an upload that the registry answers before it has read the body', () => {
  let registry: RegistryProcess;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    const hash = await argon2.hash(password, { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1 });
    registry = await startRegistry();
    gateway = await startGatewayProcess({
      upstream: registry.url,
      policies: {
        'p.yaml': `
users: { dana: { password: "${hash}" } }
rules: [{ name: write, subjects: [authenticated], repositories: ["sandbox/**"], actions: [pull, push] }]
`,
      },
    });
  });
  afterAll(async () => {
    await gateway?.stop();
    await registry?.stop();
  });

  /** The status, or how the connection ended without one. */
  function send(method: string, path: string, content: Buffer, isChunked: boolean): Promise<string | number> {
    return new Promise((resolve) => {
      const request = httpRequest(gateway.url + path, {
        method,
        agent: false,
        headers: {
          authorization: `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`,
          'content-type': 'application/octet-stream',
          ...(isChunked ? {} : { 'content-length': content.length }),
        },
      });
      request.on('error', (error) => resolve(error.message));
      request.on('response', (response) => {
        response.on('error', (error) => resolve(error.message));
        response.resume().on('end', () => {
          resolve(response.statusCode ?? 0);
          request.destroy();
        });
      });
      if (isChunked) request.write(content.subarray(0, 1000));
      request.end(isChunked ? content.subarray(1000) : content);
    });
  }

  const cases = [
    ['PATCH', unknown, 404],
    ['PUT', `${unknown}?digest=${digest}`, 404],
    // It opens an ordinary upload and leaves the content to the next request.
    ['POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, 202],
  ] as const;
  for (const [method, path, status] of cases) {
    for (const kibibytes of [128, 1024, 8192]) {
      for (const isChunked of [false, true]) {
        const framing = isChunked ? 'in chunks' : 'of one length';
        test(`has the registry's own status: ${method} of ${kibibytes} KiB ${framing}`, async () => {
          const content = body.subarray(0, kibibytes * 1024);
          const seen = [];
          for (let time = 0; time < 4; time++) seen.push(await send(method, path, content, isChunked));
          expect(seen).toEqual([status, status, status, status]);
        });
      }
    }
  }
});
