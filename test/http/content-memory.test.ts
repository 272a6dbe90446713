/** Content that is looked at before it is passed on is held in memory, and memory has an end. */
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { startStandIn } from '../support/stand-in.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const policy = `rules: [{ name: all, subjects: [everyone], repositories: ['**'], actions: [pull] }]`;
/** Set aside in powers of two: 4 MiB. */
const bytes = 3_000_000;

/** A registry that names no digests and never ends its manifests, until it is told to. */
async function start(): Promise<Pick<GatewayProcess, 'url' | 'findLog'> & { readonly open: ServerResponse[] }> {
  const open: ServerResponse[] = [];
  const registry = await startStandIn(({ url = '' }, response) => {
    if (!url.includes('/manifests/')) return void response.end('{}');
    response.writeHead(200, { 'Content-Type': manifestType });
    if (url.endsWith('/small')) return void response.end('{}');
    response.write(Buffer.alloc(bytes, ' '));
    open.push(response);
  });
  const gateway = await startGatewayProcess({
    upstream: registry.url,
    policies: { 'p.yaml': policy },
    env: { PORTCULLIS_TRUSTED_PROXIES: '127.0.0.0/8' },
  });
  onTestFinished(async () => {
    await gateway.stop();
    await registry.close();
  });
  return { ...gateway, open };
}

test('a network that reads many manifests at once waits its turn, and another is served', async () => {
  const { url, open, findLog } = await start();
  const { token } = (await (await fetch(`${url}/token?scope=repository:app:pull`)).json()) as { token: string };
  const ask = async (address: string, tag = 'large'): Promise<IncomingMessage> => {
    const headers = { authorization: `Bearer ${token}`, 'x-forwarded-for': address };
    const sent = request(`${url}/v2/app/manifests/${tag}`, { headers, agent: false }).end();
    const [reply] = (await once(sent, 'response')) as [IncomingMessage];
    return reply.resume();
  };

  const first = Array.from({ length: 9 }, (_, n) => ask(`2001:db8:1:${n}::1`));
  const refused = await Promise.race(first);
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '5']);
  // It is not the registry that has no room.
  expect(await findLog(({ status }) => status === 503)).toMatchObject({ reason: 'gateway_no_memory' });
  const other = ask('2001:db8:2::1');
  expect((await ask('2001:db8:2::1', 'small')).statusCode).toBe(200);

  await eventually('all that fit have arrived', () => open.length === 10);
  for (const response of open) response.end();
  expect((await other).statusCode).toBe(200);
  const statuses = (await Promise.all(first)).map(({ statusCode }) => statusCode);
  expect(statuses.filter((status) => status === 200)).toHaveLength(8);
  expect((await ask('2001:db8:1::1', 'small')).statusCode).toBe(200);
});
