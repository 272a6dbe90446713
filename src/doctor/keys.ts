/** The keys that sign tokens: on disk, and as others see them. */
import { field, parseJson } from '../distribution/json.ts';
import { formatProblem } from '../document/problem.ts';
import { type Check, fail, ok, warn } from './check.ts';
import { type Context, isFailure } from './context.ts';

const oldMs = 400 * 86_400_000;

export const keyCheck: Check = {
  number: 21,
  name: 'signing keys',
  async run(context) {
    const { config, signingKeys, mayReach, now } = context;
    const keys = signingKeys();
    if ('problems' in keys) {
      const [first] = keys.problems;
      const found = first === undefined ? 'no key can be read' : formatProblem({ ...first, fix: undefined });
      return fail(found, first?.fix ?? 'mend it, or take it away; portcullis key rotate makes a new one');
    }
    if (keys.length === 0) return ok('the first start makes one');
    const signing = keys.filter(({ isNext }) => !isNext);
    const served = mayReach(config.publicUrl) ? await readKids(context) : undefined;
    const missing = served === undefined ? undefined : keys.find(({ kid }) => !served.includes(kid));
    if (missing !== undefined) {
      const fix = 'give the gateway that answers there the same tokens.keys as here';
      return fail(`/.well-known/jwks.json at publicUrl lacks the key ${missing.kid}`, fix);
    }
    if (config.enforce === 'token' && signing.length === keys.length)
      return warn('no key waits to be the next one', 'portcullis key next, and give it to the registry');
    const newest = Math.max(...signing.map(({ made }) => made ?? now()));
    if (now() - newest > oldMs)
      return warn(`the newest key was made on ${new Date(newest).toISOString().slice(0, 10)}`, 'portcullis key rotate');
    return ok(`${signing.length} in use${served === undefined ? '' : ', published at publicUrl'}`);
  },
};

/** What `publicUrl` publishes now; undefined where there is no answer of a gateway. */
export async function readKids({ config, web }: Context): Promise<readonly string[] | undefined> {
  const answer = await web.ask(`${config.publicUrl}/.well-known/jwks.json`, { believesAnybody: true });
  if (isFailure(answer) || answer.status !== 200) return undefined;
  const keys = field(parseJson(answer.body), 'keys');
  if (!Array.isArray(keys)) return undefined;
  return keys.map((each: unknown) => field(each, 'kid')).filter((kid) => typeof kid === 'string');
}
