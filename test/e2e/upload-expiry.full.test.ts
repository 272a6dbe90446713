import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import argon2 from 'argon2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway.ts';
import { createTar } from '../support/image.ts';
import { describeWithPrograms, run } from '../support/programs.ts';
import { startRegistry, type RegistryProcess } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { startThrottle, type Throttle } from '../support/throttle.ts';

const password = 'patience-is-a-virtue';
/** A token of 60 seconds is refused when 60 more, granted to clocks that differ, are over. */
const waitMs = 130_000;

/** Really waits for a token to expire: the slowest test of the suite, so its parts run at the same time. */
describeWithPrograms(['docker-registry', 'skopeo'], 'an upload that outlives its access token', () => {
  let registry: RegistryProcess;
  let gateway: GatewayProcess;
  let throttle: Throttle;

  beforeAll(async () => {
    const hash = await argon2.hash(password, { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1 });
    registry = await startRegistry({ delete: true });
    gateway = await startGatewayProcess({
      upstream: registry.url,
      env: { PORTCULLIS_TOKENS_ACCESS_TTL: '60s' },
      policies: {
        'p.yaml': `
users: { dana: { password: "${hash}" }, otto: { password: "${hash}" } }
rules: [{ name: write, subjects: [authenticated], repositories: ["sandbox/**"], actions: [pull, push] }]
`,
      },
    });
    throttle = await startThrottle(gateway.url, 4096);
  });
  afterAll(async () => {
    throttle?.stop();
    await gateway?.stop();
    await registry?.stop();
  });

  async function token(account: string, offline = false): Promise<{ token: string; refresh_token?: string }> {
    const query = `scope=repository:sandbox/slow:pull,push&scope=repository:sandbox/other:pull,push&offline_token=${offline}`;
    const authorization = `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;
    return (await (await fetch(`${gateway.url}/token?${query}`, { headers: { authorization } })).json()) as {
      token: string;
    };
  }

  async function call(method: string, path: string, bearer: string, body?: string): Promise<Response> {
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/octet-stream' };
    const reply = await fetch(new URL(path, gateway.url), { method, headers, ...(body === undefined ? {} : { body }) });
    await reply.arrayBuffer();
    return reply;
  }

  test.concurrent(
    'goes on and finishes, for who opened it, where it was opened, and nothing else',
    async () => {
      const { token: danas } = await token('dana');
      const { token: ottos, refresh_token: ottosSession = '' } = await token('otto', true);
      const open = async (bearer: string): Promise<string> => {
        const opened = await call('POST', '/v2/sandbox/slow/blobs/uploads/', bearer);
        expect(opened.status).toBe(202);
        return opened.headers.get('location') ?? '';
      };
      const location = await open(danas);
      const ottosLocation = await open(ottos);
      // Time is the matter: tokens expire meanwhile.
      await new Promise((resolve) => setTimeout(resolve, waitMs));

      expect((await call('GET', '/v2/', danas)).status).toBe(401);
      expect((await call('POST', '/v2/sandbox/slow/blobs/uploads/', danas)).status).toBe(401);
      const content = randomBytes(1000).toString('hex');
      const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
      // Another account's token, another repository, no ticket, a ticket that was touched: all refused.
      expect((await call('PATCH', location, ottos, content)).status).toBe(401);
      expect((await call('PATCH', location.replace('sandbox/slow', 'sandbox/other'), danas, content)).status).toBe(401);
      expect((await call('PATCH', location.replace(/[?&]_portcullis=[^&]*/, ''), danas, content)).status).toBe(401);
      expect(
        (await call('PATCH', `${location.slice(0, -1)}${location.endsWith('A') ? 'B' : 'A'}`, danas, content)).status,
      ).toBe(401);

      const sent = await call('PATCH', location, danas, content);
      expect(sent.status).toBe(202);
      const finished = await call('PUT', `${sent.headers.get('location') ?? ''}&digest=${digest}`, danas);
      expect(finished.status).toBe(201);
      // A manifest always needs a live token.
      expect((await call('PUT', '/v2/sandbox/slow/manifests/1', danas, '{}')).status).toBe(401);

      const revoked = await fetch(`${gateway.url}/token/revoke`, {
        method: 'POST',
        body: new URLSearchParams({ token: ottosSession }),
      });
      expect(revoked.status).toBe(200);
      expect((await call('PATCH', ottosLocation, ottos, content)).status).toBe(401);
    },
    waitMs + 60_000,
  );

  test.concurrent(
    'skopeo pushes a layer that takes longer than its token lives',
    async () => {
      const dir = await makeTempDir('slow-layer');
      try {
        const archive = join(dir, 'image.tar');
        // Incompressible, so that it is as slow as its size says.
        const layer = createTar(new Map([['random.bin', randomBytes((waitMs / 1000) * 4096)]]));
        await writeFile(archive, dockerArchive(layer));
        const { host } = new URL(throttle.url);
        const begin = performance.now();
        const pushed = await run(
          'skopeo',
          [
            '--insecure-policy',
            'copy',
            `docker-archive:${archive}`,
            `docker://${host}/sandbox/skopeo:1`,
            '--dest-tls-verify=false',
            `--dest-creds=dana:${password}`,
          ],
          { env: { HOME: dir }, timeoutMs: waitMs + 110_000 },
        );
        expect(pushed.code, pushed.stderr).toBe(0);
        expect(performance.now() - begin).toBeGreaterThan(121_000);
      } finally {
        await removeTempDir(dir);
      }
    },
    waitMs + 120_000,
  );
});

/** What `docker save` writes, for one layer. */
function dockerArchive(layer: Buffer): Buffer {
  const diffId = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [diffId] },
  });
  const manifest = JSON.stringify([{ Config: 'config.json', RepoTags: ['slow:1'], Layers: ['layer.tar'] }]);
  return createTar(
    new Map([
      ['layer.tar', layer],
      ['config.json', Buffer.from(config)],
      ['manifest.json', Buffer.from(manifest)],
    ]),
  );
}
