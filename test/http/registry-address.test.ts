import type { RequestListener } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { registryAddress } from '../../src/distribution/registry-address.ts';
import { type TestGateway, basic, startTestGateway } from '../support/gateway.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';

describe('the address of the registry', () => {
  test.each([
    ['http://registry:5000', 'http:', 'registry', 5000],
    ['http://registry', 'http:', 'registry', 80],
    ['https://registry.test', 'https:', 'registry.test', 443],
    ['http://[::1]:5000', 'http:', '::1', 5000],
    ['https://[2001:db8::1]', 'https:', '2001:db8::1', 443],
  ])('%s is one that can be connected to', (url, protocol, hostname, port) => {
    expect(registryAddress(new URL(url))).toEqual({ protocol, hostname, port });
  });
});

const hasIPv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));

describe.skipIf(!hasIPv6)('a registry at an IPv6 literal', () => {
  let gateway: TestGateway | undefined;
  let registry: StandIn | undefined;
  afterEach(async () => {
    await gateway?.close();
    await registry?.close();
  });

  test('is served from, in both directions, exactly when it is called ready', async () => {
    const hosts = new Set<string | undefined>();
    const answer: RequestListener = (request, response) => {
      hosts.add(request.headers.host);
      const status = request.method === 'PATCH' ? 202 : 200;
      request.resume().on('end', () => void response.writeHead(status).end('{"tags":[]}'));
    };
    registry = await startStandIn(answer, { address: '::1' });
    gateway = await startTestGateway(registry.url);
    const headers = { authorization: `Basic ${basic}` };
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(200);
    expect((await fetch(`${gateway.url}/v2/mine/app/tags/list`, { headers })).status).toBe(200);
    const patch = { method: 'PATCH', headers, body: 'layer' };
    expect((await fetch(`${gateway.url}/v2/mine/app/blobs/uploads/1`, patch)).status).toBe(202);
    expect([...hosts]).toEqual([registry.host]);
  });
});

describe('a registry that answers in the middle of an upload and keeps its connection', () => {
  test('is let go of when the answer has been passed on, whatever the client still meant to send', async () => {
    let closed = false;
    const registry = await startStandIn((request, response) => {
      if (request.method !== 'PATCH') return void response.end('{}');
      request.socket.once('close', () => (closed = true));
      response
        .writeHead(404, { 'content-type': 'application/json' })
        .end('{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}');
    });
    const gateway = await startTestGateway(registry.url);
    const client = connect(gateway.port, '127.0.0.1');
    const received = new Promise<string>((resolve) => {
      let text = '';
      client.on('data', (chunk) => (text += chunk.toString())).on('close', () => resolve(text));
    });
    client.write(
      'PATCH /v2/mine/app/blobs/uploads/1 HTTP/1.1\r\nHost: r\r\nContent-Length: 1000\r\n' +
        `Authorization: Basic ${basic}\r\n\r\nlayer`,
    );
    expect(await received).toMatch(/^HTTP\/1\.1 404 .*BLOB_UPLOAD_UNKNOWN/s);
    expect(await gateway.inFlight()).toBe(0);
    expect(closed).toBe(true);
    await gateway.close();
    await registry.close();
  });
});
