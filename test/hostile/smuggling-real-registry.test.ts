import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pushImage } from '../support/image.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { type Reply, converse } from './support/client.ts';
import { type TestGateway, basic, startTestGateway } from '../support/gateway.ts';

/** What the victim keeps, and where an attacker who may do everything below mine/ wants to have it. */
const victim = 'victim/private';
const loot = 'mine/loot';
const uploads = `/v2/${loot}/blobs/uploads/`;

describeWithPrograms(['docker-registry'], 'a real registry behind the gateway', () => {
  let registry: RegistryProcess;
  let gateway: TestGateway;
  /** A layer of the victim's. */
  let digest: string;
  /** Length of the registry's access log before the attack. */
  let mark: number;

  beforeAll(async () => {
    registry = await startRegistry();
    ({ layerDigest: digest } = await pushImage(registry.url, victim, 'v1'));
    gateway = await startTestGateway(registry.url, { idleMs: 5000, responseMs: 5000 });
    mark = (await registry.settledAccessLog()).length;
  });

  afterAll(async () => {
    await gateway.close();
    await registry.stop();
  });

  const fill = (text: string): string => text.replaceAll('{digest}', digest);
  const head = (line: string, lines = ''): string =>
    `${line} HTTP/1.1\r\nHost: registry.test\r\nUser-Agent: hostile\r\nAuthorization: Basic ${basic}\r\n${lines}\r\n`;
  const formed = (query: string, type: string, content: string): string =>
    head(`POST ${uploads}${query}`, `Content-Type: ${type}\r\nContent-Length: ${fill(content).length}\r\n`) + content;

  /** What the registry did for whom, since the last call. */
  async function done(): Promise<readonly string[]> {
    const log = await registry.settledAccessLog();
    const lines = log.slice(mark).split('\n');
    mark = log.length;
    return lines.filter((line) => /hostile|victim|loot/.test(line) && !line.includes('observer'));
  }

  async function isLootReadable(): Promise<boolean> {
    const headers = { 'user-agent': 'observer' };
    const reply = await fetch(`${registry.url}/v2/${loot}/blobs/${digest}`, { method: 'HEAD', headers });
    return reply.status === 200;
  }

  const form = 'application/x-www-form-urlencoded';
  const mount = 'mount={digest}&from=victim/private';
  const multipart = ['mount={digest}', 'from=victim/private']
    .map((field) => field.split('='))
    .map(([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
    .join('')
    .concat('--b--\r\n');

  test('alone it gives any blob to whoever asks for it with a form: these tests can fail', async () => {
    const bytes = fill(formed('', form, mount)).replace(loot, 'control/loot');
    const [reply] = await converse(registry.port, bytes);
    expect(reply?.status).toBe(201);
    const [blob] = await converse(registry.port, head(`HEAD /v2/control/loot/blobs/${digest}`));
    expect(blob?.status).toBe(200);
    await done();
  });

  describe('a blob of the victim is not mounted', () => {
    const chunkedForm = (body: string): string =>
      head(`POST ${uploads}`, `Content-Type: ${form}\r\nTransfer-Encoding: chunked\r\n`) + body;
    const attempts: readonly (readonly [title: string, bytes: () => string, status: number])[] = [
      ['by a form', () => formed('', form, mount), 415],
      ['by a form that contradicts the query', () => formed('?mount={digest}&from=mine/other', form, mount), 415],
      ['by a form with a charset', () => formed('', `${form}; charset=utf-8`, mount), 415],
      ['by a form in capitals', () => formed('', form.toUpperCase(), mount), 415],
      ['by a form behind a space', () => formed('', ` \t${form}`, mount), 415],
      ['by a form of parts', () => formed('', 'multipart/form-data; boundary=b', multipart), 415],
      [
        'by a form of parts that contradicts the query',
        () => formed('?from=mine/other', 'Multipart/Form-Data; boundary=b', multipart),
        415,
      ],
      ['by a form that says it is none', () => formed('', 'application/octet-stream', mount), 202],
      ['by a form without a type', () => formed('', '', mount), 202],
      ['by a form among types', () => formed('', `text/plain, ${form}`, mount), 202],
      ['by a chunked form', () => chunkedForm(`${fill(mount).length.toString(16)}\r\n${mount}\r\n0\r\n\r\n`), 415],
      ['by a chunked form without content', () => chunkedForm('0\r\n\r\n'), 202],
      ['by the query', () => head(`POST ${uploads}?${mount}`), 202],
      ['by escaped names', () => head(`POST ${uploads}?%6dount={digest}&%66rom=victim/private`), 202],
      ['by an escaped slash', () => head(`POST ${uploads}?mount={digest}&from=victim%2fprivate`), 202],
      ['by a second source', () => head(`POST ${uploads}?mount={digest}&from=mine/other&from=victim/private`), 400],
      ['by a semicolon', () => head(`POST ${uploads}?mount={digest};from=victim/private`), 400],
      ['without a source', () => head(`POST ${uploads}?mount={digest}`), 202],
    ];
    for (const [title, bytes, status] of attempts) {
      test(title, async () => {
        const [reply] = await converse(gateway.port, fill(bytes()));
        expect(reply?.status).toBe(status);
        expect(await isLootReadable()).toBe(false);
        const lines = (await done()).filter((line) => line.includes('POST'));
        expect(lines.length).toBe(status === 202 ? 1 : 0);
        for (const line of lines) expect(line).toContain(`"POST ${uploads} HTTP/1.1" 202`);
      });
    }
  });

  describe('a second request inside the first is not executed', () => {
    const hidden = `POST ${uploads}?${mount} HTTP/1.1\r\nHost: r\r\nUser-Agent: hostile\r\nContent-Length: 0\r\n\r\n`;
    const junk = Array.from({ length: 2000 }, (_, at) => `x-${at}: y\r\n`).join('');
    const line = (method: string): string => `${method} /v2/${loot}/manifests/v1`;
    const chunked = (): string => `${fill(hidden).length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
    const attempts: readonly (readonly [title: string, bytes: () => string])[] = [
      ...['DELETE', 'OPTIONS', 'GET', 'HEAD'].flatMap((method): (readonly [string, () => string])[] => [
        [`in the chunks of a ${method}`, () => head(line(method), 'Transfer-Encoding: chunked\r\n') + chunked()],
        [
          `in the content of a ${method}`,
          () => head(line(method), `Content-Length: ${fill(hidden).length}\r\n`) + hidden,
        ],
        [
          `behind 2,000 headers of a ${method}`,
          () => head(line(method), `${junk}Content-Length: ${fill(hidden).length}\r\n`) + hidden,
        ],
        [
          `behind 2,000 headers of a chunked ${method}`,
          () => head(line(method), `${junk}Transfer-Encoding: chunked\r\n`) + chunked(),
        ],
      ]),
      [
        'behind two framings',
        () => `${head(`PATCH ${uploads}1`, 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n')}0\r\n\r\n${hidden}`,
      ],
      [
        'behind two lengths',
        () => `${head(`PATCH ${uploads}1`, 'Content-Length: 0\r\nContent-Length: 999\r\n')}${hidden}`,
      ],
      ['behind CONNECT', () => head('CONNECT r:5000') + hidden],
    ];
    for (const [title, bytes] of attempts) {
      test(title, async () => {
        const [reply] = await converse(gateway.port, fill(bytes()));
        expect([400, 405, 431]).toContain(reply?.status);
        expect(await done()).toEqual([]);
        expect(await isLootReadable()).toBe(false);
      });
    }
  });

  describe('no other spelling reads what belongs to the victim', () => {
    for (const path of [
      '/v2/victim/private/blobs/{digest}',
      '/v2/victim%2fprivate/blobs/{digest}',
      '/v2/%76ictim/private/blobs/{digest}',
      '/v2/mine/../victim/private/blobs/{digest}',
      '/v2/mine/%2e%2e/victim/private/blobs/{digest}',
      '/v2/mine/..%2fvictim/private/blobs/{digest}',
      '/v2//victim/private/blobs/{digest}',
      '//v2/victim/private/blobs/{digest}',
      '/v2/victim/private/blobs/{digest}/',
      '/v2/victim/private/blobs/{digest}?x=/healthz',
      '/v2/victim/private/blobs/{digest}#/../../../mine/app/blobs/{digest}',
      '/v2/mine/app\\..\\..\\victim/private/blobs/{digest}',
      'http://registry.test/v2/victim/private/blobs/{digest}',
      '/v2/_catalog/../victim/private/blobs/{digest}',
      '/v2/mine/app/blobs/{digest}',
    ]) {
      test(path.slice(0, 70), async () => {
        const [reply]: readonly Reply[] = await converse(gateway.port, head(fill(`GET ${path}`)));
        const isOwn = path.startsWith('/v2/mine/app/blobs/');
        expect(isOwn ? [404] : [400, 403, 404]).toContain(reply?.status);
        const lines = await done();
        expect(lines.filter((text) => text.includes('victim'))).toEqual([]);
        expect(lines.length).toBe(isOwn ? 1 : 0);
      });
    }
  });
});
