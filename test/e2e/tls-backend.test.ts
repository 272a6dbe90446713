/** A registry and a storage that speak TLS, behind the built program. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type IncomingMessage, type RequestListener, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hash } from 'argon2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { basic } from '../support/trial.ts';

const password = 'only over TLS';
const passwordHash = await hash(password, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
const policy = `
users: { dana: { password: '${passwordHash}' } }
rules: [{ name: work, subjects: [user:dana], repositories: ['team/**'], actions: [pull, push] }]
`;
const headers = { authorization: basic('dana', password) };
const layer = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));
const blob = (digit: string): string => `/v2/team/app/blobs/sha256:${digit.repeat(64)}`;
const session = '/v2/team/app/blobs/uploads/1';

describeWithPrograms(['openssl'], 'a backend that speaks TLS', () => {
  let dir: string;
  let gateway: GatewayProcess;
  const servers: StandIn[] = [];
  const asked: (string | undefined)[] = [];
  let readers = 0;
  let received = Buffer.alloc(0);
  const content: RequestListener = (_request, response) => {
    response.writeHead(200, { 'content-length': layer.length }).end(layer);
  };

  /** A storage without TLS. */
  async function servePlain(): Promise<string> {
    const plain = await startStandIn((request, response) => {
      asked.push(request.url);
      content(request, response);
    });
    servers.push(plain);
    return plain.host;
  }

  async function serve(name: string, listener: RequestListener): Promise<string> {
    const [cert, key] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
    await makeCertificate(cert, key);
    const server = await startStandIn(listener, { tls: { cert: await readFile(cert), key: await readFile(key) } });
    servers.push(server);
    return server.host;
  }

  beforeAll(async () => {
    dir = await makeTempDir('tls-backend');
    const bare = await servePlain();
    const storage = await serve('storage', (request, response) => {
      if (request.url === '/e') response.writeHead(307, { location: `http://${bare}/e` }).end();
      else content(request, response);
    });
    const stranger = await serve('stranger', content);
    const seen = new WeakSet();
    const registry = await serve('registry', (request, response) => {
      if (request.url === blob('b')) return void response.writeHead(307, { location: `https://${storage}/b` }).end();
      if (request.url === blob('c')) return void response.writeHead(307, { location: `https://${stranger}/c` }).end();
      if (request.url === blob('d')) return void response.writeHead(307, { location: `http://${bare}/d` }).end();
      if (request.url === blob('e')) return void response.writeHead(307, { location: `https://${storage}/e` }).end();
      if (request.url === blob('a')) {
        if (!seen.has(request.socket)) readers++;
        seen.add(request.socket);
        return void content(request, response);
      }
      if (request.method !== 'PATCH') return void response.end('{}');
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        received = Buffer.concat(parts);
        response.writeHead(202, { location: session, range: `0-${received.length - 1}` }).end();
      });
    });
    const known = join(dir, 'known.crt');
    await writeFile(
      known,
      await Promise.all(['registry', 'storage'].map((name) => readFile(join(dir, `${name}.crt`)))),
    );
    gateway = await startGatewayProcess({
      policies: { 'team.yaml': policy },
      upstream: `https://${registry}`,
      env: {
        NODE_EXTRA_CA_CERTS: known,
        PORTCULLIS_REDIRECTS_MODE: 'follow',
        PORTCULLIS_REDIRECTS_HOSTS: `${storage},${stranger},${bare}`,
      },
    });
  });
  afterAll(async () => {
    await gateway.stop();
    for (const server of servers) await server.close();
    await removeTempDir(dir);
  });

  /** Takes what comes slowly, from the beginning. */
  async function pull(path: string): Promise<{ readonly status: number | undefined; readonly body: Buffer }> {
    const asked = request(gateway.url + path, { headers, agent: false }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    // Time is the matter: the buffers of the kernel fill meanwhile.
    await delay(100);
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    return { status: response.statusCode, body: Buffer.concat(chunks) };
  }

  test('gives what it has, one pull after the other over one connection', async () => {
    for (let count = 0; count < 3; count++) {
      const { status, body } = await pull(blob('a'));
      expect([status, body.equals(layer)]).toEqual([200, true]);
    }
    expect(readers).toBe(1);
  });

  test('takes what is pushed', async () => {
    const asked = request(gateway.url + session, {
      method: 'PATCH',
      headers: { ...headers, 'content-type': 'application/octet-stream', 'content-length': layer.length },
      agent: false,
    }).end(layer);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();
    expect([response.statusCode, received.equals(layer)]).toEqual([202, true]);
  });

  test('may point at a storage that does so too', async () => {
    const { status, body } = await pull(blob('b'));
    expect([status, body.equals(layer)]).toEqual([200, true]);
  });

  test.each(['d', 'e'])('is not left for a storage without TLS, be it listed (%s)', async (digit) => {
    expect((await pull(blob(digit))).status).toBe(502);
    const { detail } = await gateway.findLog(
      (record) => record['status'] === 502 && record['digest'] === blob(digit).split('/').at(-1),
    );
    expect(detail).toContain('a redirect leads from https to http');
    expect(asked).toEqual([]);
  });

  test('is not believed with a certificate that nobody vouches for', async () => {
    expect((await pull(blob('c'))).status).toBe(502);
    const { detail } = await gateway.findLog(
      (record) => record['status'] === 502 && record['digest'] === blob('c').split('/').at(-1),
    );
    expect(detail).toContain('self-signed certificate');
  });
});
