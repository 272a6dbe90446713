/** Load of small replies, by wrk: many requests at once that cost the load's core next to nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { found, goFirst } from './processes.mjs';

const script = fileURLToPath(new URL('wrk.lua', import.meta.url));

/**
 * Requests for so many seconds. Throws when a reply has another status than the checked one, or when the mean size of all is
 * not that of the checked one: an error page is no fast answer.
 * @param {number} port
 * @param {{ method?: string, path: string, headers?: Record<string, string>, body?: string }} asked
 * @param {{ connections: number, seconds: number, core: number, checked: { status: number, size: number } }} load
 */
export async function wrk(port, { method = 'GET', path, headers = {}, body }, { connections, seconds, core, checked }) {
  const said = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const counts = ['-t1', `-c${connections}`, '-d60s', '--timeout', '20s'];
  const url = `http://127.0.0.1:${port}${path}`;
  const given = ['--', method, ...(body === undefined ? [] : [body])];
  const args = ['-c', String(core), found('wrk') ?? 'wrk', ...counts, ...said, '-s', script, url, ...given];
  const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  goFirst(child.pid);
  // It knows whole seconds only, and ends with its report when it is interrupted.
  const timer = setTimeout(() => child.kill('SIGINT'), seconds * 1000);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += part));
  await once(child, 'close');
  clearTimeout(timer);
  const line = text.split('\n').find((each) => each.startsWith('{"count"'));
  if (line === undefined) throw new Error(`wrk: ${text.trim().slice(-200)}`);
  const { count, micros, bytes, refused, broken, p50 } = JSON.parse(line);
  if (count === 0) throw new Error(`no reply in ${seconds} s`);
  if (broken > 0) throw new Error(`${broken} connections broke`);
  if (refused !== (checked.status >= 400 ? count : 0))
    throw new Error(`${refused} of ${count} replies have an error status, ${checked.status} expected`);
  // Some of what came last may belong to replies that nobody counted.
  const size = bytes / count;
  const most = (checked.size * (count + connections)) / count;
  const slack = Math.max(64, checked.size * 0.04);
  if (size < checked.size - slack || size > most + slack)
    throw new Error(`replies have ${size.toFixed(0)} bytes, ${checked.size} expected`);
  return { count, bytes, seconds: micros / 1e6, p50: p50 / 1000 };
}
