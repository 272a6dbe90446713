/**
 * Uploads that the registry answers before it has read their body: how many get the registry's own status.
 * node test/load/early-answers.mjs [TIMES], with Debian's docker-registry behind the gateway. Exit code 1 when one does not.
 */
import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { basic as authorization, mebibyte, startGateway, startRegistry, stop } from './programs.mjs';

const times = Number(process.argv[2] ?? 50);
const sizes = [131_072, mebibyte, 8 * mebibyte, 32 * mebibyte];
const unknown = '/v2/load/app/blobs/uploads/0d1e2f3a-4b5c-4d6e-8f90-a1b2c3d4e5f6';
const digest = `sha256:${'ab'.repeat(32)}`;
const cases = [
  ['PATCH', unknown, 404],
  ['PUT', `${unknown}?digest=${digest}`, 404],
  // distribution takes no content with a POST: it opens an ordinary upload.
  ['POST', `/v2/load/app/blobs/uploads/?digest=${digest}`, 202],
];
const body = randomBytes(Math.max(...sizes));

const registry = await startRegistry();
const gateway = await startGateway(registry.url);
let wrong = 0;
for (const framing of ['content-length', 'chunked']) {
  for (const [method, path, expected] of cases) {
    for (const size of sizes) {
      const seen = {};
      for (let time = 0; time < times; time++) {
        const outcome = await send(method, path, framing, body.subarray(0, size));
        seen[outcome] = (seen[outcome] ?? 0) + 1;
      }
      const right = seen[expected] ?? 0;
      if (right < times) wrong++;
      const others = Object.entries(seen).filter(([outcome]) => outcome !== String(expected));
      const detail = others.map(([outcome, count]) => `; ${count} × ${outcome}`).join('');
      console.log(
        `${method.padEnd(5)} ${framing.padEnd(14)} ${String(size / 1024).padStart(6)} KiB: ${right} of ${times} ${expected}${detail}`,
      );
    }
  }
}
await stop(gateway.child);
await stop(registry.child);
process.exit(wrong === 0 ? 0 : 1);

/** The status, or how the connection ended without one. */
function send(method, path, framing, content) {
  return new Promise((resolve) => {
    const length = framing === 'chunked' ? {} : { 'content-length': content.length };
    const headers = { authorization, 'content-type': 'application/octet-stream', ...length };
    const request = httpRequest(gateway.url + path, { method, headers, agent: false });
    request.on('error', (error) => resolve(error.code ?? error.message));
    request.on('response', (response) => {
      response.resume();
      response.on('error', () => resolve(`${response.statusCode} cut`));
      response.on('end', () => {
        resolve(response.statusCode);
        request.destroy();
      });
    });
    if (framing === 'chunked') {
      for (let at = 0; at < content.length; at += 65_536) request.write(content.subarray(at, at + 65_536));
      request.end();
    } else request.end(content);
  });
}
