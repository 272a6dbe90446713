/** Blobs that the gate reads for itself, as streams. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { registryAddress } from '../../distribution/registry-address.ts';
import type { Registry } from '../../ports.ts';
import type { AskTerms } from './questions.ts';

/** `timeoutMs`: until its head is there, and without a byte of what follows; a stream that ends so ends with an error. A redirect is broken. */
export function createBlobReader({ origins, agent, timeoutMs }: AskTerms): Registry['openBlob'] {
  const { host, protocol } = origins.upstream;
  const address = registryAddress(origins.upstream);
  const open = protocol === 'https:' ? httpsRequest : httpRequest;
  return (repository, digest) =>
    new Promise((resolve) => {
      const path = `/v2/${repository}/blobs/${digest}`;
      const request = open({ ...address, method: 'GET', path, agent, headers: { host }, timeout: timeoutMs });
      let reason: 'unreachable' | 'timeout' = 'unreachable';
      request.on('timeout', () => {
        reason = 'timeout';
        request.destroy(new Error(`nothing came within ${timeoutMs} ms`));
      });
      request.on('error', () => resolve({ ok: false, reason }));
      // The socket is nobody's from here on: an error given to it would end the process.
      request.on('upgrade', (_response, socket) => socket.destroy());
      request.on('close', () => resolve({ ok: false, reason: 'broken' }));
      request.on('response', (response) => {
        const { statusCode: status, headers } = response;
        if (status === 200 && headers['content-encoding'] === undefined) {
          const length = headers['content-length'];
          const size = length === undefined ? undefined : Number(length);
          return resolve({ ok: true, blob: { size, content: response } });
        }
        response.resume();
        resolve(status === 404 ? { ok: true, blob: undefined } : { ok: false, reason: 'broken' });
      });
      request.end();
    });
}
