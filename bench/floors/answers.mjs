/**
 * The least that an answer from memory costs in node:http, with a look at who asks and a line of log gathered per turn.
 * What it is asked for the first time it fetches. `node answers.mjs PORT UPSTREAM_PORT`
 */
import { writeSync } from 'node:fs';
import { createServer, get } from 'node:http';

const [port, upstream] = process.argv.slice(2).map(Number);
const host = '127.0.0.1';
const callers = new Map();
const known = new Map();
let lines = '';

function log(line) {
  if (lines === '') {
    setImmediate(() => {
      writeSync(1, lines);
      lines = '';
    });
  }
  lines += line;
}

function answer(asked, { status, headers, content }, to) {
  const { method, url: path, socket } = asked;
  to.writeHead(status, headers).end(method === 'HEAD' ? undefined : content);
  const line = { time: new Date().toISOString(), event: 'access', method, path, status, address: socket.remoteAddress };
  log(`${JSON.stringify(line)}\n`);
}

createServer((asked, to) => {
  const { authorization = '' } = asked.headers;
  callers.set(authorization, callers.get(authorization) ?? 0);
  const held = known.get(asked.url);
  if (held !== undefined) return answer(asked, held, to);
  get({ host, port: upstream, path: asked.url, headers: asked.headers }, (reply) => {
    const parts = [];
    reply.on('data', (part) => parts.push(part));
    reply.on('end', () => {
      const headers = { ...reply.headers };
      for (const name of ['connection', 'date']) delete headers[name];
      const fetched = { status: reply.statusCode, headers, content: Buffer.concat(parts) };
      known.set(asked.url, fetched);
      answer(asked, fetched, to);
    });
  });
}).listen(port, host, 1024);
