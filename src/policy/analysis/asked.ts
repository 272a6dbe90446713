/** Questions about a policy as people type them: who, what, where; and how answers to them begin. */
import { parseRepositoryName, parseTag } from '../../distribution/reference.ts';
import { quote } from '../../document/problem.ts';
import { didYouMean } from '../../document/suggest.ts';
import { type Target, describeTarget } from '../describe.ts';
import { type Action, type GroupMember, type Named, type Policy, accountKinds, actions, judgesTag } from '../model.ts';
import { type SecretReach, describeSecret } from '../secret-reach.ts';

/** What is wrong, for a person to read. */
export interface Misunderstood {
  readonly problem: string;
}

/** In words of the command line, or what was probably meant. */
export function parseAction(text: string): Action | Misunderstood {
  const found = actions.find((action) => action === text);
  return found ?? { problem: `${quote(text)} is not an action: ${actions.join(', ')}${didYouMean(text, actions)}` };
}

/** `sandbox/app` or `sandbox/app:1.0`. */
export function parseTarget(text: string): Target | Misunderstood {
  if (text.includes('@')) {
    const problem = `${quote(text)} names a digest; those are judged by repository, so leave out what begins with "@"`;
    return { problem };
  }
  const host = /^[^/]*:\d+\/(.*)$/s.exec(text)?.[1];
  if (host !== undefined) return { problem: `leave out the address of the registry: ${quote(host)}` };
  const colon = text.indexOf(':');
  const repository = parseRepositoryName(colon === -1 ? text : text.slice(0, colon));
  if (repository === undefined) {
    return {
      problem: `${quote(text)} is not the name of one repository (lower case, no wildcards, as in sandbox/app)`,
    };
  }
  if (colon === -1) return { repository };
  const tag = parseTag(text.slice(colon + 1));
  return tag === undefined ? { problem: `${quote(text.slice(colon + 1))} is not a tag` } : { repository, tag };
}

const kinds = [...accountKinds, 'group'] as const;

/** `user:dana`, `robot:x`, `workload:x`, `group:x` or `anonymous`, of those that the policy declares. */
export function parseWho(policy: Policy, text: string): Named | GroupMember | Misunderstood {
  if (text === 'anonymous') return { kind: 'anonymous' };
  if (text === 'everyone' || text === 'authenticated') {
    return {
      problem: `${text} is many; ask about somebody: user:NAME, robot:NAME, workload:NAME, group:NAME or anonymous`,
    };
  }
  const names = namesOf(policy);
  const [prefix = '', ...rest] = text.split(':');
  const kind = kinds.find((each) => each === prefix);
  if (rest.length === 0 || kind === undefined) return notASubject(names, text, rest.join(':') || text);
  const name = rest.join(':');
  if (names[kind].has(name)) return { kind, name };
  const other = kinds.find((each) => names[each].has(name));
  const alike = [...names[kind].keys()].map((each) => `${kind}:${each}`);
  const hint = other === undefined ? didYouMean(text, alike) : ` — did you mean "${other}:${name}"?`;
  const isMapped = [...policy.groups.values()].some(({ from }) => from !== undefined);
  const outside = kind === 'user' && isMapped ? '; of somebody from outside, explain asks for --groups' : '';
  return { problem: `there is no ${kind} ${quote(name)}${hint}${outside}` };
}

type Names = Readonly<Record<(typeof kinds)[number], ReadonlyMap<string, unknown>>>;

function namesOf({ users, robots, workloads, groups }: Policy): Names {
  return { user: users, robot: robots, workload: workloads, group: groups };
}

function notASubject(names: Names, text: string, name: string): Misunderstood {
  const kind = kinds.find((each) => names[each].has(name));
  const known = [...kinds.flatMap((each) => [...names[each].keys()].map((one) => `${each}:${one}`)), 'anonymous'];
  const hint = kind === undefined ? didYouMean(`user:${name}`, known) : ` — did you mean "${kind}:${name}"?`;
  return {
    problem: `${quote(text)} is not a subject: user:NAME, robot:NAME, workload:NAME, group:NAME or anonymous${hint}`,
  };
}

/** `push sandbox/app:1.0`, `see sandbox/app in the catalog`: to be read behind "may". */
export function describeAsked(action: Action, target: Target): string {
  if (action === 'catalog') return `see ${target.repository} in the catalog`;
  return `${action} ${judgesTag(action) ? describeTarget(target) : target.repository}`;
}

/** `k3v9x2ma (pull in integration/**, for ever): no, actions: pull do not include push`. */
export function describeReach({ token, allowed, only, why }: SecretReach): string {
  const halves = only === undefined ? 'yes' : only === 'create' ? 'new tags only' : 'existing tags only';
  return `${token.id} (${describeSecret(token)}): ${allowed ? halves : `no, ${why ?? ''}`}`;
}
