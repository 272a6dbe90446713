/** Tokens and sessions hold for a time: the clocks of all that judge it. */
import { type Check, fail, ok, skip } from './check.ts';
import { type Context, isFailure } from './context.ts';
import { redisHostsOf } from './store.ts';

const mostMs = 5000;

export const clockCheck: Check = {
  number: 18,
  name: 'clocks',
  async run(context) {
    const skews = (await Promise.all([...ofWeb(context), ofRedis(context)])).flatMap((each) => each ?? []);
    if (skews.length === 0) return skip('nobody answers whose clock could be compared');
    const off = skews.find(({ ms }) => Math.abs(ms) > mostMs);
    if (off === undefined) return ok(`within 5 s of ${skews.map(({ name }) => name).join(', ')}`);
    const by = `${Math.round(Math.abs(off.ms) / 1000)} s ${off.ms > 0 ? 'ahead of' : 'behind'}`;
    return fail(`the clock here is ${by} ${off.name}`, 'let both follow a time server (chrony, systemd-timesyncd)');
  },
};

interface Skew {
  readonly name: string;
  /** By which the clock here is ahead. */
  readonly ms: number;
}

async function ofRedis(context: Context): Promise<Skew | undefined> {
  if (context.redis === undefined || !redisHostsOf(context).every(context.mayReach)) return undefined;
  const facts = await context.redis();
  return isFailure(facts) ? undefined : { name: 'Redis', ms: facts.skewMs };
}

function ofWeb(context: Context): readonly Promise<Skew | undefined>[] {
  const { config, web, mayReach, now } = context;
  const urls = [config.publicUrl, ...config.upstreams.map(({ url }) => url)].filter(mayReach);
  return urls.map(async (url) => {
    // Asked for this alone: what was asked before says nothing of now.
    const asked = now();
    const answer = await web.ask(`${url}/v2/`, { believesAnybody: true });
    const date = isFailure(answer) ? NaN : Date.parse(answer.headers['date'] ?? '');
    // It says whole seconds.
    return Number.isNaN(date) ? undefined : { name: url, ms: (asked + now()) / 2 - (date + 500) };
  });
}
