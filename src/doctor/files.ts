/** What is written down: configuration and policies, as `check` judges them, and where policies are read from. */
import { type Problem, formatProblem } from '../document/problem.ts';
import { type Check, type Outcome, fail, ok, warn } from './check.ts';
import { type Context, isFailure } from './context.ts';

/** Problems and notes of `check` that are about the configuration. */
const ofConfiguration: ReadonlySet<string> = new Set(['unreadable-file', 'public-url-private', 'public-url-plain']);
/** What other checks say. */
const saidElsewhere: ReadonlySet<string> = new Set(['public-url-plain', 'over-broad']);

export const fileChecks: readonly Check[] = [
  {
    number: 3,
    name: 'configuration',
    run(context) {
      const { problems, notes } = context.findings;
      const found = [...problems, ...notes].filter(({ code }) => ofConfiguration.has(code) && !saidElsewhere.has(code));
      // Whoever checks may be elsewhere; doctor is where the gateway is.
      const ofLogins = notes.filter(({ code }) => code === 'unreadable');
      const unusable = [...found.filter(({ code }) => code === 'unreadable-file'), ...ofLogins];
      if (unusable.length > 0) return fail(inWords(unusable), fixOf(unusable, 'create it, or correct its path'));
      if (found.length > 0) return warn(inWords(found), fixOf(found, 'see portcullis check'));
      return ok(originsOf(context));
    },
  },
  { number: 4, name: 'policies', run: judgePolicies },
  {
    number: 5,
    name: 'policy path',
    run({ config, machine }) {
      for (const path of config.policies) {
        const kind = machine.kindOf(path);
        if (kind === undefined) return fail(`${path} does not exist`, 'create it, or correct `policies`');
        const frozen = machine.frozenMount(path);
        if (frozen !== undefined) {
          const fix = 'mount the whole directory, without subPath, and name it in `policies`';
          return fail(`${frozen} is a mount that never sees edits of its source`, fix);
        }
      }
      const swapped = config.policies.some((path) => machine.isSwapped(path)) ? ', swapped as a whole' : '';
      return ok(`${config.policies.join(', ')}: edits are seen${swapped}`);
    },
  },
];

async function judgePolicies({ findings, gateway }: Context): Promise<Outcome> {
  const own = findings.problems.filter(({ code }) => !ofConfiguration.has(code) && !saidElsewhere.has(code));
  if (own.length > 0) return fail(inWords(own), fixOf(own, 'correct it; portcullis check shows the line'));
  const { revision = 'unknown', rules, tests } = findings;
  const facts = `${rules} rules, ${tests.passed} test expectations passed, revision ${revision}`;
  const running = await gateway.policy();
  if (isFailure(running)) return ok(`${facts}; no gateway of this configuration answers here to compare with`);
  const [problem] = running.problems;
  if (problem !== undefined)
    return fail(
      `the running gateway refused the newest files: ${problem}`,
      'correct them; portcullis check shows the line',
    );
  if (!running.revision.startsWith(revision)) {
    const found = `the running gateway has revision ${running.revision.slice(0, revision.length)}, the files are ${revision}`;
    return fail(found, 'give it the same `policies` as here, or send it SIGHUP');
  }
  return ok(`${facts}, as the running gateway`);
}

/** Where each setting was made: `portcullis.yaml: upstream, policies`. */
function originsOf({ keys, placeOf }: Context): string {
  const groups = new Map<string, string[]>();
  for (const key of keys) {
    const { file, line } = placeOf(key);
    if (line === 0 && file !== 'environment' && file !== 'command line') continue;
    groups.set(file, [...(groups.get(file) ?? []), key]);
  }
  const said = [...groups].map(([file, names]) => `${file}: ${names.join(', ')}`);
  return said.length === 0 ? 'all by default' : [...said, 'the rest by default'].join('; ');
}

/** The first, and how many more. */
function inWords([first, ...more]: readonly Problem[]): string {
  const text = first === undefined ? '' : (formatProblem({ ...first, fix: undefined }).split('\n', 1)[0] ?? '');
  return more.length === 0 ? text : `${text} (and ${more.length} more)`;
}

function fixOf([first]: readonly Problem[], otherwise: string): string {
  return first?.fix ?? otherwise;
}
