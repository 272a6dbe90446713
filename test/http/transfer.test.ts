/** What comes of a request after its exchange has ended changes nothing any more. */
import { once } from 'node:events';
import { Agent, type IncomingMessage, type ServerResponse, get, request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { parseRoute } from '../../src/distribution/route.ts';
import type { Forwarding } from '../../src/http/backend/forwarding.ts';
import { ProgressWatch } from '../../src/http/backend/progress.ts';
import { following } from '../../src/http/backend/storage.ts';
import { Transfer } from '../../src/http/backend/transfer.ts';
import { beginExchange } from '../../src/http/front/exchange.ts';
import { createMemoryBudget } from '../../src/limits/memory-budget.ts';
import { startStandIn } from '../support/stand-in.ts';

const blob = `/v2/mine/app/blobs/sha256:${'a'.repeat(64)}`;

test('a redirect that comes when the exchange has ended does not begin it again', async () => {
  const storage = await startStandIn((_request, response) => response.end('layer'));
  onTestFinished(() => storage.close());
  const registry = await startStandIn((_request, response) =>
    response.writeHead(307, { location: `${storage.url}/bucket/a` }).end(),
  );
  onTestFinished(() => registry.close());
  const asked = new Promise<readonly [IncomingMessage, ServerResponse]>((resolve) => {
    void startStandIn((...both) => resolve(both)).then((front) => {
      onTestFinished(() => front.close());
      request(front.url + blob)
        .on('error', () => {})
        .end();
    });
  });
  const [incoming, response] = await asked;
  const parsed = parseRoute('GET', blob);
  if (!('route' in parsed)) throw new Error('no route');
  const begun = { publicUrl: 'http://r', trustedProxies: [], now: 0, expectsContinue: false };
  const terms = {
    ...{ connectMs: 5000, idleMs: 5000, responseMs: 5000 },
    watch: new ProgressWatch(1000),
    contentMemory: createMemoryBudget({ total: 1, each: 1 }),
    isStopping: () => false,
  };
  const ends: Forwarding['outcome'][] = [];
  const replies: number[] = [];
  const sink = { onReply: ({ status }: { status: number }) => void replies.push(status), onFailure: () => 504 };
  const exchange = beginExchange(incoming, response, begun);
  const transfer = new Transfer({ exchange, route: parsed.route }, terms, sink, ({ outcome }) => ends.push(outcome));
  expect(transfer.begin()).toBe(true);
  transfer.fail('timeout', 'no byte moved in time');

  const agent = new Agent();
  onTestFinished(() => agent.destroy());
  const origins = { upstream: new URL(registry.url), publicUrl: new URL('http://r') };
  const rules = { mode: 'follow', hosts: [storage.host] } as const;
  const take = following(transfer, { origins, rules, agents: { storage: () => agent } }, sink, () => {
    throw new Error('the redirect is not followed');
  });
  const [late] = (await once(get(registry.url), 'response')) as [IncomingMessage];
  take(late);
  expect(transfer.isSettled).toBe(true);
  transfer.fail('broken', 'whatever comes of it');
  expect([ends, replies, terms.watch.active]).toEqual([['upstream_timeout'], [], 0]);
});
