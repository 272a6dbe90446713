/** Several gateways behind one address: what they must have in common. */
import type { ReplicaFacts } from '../ports/doctor.ts';
import { type Check, type Outcome, fail, ok, skip, warn } from './check.ts';
import { type Context, isFailure } from './context.ts';
import { readKids } from './keys.ts';
import { redisHostsOf } from './store.ts';

/** Connections through `publicUrl` that may come to different ones. */
const tries = 4;

export const replicaChecks: readonly Check[] = [
  {
    number: 19,
    name: 'replicas agree',
    asks: redisHostsOf,
    async run({ redis }) {
      if (redis === undefined) return skip('no Redis: replicas have nowhere to meet');
      const facts = await redis();
      if (isFailure(facts)) return skip('Redis does not answer: see 17');
      return judgeReplicas(facts.replicas);
    },
  },
  {
    number: 20,
    name: 'replicas share',
    asks: ({ config }) => [config.publicUrl],
    run: judgeSharing,
  },
];

/** What all must have alike, and how. */
const alike: readonly (readonly [what: string, of: (replica: ReplicaFacts) => string, fix: string])[] = [
  ['publicUrl', ({ publicUrl }) => publicUrl, 'give all the same publicUrl'],
  ['tokens.service', ({ service }) => service, 'give all the same tokens.service'],
  ['signing keys', ({ kids }) => [...kids].sort().join(' '), 'give all the same tokens.keys'],
  ['policies', ({ revision }) => revision, 'give all the same policy files; an edit takes seconds to be everywhere'],
  ['version', ({ version }) => version, 'finish the upgrade: neighbouring versions work together for that long'],
];

/** Of those that were heard of lately. */
export function judgeReplicas(replicas: readonly ReplicaFacts[]): Outcome {
  if (replicas.length === 0) return skip('no gateway has said lately that it uses this Redis', 'start one');
  for (const [what, of, fix] of alike) {
    const different = [...new Set(replicas.map(of))];
    if (different.length < 2) continue;
    const shown = different.map((each) => each.slice(0, 80)).join(' and ');
    const found = `${replicas.length} replicas differ in ${what}: ${shown}`;
    return what === 'version' ? warn(found, fix) : fail(found, fix);
  }
  return ok(
    replicas.length === 1 ? 'there is one' : `${replicas.length} replicas have the same version, policies and keys`,
  );
}

async function judgeSharing(context: Context): Promise<Outcome> {
  const { config, env, redis } = context;
  const seen = await Promise.all(Array.from({ length: tries }, () => readKids(context)));
  const different = new Set(seen.flatMap((kids) => (kids === undefined ? [] : [[...kids].sort().join(' ')])));
  if (different.size > 1) {
    const fix = 'give all replicas one tokens.keys and one redis';
    return fail('replicas with different signing keys answer at publicUrl: each refuses the tokens of the others', fix);
  }
  const facts = redis === undefined || !redisHostsOf(context).every(context.mayReach) ? undefined : await redis();
  const count = facts === undefined || isFailure(facts) ? 0 : facts.replicas.length;
  if (count > 1 && config.tokens.keys === undefined)
    return fail(
      `${count} replicas, and keys that each makes for itself`,
      'set tokens.keys to a directory that all share',
    );
  const isPod = env['KUBERNETES_SERVICE_HOST'] !== undefined;
  if (isPod && (config.redis === undefined || config.tokens.keys === undefined)) {
    const lacking = config.redis === undefined ? 'redis' : 'tokens.keys';
    return warn(`this is Kubernetes, and there is no ${lacking}`, `keep to one replica, or set ${lacking}`);
  }
  return ok(count > 1 ? `${count} replicas share Redis and keys` : 'nothing speaks for more than one gateway');
}
