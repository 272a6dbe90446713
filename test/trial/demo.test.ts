import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runDemo, type DemoOptions, type DemoResult } from '../../src/trial/demo.ts';
import { digestOf } from '../../src/distribution/digest.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';

const PASSWORD = 'abcde-fghjk-mnpqr-stuvw';
const REFUSAL = 'user "admin" may not push release/hello: no rule allows it';

/** Takes over one request; returns true when it answered. */
type Fault = (request: IncomingMessage, response: ServerResponse, url: URL) => boolean;

/** A gateway and registry in memory, as strict as the flow needs: tokens carry one scope, content is kept by digest. */
class GatewayDouble {
  readonly requests: string[] = [];
  readonly content = new Map<string, Buffer>();
  readonly tokens = new Map<string, string>();
  fault: Fault = () => false;
  origin = '';
  #server: StandIn | undefined;

  async open(): Promise<void> {
    this.#server = await startStandIn((request, response) => void this.#answer(request, response));
    this.origin = this.#server.url;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.origin);
    const method = request.method ?? '';
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    this.requests.push(`${method} ${url.pathname}${url.search}`);
    if (this.fault(request, response, url)) return;

    const refuse = (status: number, code: string, message: string): void => {
      response.writeHead(status).end(JSON.stringify({ errors: [{ code, message }] }));
    };
    if (url.pathname === '/token') {
      const known = ['admin', 'try-builder'].map((name) => Buffer.from(`${name}:${PASSWORD}`).toString('base64'));
      if (!known.some((login) => request.headers.authorization === `Basic ${login}`))
        return refuse(401, 'UNAUTHORIZED', 'wrong name or password');
      const token = randomUUID();
      this.tokens.set(token, url.searchParams.get('scope') ?? '');
      response.end(JSON.stringify({ token, expires_in: 300 }));
      return;
    }
    const scope = this.tokens.get((request.headers.authorization ?? '').replace('Bearer ', ''));
    if (scope === undefined) {
      response.setHeader('www-authenticate', `Bearer realm="${this.origin}/token",service="registry"`);
      return refuse(401, 'UNAUTHORIZED', 'log in');
    }
    if (url.pathname === '/v2/') {
      response.end('{}');
      return;
    }
    const [, repository = '', kind, name = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(url.pathname) ?? [];
    if (repository.startsWith('release/')) return refuse(403, 'DENIED', REFUSAL);
    const need = method === 'GET' ? 'pull' : 'push';
    if (!scope.startsWith(`repository:${repository}:`) || !scope.includes(need))
      return refuse(401, 'UNAUTHORIZED', 'scope');
    switch (`${method} ${kind}`) {
      case 'POST blobs':
        response.writeHead(202, { location: `/v2/${repository}/blobs/uploads/7?_portcullis=${'x'.repeat(500)}` }).end();
        return;
      case 'PUT blobs':
      case 'PUT manifests': {
        const digest = digestOf(body);
        this.content.set(digest, body);
        if (kind === 'manifests') this.content.set(name, body);
        response.writeHead(201, { 'docker-content-digest': digest }).end();
        return;
      }
      case 'GET blobs':
      case 'GET manifests':
        response.end(this.content.get(name));
        return;
      default:
        refuse(404, 'UNKNOWN', 'unknown');
    }
  }
}

let gateway: GatewayDouble;
let lines: string[];

beforeEach(async () => {
  gateway = new GatewayDouble();
  lines = [];
  await gateway.open();
});
afterEach(() => gateway.close());

function demo(overrides: Partial<DemoOptions> = {}): Promise<DemoResult> {
  return runDemo({
    url: gateway.origin,
    account: 'admin',
    password: PASSWORD,
    json: false,
    print: (line) => lines.push(line),
    ...overrides,
  });
}

describe('against a gateway that works', () => {
  test('all six steps are shown with their statuses, and the refusal as docker would print it', async () => {
    const { ok, steps } = await demo();
    expect(ok).toBe(true);
    expect(steps.map((step) => step.exchanges.map((exchange) => exchange.status))).toEqual([
      [401],
      [200, 200],
      [200, 202, 201, 202, 201, 201],
      [200, 200, 200, 200],
      [200, 403],
      [401],
    ]);
    const text = lines.join('\n');
    expect(text).toContain(`denied: ${REFUSAL}`);
    expect(text).toContain('unauthorized: wrong name or password');
    expect(text).toContain(`${gateway.origin}/token`);
    expect(text).toContain('All 6 steps went as they should.');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(200);
  });

  test('each token is asked for with the account and exactly the scope of its step', async () => {
    await demo();
    const asked = gateway.requests.filter((line) => line.startsWith('GET /token'));
    expect(asked.every((line) => line.includes('account=admin'))).toBe(true);
    expect(asked.map((line) => new URL(line.slice(4), gateway.origin).searchParams.get('scope'))).toEqual([
      null,
      'repository:sandbox/hello:pull,push',
      'repository:sandbox/hello:pull',
      'repository:release/hello:pull,push',
      null,
    ]);
  });

  test('a build server, where there is one, pushes an image of its own that may be released', async () => {
    const { ok, steps } = await demo({ builder: { account: 'try-builder', password: PASSWORD } });
    expect([ok, steps.length]).toEqual([true, 7]);
    expect(steps[6]?.title).toBe('The build server try-builder pushes integration/hello:build-1');
    expect(gateway.requests.filter((line) => line.includes('account=try-builder'))).toHaveLength(1);
    expect(gateway.content.get('build-1')).not.toEqual(gateway.content.get('try'));
    expect(lines.join('\n')).toContain('All 7 steps went as they should.');
  });

  test('where a limit counts the pull, what is left of it is shown', async () => {
    await demo();
    expect(lines.join('\n')).not.toContain('RateLimit');
    gateway.fault = (request, response) => {
      if (request.method !== 'GET') return false;
      response.setHeader('RateLimit-Limit', '1000;w=21600').setHeader('RateLimit-Remaining', '997;w=21600');
      return false;
    };
    const { ok, steps } = await demo();
    const note = 'a limit counts this: RateLimit-Limit 1000;w=21600, RateLimit-Remaining 997;w=21600';
    expect([ok, steps.filter(({ notes }) => notes.includes(note)).map(({ number }) => number)]).toEqual([true, [4]]);
  });

  test('a second run works like the first', async () => {
    expect((await demo()).ok).toBe(true);
    expect((await demo()).ok).toBe(true);
  });

  test('as JSON it prints one document and nothing else', async () => {
    const result = await demo({ json: true });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toEqual(result);
  });

  test('neither the password nor a token is shown, in text or JSON', async () => {
    await demo();
    await demo({ json: true });
    const secrets = [PASSWORD, Buffer.from(`admin:${PASSWORD}`).toString('base64'), ...gateway.tokens.keys()];
    for (const secret of secrets) expect(lines.join('\n')).not.toContain(secret);
  });
});

describe('a gateway that does not work fails the step and says what to check', () => {
  const errors = (code: string, message: string): string => JSON.stringify({ errors: [{ code, message }] });
  const faults: readonly (readonly [title: string, step: number, words: string, fault: Fault])[] = [
    [
      'one that lets everybody in',
      1,
      'expected 401, got 200',
      (_request, response, url) => url.pathname === '/v2/' && !!response.end('{}'),
    ],
    [
      'one that challenges with Basic',
      1,
      'no Bearer challenge',
      (_request, response) => !!response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
    ],
    [
      'one whose realm is elsewhere',
      1,
      'publicUrl',
      (_request, response) =>
        !!response
          .writeHead(401, { 'www-authenticate': 'Bearer realm="https://evil.example/token",service="s"' })
          .end(),
    ],
    [
      'one that does not accept its own token',
      2,
      'GET /v2/ with the token: expected 200, got 401',
      (request, response, url) =>
        url.pathname === '/v2/' &&
        request.headers.authorization !== undefined &&
        !!response.writeHead(401).end(errors('UNAUTHORIZED', 'no')),
    ],
    [
      'one that gives no token',
      2,
      'without a token',
      (_request, response, url) => url.pathname === '/token' && !!response.end('{}'),
    ],
    [
      'one that refuses the push',
      3,
      'expected 202, got 403 (no rule allows it)',
      (request, response) =>
        request.method === 'POST' && !!response.writeHead(403).end(errors('DENIED', 'no rule allows it')),
    ],
    [
      'one that sends the upload past itself',
      3,
      'points to http://registry.internal:5000',
      (request, response) =>
        request.method === 'POST' &&
        !!response.writeHead(202, { location: 'http://registry.internal:5000/v2/x' }).end(),
    ],
    [
      'one that stores other bytes',
      3,
      'the manifest that was stored is sha256:0',
      (request, response, url) =>
        request.method === 'PUT' &&
        url.pathname.includes('/manifests/') &&
        !!response.writeHead(201, { 'docker-content-digest': 'sha256:0' }).end(),
    ],
    [
      'one that gives other bytes back',
      4,
      'the blob that came back is',
      (request, response, url) => request.method === 'GET' && url.pathname.includes('/blobs/') && !!response.end('x'),
    ],
    [
      'one that allows the push to the release area',
      5,
      'expected 403, got 202',
      (request, response, url) =>
        request.method === 'POST' &&
        url.pathname.startsWith('/v2/release/') &&
        !!response.writeHead(202, { location: '/v2/release/hello/blobs/uploads/9' }).end(),
    ],
    [
      'one that refuses without a reason',
      5,
      'no DENIED error with a reason',
      (_request, response, url) => url.pathname.startsWith('/v2/release/') && !!response.writeHead(403).end('no'),
    ],
    [
      'one that is at a limit',
      3,
      'try again in 17 seconds',
      (request, response) =>
        request.method === 'PUT' &&
        !!response.writeHead(429, { 'retry-after': '17' }).end(errors('TOOMANYREQUESTS', 'slow down')),
    ],
    [
      'one that cuts the connection',
      2,
      'no answer to GET /token',
      (request, _response, url) => url.pathname === '/token' && !!request.socket.destroy(),
    ],
  ];
  test.each(faults)('%s fails step %i: %s', async (_title, step, words, fault) => {
    gateway.fault = fault;
    const { ok, steps } = await demo();
    expect(ok).toBe(false);
    expect(steps.map(({ ok: passed }) => passed)).toEqual([...Array<boolean>(step - 1).fill(true), false]);
    expect(lines.join('\n')).toContain(words);
    expect(lines.join('\n')).toContain('Check: ');
  });

  test('one that takes any password fails the last step', async () => {
    gateway.fault = (_request, response, url) => {
      if (url.pathname !== '/token') return false;
      const token = randomUUID();
      gateway.tokens.set(token, url.searchParams.get('scope') ?? '');
      response.end(JSON.stringify({ token }));
      return true;
    };
    const { steps } = await demo();
    expect(steps.map(({ ok }) => ok)).toEqual([true, true, true, true, true, false]);
  });

  test('an upload that should have been refused is cancelled', async () => {
    gateway.fault = (request, response, url) => {
      if (request.method !== 'POST' || !url.pathname.startsWith('/v2/release/')) return false;
      response.writeHead(202, { location: '/v2/release/hello/blobs/uploads/9' }).end();
      return true;
    };
    await demo();
    expect(gateway.requests).toContain('DELETE /v2/release/hello/blobs/uploads/9');
  });

  test('our own wrong password fails the login', async () => {
    const { steps } = await demo({ password: 'forgotten' });
    expect(steps.map(({ ok }) => ok)).toEqual([true, false]);
    expect(lines.join('\n')).toContain('the account and its password');
  });

  test('a gateway that does not run is told apart from one that misbehaves', async () => {
    const { origin } = gateway;
    await gateway.close();
    expect((await demo({ url: origin })).ok).toBe(false);
    await gateway.open();
    expect(lines.join('\n')).toContain('is the gateway running? Start it with: npm start');
  });

  test('text from the gateway cannot steer the terminal', async () => {
    gateway.fault = (_request, response, url) =>
      url.pathname === '/token' && !!response.writeHead(401).end(errors('UNAUTHORIZED', '\u001b[2Jgone'));
    await demo();
    expect(lines.join('\n')).toContain('?[2Jgone');
  });
});
