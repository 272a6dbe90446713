/** The least that a proxy of node:http costs: no decision, headers as they come, bodies piped. `node pipe.mjs PORT UPSTREAM_PORT` */
import { Agent, createServer, request } from 'node:http';

const [port, upstream] = process.argv.slice(2).map(Number);
const host = '127.0.0.1';
const agent = new Agent({ keepAlive: true, maxFreeSockets: 256 });

createServer((asked, answer) => {
  const { method, url: path, headers } = asked;
  const onward = request({ agent, host, port: upstream, method, path, headers }, (reply) => {
    answer.writeHead(reply.statusCode ?? 502, reply.headers);
    reply.pipe(answer);
  });
  onward.on('error', () => answer.destroy());
  answer.on('close', () => answer.writableFinished || onward.destroy());
  asked.pipe(onward);
}).listen(port, host, 1024);
