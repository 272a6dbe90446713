/** Redis, as far as logins, revocations and limits depend on it. */
import { isLoopback } from '../network/host.ts';
import { parseRedisUrl } from '../network/redis-url.ts';
import type { RedisFacts } from '../ports/doctor.ts';
import { type Check, type Outcome, fail, ok, skip, warn, worst } from './check.ts';
import { type Context, isFailure } from './context.ts';
import { troublesOf } from './running.ts';

const slowMs = 5;
const rightsFix = 'give its account the rights that docs/operations.md lists under "Several replicas"';
const oldest = [6, 2] as const;

/** URLs of the servers that are named; their passwords stay out of it. */
export function redisHostsOf({ config }: Pick<Context, 'config'>): readonly string[] {
  const parsed = config.redis === undefined ? undefined : parseRedisUrl(config.redis.reveal());
  return parsed?.ok === true ? parsed.value.hosts.map(({ host, port }) => `redis://${host}:${port}`) : [];
}

export const storeCheck: Check = {
  number: 17,
  name: 'Redis',
  asks: redisHostsOf,
  async run(context) {
    const { config, redis } = context;
    if (redis === undefined || config.redis === undefined) return skip('no Redis: one gateway keeps its logins itself');
    const facts = await redis();
    const where = redisHostsOf(context).join(', ');
    if (isFailure(facts)) {
      const isLacking = facts.failed.includes('NOPERM');
      return fail(
        `Redis cannot be used: ${facts.failed}`,
        isLacking ? rightsFix : `start it, or correct \`redis\` (${where})`,
      );
    }
    const parsed = parseRedisUrl(config.redis.reveal());
    const target = parsed.ok ? parsed.value : undefined;
    const isPrivate = target?.tls === true || (target?.hosts ?? []).every(({ host }) => isLoopback(host));
    const isDefault = target?.username === undefined || target.username === 'default';
    return worst([
      judgeRedis(facts, { isPrivate, isDefault }),
      ...(await troublesOf(context, ['store'], `start it, or ${rightsFix}`)),
    ]);
  },
};

/** `isPrivate`: nobody can listen in on the way; `isDefault`: by the account that may do everything. */
export function judgeRedis(
  { version, evictionPolicy, persists, roundTripMs, scriptTrouble }: RedisFacts,
  { isPrivate, isDefault }: { readonly isPrivate: boolean; readonly isDefault: boolean },
): Outcome {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1]))
    return fail(`Redis ${version} is too old`, `install ${oldest.join('.')} or newer`);
  if (scriptTrouble !== undefined)
    return fail(
      `Redis runs no script of ours: ${scriptTrouble}`,
      'give the account +@scripting: see docs/operations.md',
    );
  if (evictionPolicy !== 'noeviction') {
    const fix = 'CONFIG SET maxmemory-policy noeviction, and in its configuration file';
    return fail(`Redis may forget revocations when memory is short (maxmemory-policy ${evictionPolicy})`, fix);
  }
  if (persists === false)
    return warn(
      'Redis keeps nothing on disk: with it every login is gone',
      'CONFIG SET appendonly yes, and in its configuration file',
    );
  if (!isPrivate) return warn('sessions cross the network in clear', 'use rediss://');
  if (isDefault)
    return warn(
      'it is used by the account that may do everything',
      'make it an account of its own: see docs/operations.md',
    );
  const time = `${roundTripMs.toFixed(1)} ms there and back`;
  if (roundTripMs > slowMs) return warn(`Redis ${version}, ${time}`, 'put it nearer: every request waits for it');
  const kept = persists === undefined ? '; whether it is kept on disk, this account may not ask' : '';
  return ok(`Redis ${version}, ${time}${kept}`);
}
