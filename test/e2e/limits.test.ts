/** Limits as a client meets them: the built program twice, on one real Redis, in front of a real registry. */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { GatewayProcess } from '../support/gateway.ts';
import { pauseProcess } from '../support/pause.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { startRedis } from '../support/registry.ts';
import { createApi, makeManifest } from '../support/registry-api.ts';
import { type LimitedSite, openRepository, startLimitedSite } from './support/limited-site.ts';

const password = 'right-and-long';
const people = ['anna', 'berta', 'cora', 'dana', 'emil', 'finn', 'gina', 'hugo', 'ida', 'jana', 'kurt', 'mona'];
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** One fast hash for everybody: what a hash costs is no matter here. */
async function policy(): Promise<string> {
  const hash = await quickHash(password);
  return `
users:
${people.map((name) => `  ${name}: { password: "${hash}" }`).join('\n')}
rules:
  - { name: all, subjects: [authenticated], repositories: ["**"], actions: [pull, push] }
  - { name: open, subjects: [anonymous], repositories: ["open/**"], actions: [pull] }
limits:
  - { name: pulls, subjects: [user:anna], count: pull, per: account, rate: 100/6h }
  - { name: pushes, subjects: [user:berta], count: push, per: account, rate: 60/6h }
  - { name: three-pulls, subjects: [user:gina], count: pull, per: account, rate: 3/6h }
  - { name: two-pushes, subjects: [user:hugo, user:ida], count: push, per: account, rate: 2/6h }
  - { name: outage-pulls, subjects: [user:jana], count: pull, per: account, rate: 40/6h }
  - { name: anonymous-pulls, subjects: [anonymous], count: pull, per: address, rate: 5/6h }
`;
}

const basic = (account: string, secret = password): string =>
  `Basic ${Buffer.from(`${account}:${secret}`).toString('base64')}`;

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The loopback address the connection comes from. Only 127.0.0.1 is a trusted proxy here. */
  readonly from?: string;
}

/** One request on a connection of its own. */
function ask(url: string, { method = 'GET', headers = {}, body, from = '127.0.0.1' }: Asking = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sending = request(url, { method, headers, agent: false, localAddress: from }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
    sending.on('error', reject);
    sending.end(body);
  });
}

async function tokenFor(url: string, account: string, scope: string): Promise<string> {
  const reply = await ask(`${url}/token?scope=${scope}`, { headers: { authorization: basic(account) } });
  expect(reply.status, reply.text).toBe(200);
  return (JSON.parse(reply.text) as { token: string }).token;
}

async function anonymousToken(url: string): Promise<string> {
  const reply = await ask(`${url}/token?scope=repository:${openRepository}:pull`);
  expect(reply.status, reply.text).toBe(200);
  return (JSON.parse(reply.text) as { token: string }).token;
}

/** How many replies of each status. */
function tally(replies: readonly Reply[]): Readonly<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const { status } of replies) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

const messageOf = ({ text }: Reply): string =>
  (JSON.parse(text) as { errors: readonly [{ message: string }] }).errors[0].message;

async function metric(gateway: GatewayProcess, name: string): Promise<number> {
  const { text } = await ask(`${gateway.adminUrl}/metrics`);
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? NaN);
}

/** Goes on until an answer is 429. The first wait is a second, which a slow machine may need; each further one is twice as long. */
async function untilHeld(attempt: () => Promise<Reply>, answers: Reply[]): Promise<Reply> {
  for (let n = 0; n < 6; n++) {
    const answer = await attempt();
    answers.push(answer);
    if (answer.status === 429) return answer;
  }
  throw new Error('ten failures in a row were not held back');
}

/** Exactly so many, where Redis counted all. What is counted alone counts once for each of the two gateways. */
function expectAdmitted(admitted: number, limit: number, alone: number): void {
  expect(Math.abs(admitted - limit)).toBeLessThanOrEqual(2 * alone);
}

const manifestUrl = (gateway: Pick<GatewayProcess, 'url'>, tag = 'v1', repository = openRepository): string =>
  `${gateway.url}/v2/${repository}/manifests/${tag}`;

