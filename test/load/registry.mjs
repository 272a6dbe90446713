/**
 * A registry that keeps nothing: blobs are made while they are sent, uploads are thrown away as they come, both with
 * back-pressure. A process of its own; prints its port, ends with its parent's pipe. `/_stats` tells what it has seen.
 */
import { createServer } from 'node:http';

const blobBytes = Number(process.argv[2]);
const chunk = Buffer.alloc(65_536, 'x');
/** Connections that ever carried a request of a load client; the gateway's own questions name no client. */
const forwarded = new Set();
const stats = { requests: 0, bytesIn: 0, bytesOut: 0 };

const sixty = chunk.subarray(0, 60);

/** 90 KiB in 90 seconds. */
function trickle(response) {
  let seconds = 90;
  response.writeHead(200, { 'content-length': seconds * 1024 });
  const beat = setInterval(() => {
    response.write(chunk.subarray(0, 1024));
    if (--seconds > 0) return;
    clearInterval(beat);
    response.end();
  }, 1000);
  response.on('close', () => clearInterval(beat));
}

const server = createServer({ requestTimeout: 0, keepAliveTimeout: 30_000 }, (request, response) => {
  const { socket, method, url } = request;
  if (url === '/_stats') return void response.end(JSON.stringify({ ...stats, open: forwarded.size }));
  if (request.headers['user-agent'] === 'load' && !forwarded.has(socket)) {
    forwarded.add(socket);
    socket.once('close', () => forwarded.delete(socket));
  }
  if (request.headers['user-agent'] === 'load') stats.requests++;
  request.on('error', () => {});
  if (method === 'GET' && url.includes('/blobs/sha256:')) {
    // A blob that never begins: for clients that leave before the response.
    if (url.includes('/blobs/sha256:00')) return;
    // Sixty bytes of it come at once and never more, or a KiB every second.
    if (url.includes('/blobs/sha256:01')) return void response.writeHead(200, { 'content-length': 61 }).write(sixty);
    if (url.includes('/blobs/sha256:02')) return trickle(response);
    response.writeHead(200, { 'content-length': blobBytes, 'content-type': 'application/octet-stream' });
    let left = blobBytes;
    const pump = () => {
      while (left > 0 && !response.destroyed) {
        const part = left < chunk.length ? chunk.subarray(0, left) : chunk;
        left -= part.length;
        stats.bytesOut += part.length;
        if (!response.write(part)) return;
      }
      if (left === 0) response.end();
    };
    response.on('drain', pump);
    return pump();
  }
  if (method === 'GET' && url.includes('/manifests/')) {
    response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' });
    return void response.end('{}');
  }
  request.on('data', (part) => (stats.bytesIn += part.length));
  request.on('end', () => {
    // An upload that never gets its answer: for clients that leave after the last byte.
    if (url.includes('/uploads/00')) return;
    response.writeHead(method === 'GET' ? 200 : 202, { location: '/v2/load/app/blobs/uploads/1', range: '0-0' });
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit()).resume();
