/** The program itself: its Node.js, and its libraries with compiled parts. */
import { type Check, type Outcome, fail, ok, warn } from './check.ts';
import { isFailure } from './context.ts';

/** Last day of support by major version (nodejs/Release). */
const endOfLife: ReadonlyMap<number, string> = new Map([
  [20, '2026-04-30'],
  [22, '2027-04-30'],
  [24, '2028-04-30'],
  [26, '2029-04-30'],
]);
const oldest = [20, 19] as const;

/** `version` as `process.versions.node`; `now` in milliseconds since 1970. */
export function judgeNode(version: string, now: number): Outcome {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const named = `Node.js ${version}`;
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1]))
    return fail(`${named} is too old`, `install ${oldest.join('.')} or newer, best a version with long support`);
  const end = endOfLife.get(major);
  // Odd ones live for half a year.
  if (end === undefined && major % 2 === 1)
    return warn(`${named} is no version with long support`, 'install the nearest even version');
  if (end === undefined) return ok(`${named}, newer than this program knows`);
  return Date.parse(end) < now
    ? warn(`${named} has had no security fixes since ${end}`, `install Node.js ${newest(now)}`)
    : ok(`${named}, supported until ${end}`);
}

function newest(now: number): string {
  const alive = [...endOfLife].filter(([, end]) => Date.parse(end) > now).map(([major]) => major);
  return alive.length === 0
    ? 'in its newest version with long support'
    : String(alive.at(Math.min(1, alive.length - 1)));
}

export const programChecks: readonly Check[] = [
  { number: 1, name: 'Node.js', run: ({ nodeVersion, now }) => judgeNode(nodeVersion, now()) },
  {
    number: 2,
    name: 'password hashing',
    isAlone: true,
    async run({ machine }) {
      const trial = await machine.tryHashes();
      if (isFailure(trial))
        return fail(`argon2 or bcrypt does not work: ${trial.failed}`, 'install again on this very system: npm ci');
      if (!trial.isRight)
        return fail('argon2 or bcrypt does not know the password that it hashed', 'install again: npm ci');
      const time = `one argon2id hash takes ${Math.round(trial.argon2Ms)} ms`;
      if (trial.argon2Ms > 250) return warn(time, 'logins will wait for each other: give it more processor');
      return ok(`argon2 and bcrypt hash and verify; ${time}`);
    },
  },
];
