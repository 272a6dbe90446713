/** Looks at a Redis over one connection that ends with the look. */
import { setTimeout as delay } from 'node:timers/promises';
import { parseRedisUrl } from '../../network/redis-url.ts';
import type { Failure, RedisFacts } from '../../ports/doctor.ts';
import { wordsOf } from '../failure.ts';
import { type RedisClient, clientSettings, createClient, within } from './client.ts';
import { replicasKey } from './keys.ts';
import { readReplicas } from './replicas.ts';

const connectMs = 2500;
const answerMs = 1500;
const pings = 5;
/** Milliseconds: what needs no second look, how long one is taken otherwise, and how long between two. */
const [quickMs, patienceMs, pauseMs] = [1, 400, 20];

/** Never rejects, and takes four seconds at most. */
export async function inspectRedis(url: string): Promise<RedisFacts | Failure> {
  const parsed = parseRedisUrl(url);
  if (!parsed.ok) return { failed: parsed.message };
  const client = createClient(parsed.value, clientSettings(parsed.value, answerMs, undefined));
  try {
    const trouble = await connected(client);
    return trouble === undefined ? await within(answerMs, look(client)) : { failed: trouble };
  } catch (error) {
    return { failed: wordsOf(error) };
  } finally {
    client.disconnect();
  }
}

/** Why there is no connection that can be used; undefined: there is one. */
function connected(client: RedisClient): Promise<string | undefined> {
  return new Promise((resolve) => {
    let last = 'no answer';
    const timer = setTimeout(() => resolve(last), connectMs);
    const settle = (found: string | undefined): void => {
      clearTimeout(timer);
      resolve(found);
    };
    const hear = (error: unknown): void => {
      last = wordsOf(error);
      // Trying again changes nothing about these.
      if (/WRONGPASS|NOAUTH|NOPERM|ECONNREFUSED|ENOTFOUND/.test(last)) settle(last);
    };
    client.on('error', hear);
    client.on('node error', hear);
    client.once('ready', () => settle(undefined));
  });
}

async function look(client: RedisClient): Promise<RedisFacts> {
  const info = String(await client.call('INFO'));
  const of = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const asked = Date.now();
  const time = await client.call('TIME');
  const received = Date.now();
  const [seconds = 0, micros = 0] = Array.isArray(time) ? time.map(Number) : [];
  const now = seconds * 1000 + micros / 1000;
  return {
    version: of('redis_version'),
    evictionPolicy: of('maxmemory_policy'),
    persists: of('aof_enabled') === '1' ? true : await savesSnapshots(client),
    roundTripMs: await roundTrip(client),
    scriptTrouble: await scriptTrouble(client),
    skewMs: (asked + received) / 2 - now,
    replicas: readReplicas(await client.hgetall(replicasKey), now),
  };
}

/** undefined where the account may not ask. */
async function savesSnapshots(client: RedisClient): Promise<boolean | undefined> {
  try {
    const reply = await client.call('CONFIG', 'GET', 'save');
    return Array.isArray(reply) && String(reply[1] ?? '') !== '';
  } catch {
    return undefined;
  }
}

/** The best: any may wait for the processor here, and for whatever else is looked at beside it. */
async function roundTrip(client: RedisClient): Promise<number> {
  const first = performance.now();
  let best = Infinity;
  for (let count = 0; count < pings || (best > quickMs && performance.now() - first < patienceMs); count++) {
    if (count >= pings) await delay(pauseMs);
    const begun = performance.now();
    await client.call('PING');
    best = Math.min(best, performance.now() - begun);
  }
  return best;
}

async function scriptTrouble(client: RedisClient): Promise<string | undefined> {
  try {
    await client.call('EVAL', 'return 1', '1', replicasKey);
    return undefined;
  } catch (error) {
    return wordsOf(error);
  }
}
