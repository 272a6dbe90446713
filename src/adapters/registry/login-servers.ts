/** A registry's door and its token server over http and https: one connection for each question, bounded in size and time. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { SecureContext } from 'node:tls';
import { registryAddress } from '../../distribution/registry-address.ts';
import type { LoginAnswer, LoginServers } from '../../ports.ts';

const maxBytes = 65_536;
/** From the first connection to the last byte. */
const limitMs = 5000;

/** `secureContext`: whose certificates are believed; absent: those that the system trusts. */
export function createLoginServers(secureContext?: SecureContext, withinMs = limitMs): LoginServers {
  return {
    ask: ({ url, headers, form }) =>
      new Promise((resolve) => {
        const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
        const content = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
        const asked = open({
          ...registryAddress(url),
          method: form === undefined ? 'GET' : 'POST',
          path: url.pathname + url.search,
          headers: { accept: 'application/json', 'user-agent': 'portcullis', ...content, ...headers, host: url.host },
          agent: false,
          maxHeaderSize: 16_384,
          ...(secureContext === undefined ? {} : { secureContext }),
        });
        const settle = (answer: LoginAnswer): void => {
          clearTimeout(timer);
          resolve(answer);
          asked.destroy();
        };
        const timer = setTimeout(
          () => settle({ ok: false, reason: 'timeout', detail: `no whole answer within ${withinMs / 1000} s` }),
          withinMs,
        );
        const broken = (detail: string): void => settle({ ok: false, reason: 'broken', detail });
        asked.on('error', ({ message }) => settle({ ok: false, reason: 'unreachable', detail: message }));
        asked.on('close', () => broken('no answer'));
        // The socket is nobody's from here on: an error given to it would end the process.
        asked.on('upgrade', (_response, socket) => {
          socket.destroy();
          broken('it switched protocols');
        });
        asked.on('response', (response) => {
          const { statusCode: status = 0, headers: answered } = response;
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > maxBytes) broken(`the answer is larger than ${maxBytes / 1024} KiB`);
            else chunks.push(chunk);
          });
          response.on('error', ({ message }) => broken(message));
          response.on('end', () =>
            settle({
              ok: true,
              status,
              wwwAuthenticate: answered['www-authenticate'],
              content: Buffer.concat(chunks).toString('utf8'),
            }),
          );
        });
        asked.end(form);
      }),
  };
}