describeWithPrograms(['docker-registry', 'redis-server'], 'limits over two gateways on one Redis', () => {
  let site: LimitedSite;
  let first: GatewayProcess;
  let second: GatewayProcess;
  beforeAll(async () => {
    site = await startLimitedSite(await policy());
    ({ first, second } = site);
  });
  afterAll(() => site?.stop());

  const bearer = async (account: string, scope = `repository:${openRepository}:pull`): Promise<string> =>
    `Bearer ${await tokenFor(first.url, account, scope)}`;

  /** Requests that were counted without Redis: on a machine that does much else it may answer too late. */
  const countedAlone = async (): Promise<number> =>
    (await metric(first, 'portcullis_limit_fallback_total')) +
    (await metric(second, 'portcullis_limit_fallback_total'));

  test('300 pulls at once over both let through exactly the 100 that one person has', async () => {
    const authorization = await bearer('anna');
    const before = await countedAlone();
    const gateways = Array.from({ length: 300 }, (_, n) => (n % 2 === 0 ? first : second));
    const replies = await Promise.all(
      gateways.map((gateway) => ask(manifestUrl(gateway), { headers: { authorization, accept: manifestType } })),
    );
    const { 200: pulled = 0, 429: refused = 0 } = tally(replies);
    expectAdmitted(pulled, 100, (await countedAlone()) - before);
    expect(refused).toBe(300 - pulled);
  });

  test('150 pushes at once over both write exactly 60 tags', async () => {
    const repository = 'team/app';
    const image = makeManifest();
    expect((await createApi(site.registry.url).push(repository, 'first', image)).status).toBe(201);
    const authorization = await bearer('berta', `repository:${repository}:pull,push`);
    const before = await countedAlone();
    const replies = await Promise.all(
      Array.from({ length: 150 }, (_, n) =>
        ask(manifestUrl(n % 2 === 0 ? first : second, `t${n}`, repository), {
          method: 'PUT',
          headers: { authorization, 'content-type': manifestType },
          body: image.text,
        }),
      ),
    );
    const { 201: pushed = 0, 429: refused = 0 } = tally(replies);
    expectAdmitted(pushed, 60, (await countedAlone()) - before);
    expect(refused).toBe(150 - pushed);
    const { tags } = JSON.parse((await ask(`${site.registry.url}/v2/${repository}/tags/list`)).text) as {
      tags: readonly string[];
    };
    expect(tags.filter((tag) => tag !== 'first')).toHaveLength(pushed);
  });

  test('the headers tell what is left: on a pull, on a HEAD that costs nothing, and on a refusal', async () => {
    const authorization = await bearer('gina');
    const headers = { authorization, accept: manifestType };
    const pull = (method = 'GET', gateway = first): Promise<Reply> => ask(manifestUrl(gateway), { method, headers });
    const left = ({ headers: of }: Reply): unknown => of['ratelimit-remaining'];

    const pulled = await pull();
    expect(pulled.headers).toMatchObject({
      'ratelimit-limit': '3;w=21600',
      'ratelimit-remaining': '2;w=21600',
      'docker-ratelimit-source': 'gina',
      'ratelimit-policy': '"three-pulls";q=3;w=21600',
      ratelimit: expect.stringMatching(/^"three-pulls";r=2;t=7(?:199|200)$/),
    });
    const heads = [await pull('HEAD'), await pull('HEAD'), await pull('HEAD', second), await pull('HEAD')];
    expect(heads.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(heads.map(left)).toEqual(Array(4).fill('2;w=21600'));
    expect([left(await pull('GET', second)), left(await pull())]).toEqual(['1;w=21600', '0;w=21600']);

    const refused = await pull();
    expect(refused.status).toBe(429);
    expect(refused.headers).toMatchObject({
      'ratelimit-limit': '3;w=21600',
      'ratelimit-remaining': '0;w=21600',
      'docker-ratelimit-source': 'gina',
      'docker-distribution-api-version': 'registry/2.0',
      'retry-after': expect.stringMatching(/^7(?:19\d|200)$/),
    });
    expect(JSON.parse(refused.text)).toMatchObject({ errors: [{ code: 'TOOMANYREQUESTS' }] });
    expect(messageOf(refused)).toMatch(
      /^user "gina" has used up 3 pulls per 6 hours \(limit "three-pulls"\); the next one is free in (?:2 hours|1 hour 60 minutes|1 hour 59 minutes)$/,
    );
    const shown = await pull('HEAD');
    expect([shown.status, left(shown)]).toEqual([200, '0;w=21600']);
  });

  test('a push beyond the limit uploads its layers, and is refused at the manifest only', async () => {
    const api = createApi(first.url, 'hugo', password);
    const counted = (response: Response): string | null => response.headers.get('ratelimit-remaining');
    expect(counted(await api.push('team/hugo', 'one'))).toBe('1;w=21600');
    expect(counted(await api.push('team/hugo', 'two'))).toBe('0;w=21600');
    await first.findLog(
      ({ account, reference, status }) => account === 'hugo' && reference === 'two' && status === 201,
    );
    const begun = first.logs().length;

    const image = makeManifest();
    const refused = await api.push('team/hugo', 'three', image);
    expect(refused.status).toBe(429);
    // push() would have returned at the first step that was refused: this is the answer to the manifest.
    expect(await refused.text()).toContain('user \\"hugo\\" has used up 2 pushes per 6 hours');
    await first.findLog(({ reason, account }) => reason === 'limit_reached' && account === 'hugo');
    const steps = first
      .logs()
      .slice(begun)
      .filter(({ account }) => account === 'hugo');
    expect(steps.map(({ status }) => status)).toEqual([202, 201, 429]);
    const configDigest = (JSON.parse(image.text) as { config: { digest: string } }).config.digest;
    const blob = await api.request('HEAD', `/v2/team/hugo/blobs/${configDigest}`);
    expect([blob.status, counted(blob)]).toEqual([200, null]);
  });

  test('blobs and uploads are neither counted nor refused, however many there are', async () => {
    const api = createApi(first.url, 'ida', password);
    const pushed = makeManifest();
    await api.push('team/ida', 'one', pushed);
    await api.push('team/ida', 'two');
    expect((await api.push('team/ida', 'three')).status).toBe(429);
    const { config } = JSON.parse(pushed.text) as { config: { digest: string } };
    const replies = await Promise.all(
      Array.from({ length: 20 }, async () => [
        await api.request('GET', `/v2/team/ida/blobs/${config.digest}`),
        await api.request('POST', '/v2/team/ida/blobs/uploads/'),
      ]),
    );
    for (const [blob, upload] of replies) {
      expect([blob?.status, upload?.status]).toEqual([200, 202]);
      expect(blob?.headers.get('ratelimit-limit') ?? upload?.headers.get('ratelimit-limit')).toBeNull();
    }
  });

  test('an address has one budget on both, whatever its client writes into X-Forwarded-For', async () => {
    const authorization = `Bearer ${await anonymousToken(first.url)}`;
    let turn = 0;
    const pull = (forwardedFor: string, from?: string): Promise<Reply> =>
      ask(manifestUrl(turn++ % 2 === 0 ? first : second), {
        headers: { authorization, accept: manifestType, 'x-forwarded-for': forwardedFor },
        ...(from === undefined ? {} : { from }),
      });
    const source = ({ headers }: Reply): unknown => headers['docker-ratelimit-source'];

    for (let n = 0; n < 5; n++) expect((await pull('203.0.113.7')).status).toBe(200);
    const claims = [
      '203.0.113.7',
      '198.51.100.1, 203.0.113.7',
      '127.0.0.1, 198.51.100.1, 203.0.113.7, 127.0.0.1',
      'unknown, 203.0.113.7',
      ', ,203.0.113.7',
      '::ffff:203.0.113.7',
      `${'198.51.100.9, '.repeat(700)}203.0.113.7`,
      `${'x'.repeat(8000)},203.0.113.7`,
    ];
    for (const claim of claims) {
      const reply = await pull(claim);
      expect([reply.status, source(reply)], claim.slice(0, 60)).toEqual([429, '203.0.113.7']);
    }
    expect(messageOf(await pull('203.0.113.7'))).toContain('address 203.0.113.7 has used up 5 pulls per 6 hours');
    expect((await pull('203.0.113.8')).status).toBe(200);
  });

  test('the hosts of one /64 share a budget', async () => {
    const authorization = `Bearer ${await anonymousToken(first.url)}`;
    const pull = (host: number): Promise<Reply> =>
      ask(manifestUrl(first), {
        headers: { authorization, accept: manifestType, 'x-forwarded-for': `2001:db8:5:6::${host.toString(16)}` },
      });
    const replies = await Promise.all(Array.from({ length: 30 }, (_, host) => pull(host + 1)));
    expect(tally(replies)).toEqual({ 200: 5, 429: 25 });
    expect(replies[0]?.headers['docker-ratelimit-source']).toBe('2001:db8:5:6::/64');
  });

  test('what a proxy passes on that is no address counts as the proxy, all of it together', async () => {
    const authorization = `Bearer ${await anonymousToken(first.url)}`;
    const claims = ['garbage', '203.0.113.9, garbage', '1.2.3', '300.1.1.1', '[::1', '203.0.113.9:x', 'a,b', '-'];
    const replies = [];
    for (const claim of claims) {
      replies.push(
        await ask(manifestUrl(first), { headers: { authorization, accept: manifestType, 'x-forwarded-for': claim } }),
      );
    }
    expect(new Set(replies.map(({ headers }) => headers['docker-ratelimit-source']))).toEqual(new Set(['127.0.0.1']));
    expect(tally(replies)).toEqual({ 200: 5, 429: 3 });
  });

  test('whoever is no trusted proxy gets neither a new budget nor more guesses by naming other addresses', async () => {
    const authorization = `Bearer ${await anonymousToken(first.url)}`;
    const from = '127.0.0.2';
    const replies = await Promise.all(
      Array.from({ length: 25 }, (_, n) =>
        ask(manifestUrl(n % 2 === 0 ? first : second), {
          headers: { authorization, accept: manifestType, 'x-forwarded-for': `203.0.113.${100 + n}` },
          from,
        }),
      ),
    );
    expect(tally(replies)).toEqual({ 200: 5, 429: 20 });
    expect(replies[0]?.headers['docker-ratelimit-source']).toBe(from);

    const guess = (n: number): Promise<Reply> =>
      ask(`${n % 2 === 0 ? first.url : second.url}/token`, {
        headers: { authorization: basic('kurt', `guess-${n}`), 'x-forwarded-for': `203.0.113.${100 + n}` },
        from,
      });
    const guesses = [];
    for (let n = 0; n < 5; n++) guesses.push(await guess(n));
    expect(guesses.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    const held = await untilHeld(() => guess(guesses.length), guesses);
    expect(messageOf(held)).toMatch(/^too many failed logins; try again in /);
  });

  test('2,000 guesses at once from one address cost a few hashes, and its owner logs in from elsewhere', async () => {
    const hashes = async (): Promise<number> => {
      let sum = 0;
      for (const gateway of [first, second]) sum += (await metric(gateway, 'portcullis_password_hashes_total')) || 0;
      return sum;
    };
    const login = (n: number, secret: string, address: string): Promise<Reply> =>
      ask(`${n % 2 === 0 ? first.url : second.url}/token`, {
        headers: { authorization: basic('mona', secret), 'x-forwarded-for': address },
      });
    const before = await hashes();
    const statuses = new Set<number>();
    for (let wave = 0; wave < 10; wave++) {
      const guesses = Array.from({ length: 200 }, (_, n) => login(n, `guess-${wave}-${n}`, '203.0.113.30'));
      for (const { status } of await Promise.all(guesses)) statuses.add(status);
    }
    expect(statuses).toEqual(new Set([401, 429]));
    const cost = (await hashes()) - before;
    // Five free mistakes on each gateway, and one more after each wait of 1, 2, 4 … seconds.
    expect(cost).toBeGreaterThan(0);
    expect(cost).toBeLessThanOrEqual(20);
    expect((await login(0, password, '203.0.113.31')).status).toBe(200);
  });
});

describeWithPrograms(['docker-registry', 'redis-server'], 'a crowd', () => {
  test('of 1,000 connections at once finds a place in line while the gateway is busy', async () => {
    const site = await startLimitedSite(await policy());
    const { pid, url } = site.first;
    const sockets: Socket[] = [];
    try {
      await pauseProcess(pid);
      const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
      const port = Number(new URL(url).port);
      const connected = Array.from({ length: Math.min(1000, most) }, () => {
        const socket = connect(port, '127.0.0.1');
        sockets.push(socket);
        return new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      });
      // Whoever is turned away tries again, in vain as long as nobody is let in.
      await Promise.all(connected);
      process.kill(pid, 'SIGCONT');
      expect((await ask(`${url}/v2/`)).status).toBe(401);
    } finally {
      process.kill(pid, 'SIGCONT');
      for (const socket of sockets) socket.destroy();
      await site.stop();
    }
  });
});

describeWithPrograms(['docker-registry', 'redis-server'], 'limits while Redis is away', () => {
  test('each gateway gives out its share, holds failed logins back, and nobody has a fresh budget afterwards', async () => {
    const site = await startLimitedSite(await policy());
    const { first, second } = site;
    try {
      for (const gateway of [first, second]) {
        await eventually(
          'it knows of both gateways',
          async () => (await metric(gateway, 'portcullis_gateways')) === 2,
          8000,
        );
      }
      const token = await tokenFor(first.url, 'jana', `repository:${openRepository}:pull`);
      const headers = { authorization: `Bearer ${token}`, accept: manifestType };
      const pull = (gateway: GatewayProcess): Promise<Reply> => ask(manifestUrl(gateway), { headers });
      const pulls = (gateway: GatewayProcess, count: number): Promise<Reply[]> =>
        Promise.all(Array.from({ length: count }, () => pull(gateway)));
      const fallbacks = (gateway: GatewayProcess): Promise<number> =>
        metric(gateway, 'portcullis_limit_fallback_total');
      const guess = (gateway: GatewayProcess, secret: string): Promise<Reply> =>
        ask(`${gateway.url}/token`, { headers: { authorization: basic('mona', secret) } });

      for (let n = 0; n < 10; n++) expect((await pull(n % 2 === 0 ? first : second)).status).toBe(200);
      // None, unless Redis answered too late.
      const alone = [await fallbacks(first), await fallbacks(second)] as const;

      await site.redis.stop();
      for (const [at, gateway] of [first, second].entries()) {
        // Half of the 30 that were left; the other gateway has the other half.
        const { 200: pulled = 0, 429: refused = 0 } = tally(await pulls(gateway, 40));
        expectAdmitted(pulled, 15, alone[0] + alone[1]);
        expect(pulled + refused).toBe(40);
        expect(await fallbacks(gateway)).toBe((alone[at] ?? 0) + 40);
      }

      for (const gateway of [first, second]) {
        const guesses: Reply[] = [];
        const another = (): Promise<Reply> => guess(gateway, `w${guesses.length}-${gateway.url}`);
        for (let n = 0; n < 3; n++) guesses.push(await another());
        // Each failure counts for both gateways.
        expect(guesses.map(({ status }) => status)).toEqual([401, 401, 401]);
        await untilHeld(another, guesses);
        expect((await guess(gateway, password)).status).toBe(429);
      }

      site.redis = await startRedis(site.redis.port);
      // The one that knows of every pull comes first: what the other has not seen is in Redis then.
      for (const gateway of [second, first]) {
        await eventually('it counts in Redis again', async () => {
          const before = await fallbacks(gateway);
          expect((await pull(gateway)).status).toBe(429);
          return (await fallbacks(gateway)) === before;
        });
      }
      const after = [...(await pulls(second, 20)), ...(await pulls(first, 20))];
      expect(tally(after)).toEqual({ 429: 40 });
      // With a count of nothing there would be four more.
      await eventually('the wait is over', async () => (await guess(second, `again-${Math.random()}`)).status === 401);
      expect((await guess(first, 'and again')).status).toBe(429);
    } finally {
      await site.stop();
    }
  });
});
