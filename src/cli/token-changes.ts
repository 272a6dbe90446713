/** The work of `portcullis token …`. */
import { randomInt } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { parseDuration } from '../config/values.ts';
import { quote } from '../document/problem.ts';
import { didYouMean, nearest } from '../document/suggest.ts';
import { editEach, hasSection } from '../editing/edit.ts';
import { type TokenEntry, changeRobot, tokenEntryIn } from '../editing/accounts.ts';
import { actionsOf, formatInstant, formatPlace } from '../policy/describe.ts';
import { parseInstant } from '../time.ts';
import type { Policy, Robot, RobotToken } from '../policy/model.ts';
import { parseRepositoryPattern } from '../policy/pattern.ts';
import { looksCarried, makeSecret, secretHash } from '../identity/carried-secret.ts';
import { isExpired } from '../policy/secret-reach.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, complain, exitCodes, formatTable, placeInJson, printJson } from './report.ts';
import {
  type PolicyFiles,
  applyEdits,
  fileIn,
  findAccount,
  isDirectory,
  readForEdit,
  unfitName,
  unknownGroup,
} from './policy-edit.ts';
import { type Misunderstood, parseAction } from './question.ts';
import { usageProblem } from './verb.ts';
import type { RobotTokenView } from '../operations/answers.ts';
import { callAdmin } from './admin-client.ts';

export interface WantedToken {
  readonly name: string;
  readonly groups?: readonly string[];
  readonly repositories?: readonly string[];
  readonly actions?: readonly string[];
  readonly expires?: string;
  /** Nothing is taken over from the secret that there is. */
  readonly unlimited?: boolean;
}

/** The one in use and the one that replaces it. */
const maxLiveTokens = 2;
const longestLifeSeconds = 10 * 365 * 86_400;

/** Writes the hash, then prints the secret alone on its line. A third live secret is refused (1). */
export async function createToken(paths: readonly string[], wanted: WantedToken): Promise<ExitCode> {
  const { name, groups } = wanted;
  const now = Date.now();
  const unfit = unfitName(name);
  if (unfit !== undefined) return usageProblem(unfit);
  const reach = parseReach(wanted, now);
  if ('problem' in reach) return usageProblem(reach.problem);
  const files = await readForEdit(paths);
  if ('refused' in files) return files.refused;
  const { policy } = files;
  const robot = policy.robots.get(name);
  const objection = robot === undefined ? objectionToNew(policy, name, groups) : objectionToMore(robot, groups, now);
  if (objection !== undefined) return complain(objection);
  const file = robot?.source.file ?? fileForNew(files);
  if (file === undefined) return complain('there is no policy file or directory to declare the robot in');

  const secret = makeSecret('robot').text;
  const takenOver = robot === undefined || wanted.unlimited === true ? {} : limitsToTakeOver(files, robot, reach, now);
  const token: TokenEntry = { id: freshId(policy), sha256: secretHash(secret), ...takenOver, ...reach };
  const change = { kind: 'add-token', name, groups: groups ?? [], token } as const;
  const end = token.expires === undefined ? undefined : parseInstant(token.expires);
  const limits = Object.entries(takenOver).map(
    ([limit, value]) =>
      `its ${limit} are those of the secret that there is (${[value].flat().join(', ')}); for others: --${limit}, for none: --unlimited`,
  );
  const notes = [
    ...(robot === undefined ? [`robot ${quote(name)} declared, in ${inGroups(groups ?? [])}`] : []),
    `secret "${token.id}" of robot ${quote(name)} written to ${file}; it ${endOf(end)}`,
    ...limits,
    ...(robot?.disabled === true
      ? [`the robot is disabled (${formatPlace(robot.source)}), so it is refused for now`]
      : []),
    'it is shown only this once, on standard output; it is a password, as in:',
    `  docker login ${registryHost(paths)} -u ${name} --password-stdin`,
  ];
  return applyEdits(files, [{ file, change: (text) => changeRobot(text, change) }], () => {
    process.stderr.write(`${notes.join('\n')}\n`);
    process.stdout.write(`${secret}\n`);
  });
}

/** What a secret for rotation must not silently lose: the written limits of the latest one; a past end is none. */
function limitsToTakeOver({ texts }: PolicyFiles, { name, tokens, source }: Robot, reach: Reach, now: number): Reach {
  const latest = tokens.findLast((token) => !isExpired(token, now)) ?? tokens.at(-1);
  const text = texts.find(({ file }) => file === source.file)?.text;
  if (latest === undefined || text === undefined) return {};
  const written = tokenEntryIn(text, name, latest.id);
  const { repositories, actions, expires } = written ?? {};
  return {
    ...(repositories === undefined || reach.repositories !== undefined ? {} : { repositories }),
    ...(actions === undefined || reach.actions !== undefined ? {} : { actions }),
    ...(expires === undefined || reach.expires !== undefined || isExpired(latest, now) ? {} : { expires }),
  };
}

/** Without `id` all secrets of the robot. */
export async function revokeTokens(
  paths: readonly string[],
  { name, id }: { readonly name: string; readonly id: string | undefined },
): Promise<ExitCode> {
  if (id !== undefined && looksCarried(id)) {
    return usageProblem(`that is a secret and not its id; for the ids: portcullis token list ${name}`);
  }
  const found = await findAccount(paths, 'robot', name);
  if ('refused' in found) return found.refused;
  const { files, account: robot } = found;
  const tokens = id === undefined ? robot.tokens : robot.tokens.filter((token) => token.id === id);
  if (id !== undefined && tokens.length === 0) return complain(unknownId(files.policy, robot, id));
  if (tokens.length === 0) {
    process.stdout.write(`robot ${quote(name)} has no secrets\n`);
    return exitCodes.ok;
  }
  const { file } = robot.source;
  const change = (text: string) =>
    editEach(text, tokens, (before, token) => changeRobot(before, { kind: 'remove-token', name, id: token.id }));
  return applyEdits(files, [{ file, change }], () => {
    const what = tokens.length === 1 ? 'secret' : 'secrets';
    const ids = tokens.map((token) => `"${token.id}"`).join(', ');
    process.stdout.write(`${what} ${ids} of robot ${quote(name)} revoked (${file})\n`);
  });
}

type Reach = Pick<TokenEntry, 'expires' | 'repositories' | 'actions'>;

/** How far and how long the secret reaches, in the words of a policy file. */
function parseReach({ repositories, actions, expires }: WantedToken, now: number): Reach | Misunderstood {
  if (repositories?.length === 0) return { problem: '--repositories names none; leave it out for all the rules give' };
  if (actions?.length === 0) return { problem: '--actions names none; leave it out for all the rules give' };
  for (const text of repositories ?? []) {
    const pattern = parseRepositoryPattern(text);
    if ('problem' in pattern) return { problem: `--repositories ${quote(text)}: ${pattern.problem}` };
  }
  for (const text of actions ?? []) {
    const action = parseAction(text);
    if (action === 'administer') return { problem: 'no secret is for administer: only a person does that' };
    if (typeof action === 'object') return action;
  }
  const end = expires === undefined ? undefined : parseExpiry(expires, now);
  if (typeof end === 'object') return end;
  return {
    ...(end === undefined ? {} : { expires: end }),
    ...(repositories === undefined ? {} : { repositories }),
    ...(actions === undefined ? {} : { actions }),
  };
}

function parseExpiry(text: string, now: number): string | Misunderstood {
  if (/^\d+[a-z]*$/.test(text)) {
    const life = parseDuration(text, { minSeconds: 60, maxSeconds: longestLifeSeconds });
    if (life.ok) return formatInstant(now + life.value * 1000);
    const { message, fix } = life;
    return { problem: `--expires ${quote(text)}: ${message}${fix === undefined ? '' : `; ${fix}`}` };
  }
  const instant = parseInstant(text);
  if (instant === undefined) {
    const kind = 'a date (2027-01-31), a time with its offset (2027-01-31T18:00:00Z) or a duration (90d)';
    return { problem: `--expires ${quote(text)} is no point in time; expected ${kind}` };
  }
  return instant > now ? text : { problem: `--expires ${quote(text)} is not in the future` };
}

function objectionToNew(policy: Policy, name: string, groups: readonly string[] | undefined): string | undefined {
  const taken = policy.users.get(name) ?? policy.workloads.get(name);
  if (taken !== undefined) {
    const kind = policy.users.has(name) ? 'user' : 'workload';
    return `${quote(name)} is a ${kind} already, in ${formatPlace(taken.source)}; robots need a name of their own`;
  }
  const near = groups === undefined ? nearest(name, policy.robots.keys()) : undefined;
  if (near !== undefined) {
    return `there is no robot ${quote(name)} — did you mean "${near}"? For a new one name its groups: --groups a,b`;
  }
  return unknownGroup(policy, groups ?? []);
}

function objectionToMore(robot: Robot, groups: readonly string[] | undefined, now: number): string | undefined {
  const { name, source } = robot;
  if (groups !== undefined && !isSameSet(groups, robot.groups)) {
    const is = `robot ${quote(name)} is in ${inGroups(robot.groups)} (${formatPlace(source)})`;
    return `${is}; leave --groups out, or change them there`;
  }
  // Disabled robots too: their secrets come back to life together with them.
  const live = robot.tokens.filter((token) => !isExpired(token, now));
  if (live.length < maxLiveTokens) return undefined;
  const ids = live.map(({ id, expires }) => `${id} (${endOf(expires === undefined ? undefined : expires * 1000)})`);
  const advice = `take the one that is no longer used back first: portcullis token revoke ${name} ${live[0]?.id ?? ''}`;
  return `robot ${quote(name)} has ${live.length} live secrets already: ${ids.join(', ')}; ${advice}`;
}

function isSameSet(left: readonly string[], right: readonly string[]): boolean {
  return left.every((name) => right.includes(name)) && right.every((name) => left.includes(name));
}

function inGroups(groups: readonly string[]): string {
  if (groups.length === 0) return 'no group';
  return `${groups.length === 1 ? 'group' : 'groups'} ${groups.join(', ')}`;
}

function unknownId(policy: Policy, { name, tokens }: Robot, id: string): string {
  const owner = [...policy.robots.values()].find((other) => other.tokens.some((token) => token.id === id));
  if (owner !== undefined) return `secret ${quote(id)} is not of robot ${quote(name)} but of ${quote(owner.name)}`;
  const ids = tokens.map((token) => token.id);
  const hint = didYouMean(id, ids) || (ids.length === 0 ? '; it has none' : `; it has ${ids.join(', ')}`);
  return `robot ${quote(name)} has no secret ${quote(id)}${hint}`;
}

/** Where robots are, else `robots.yaml` beside the users if files there are read, else where the users are. */
function fileForNew({ paths, texts }: PolicyFiles): string | undefined {
  const withRobots = texts.find(({ text }) => hasSection(text, 'robots'));
  if (withRobots !== undefined) return withRobots.file;
  const withUsers = texts.find(({ text }) => hasSection(text, 'users'));
  const beside = withUsers === undefined ? undefined : dirname(resolve(withUsers.file));
  const directories = paths.filter(isDirectory);
  const directory = directories.find((path) => path === beside) ?? directories[0];
  return directory === undefined ? (withUsers ?? texts[0])?.file : fileIn(directory, 'robots.yaml');
}

/** Begins with a letter, so that no reader of YAML takes it for a number. */
function freshId(policy: Policy): string {
  const taken = new Set([...policy.robots.values()].flatMap(({ tokens }) => tokens.map(({ id }) => id)));
  const characters = 'abcdefghijklmnopqrstuvwxyz0123456789';
  for (;;) {
    const id = Array.from({ length: 8 }, (_, index) => characters[randomInt(index === 0 ? 26 : 36)]).join('');
    if (!taken.has(id)) return id;
  }
}

/** `milliseconds` since 1970. */
function endOf(milliseconds: number | undefined): string {
  return milliseconds === undefined ? 'never expires' : `expires ${formatInstant(milliseconds)}`;
}

/** As docker names the registry: of the configuration, unless that is only the default of try mode for other policies. */
function registryHost(paths: readonly string[]): string {
  const configuration = readConfiguration();
  if (!configuration.ok || (configuration.isTrial && paths.length > 0)) return 'HOST';
  return new URL(configuration.config.publicUrl).host;
}

/** Without `name` the secrets of all robots. */
export async function listTokens(
  paths: readonly string[],
  { name, json }: { readonly name: string | undefined; readonly json: boolean },
): Promise<ExitCode> {
  const files = await readForEdit(paths, json);
  if ('refused' in files) return files.refused;
  const { robots } = files.policy;
  if (name !== undefined && !robots.has(name)) {
    return complain(`there is no robot ${quote(name)}${didYouMean(name, robots.keys())}`);
  }
  const now = Date.now();
  const uses = await lastUses();
  const listed = [...robots.values()]
    .filter((robot) => name === undefined || robot.name === name)
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((robot) => robot.tokens.map((token) => viewOf(robot, token, now, uses)));
  if (json) printJson({ tokens: listed });
  else if (listed.length === 0) {
    process.stdout.write(`no secrets; make one with: portcullis token create ${name ?? 'NAME'}\n`);
  } else {
    const head = ['robot', 'id', 'expires', 'state', 'repositories', 'actions', 'last used', 'where'];
    process.stdout.write(formatTable(head, listed.map(rowOf), { longest: Infinity }));
  }
  return exitCodes.ok;
}

type TokenView = ReturnType<typeof viewOf>;

/** `null`: never, all that the rules give, not known. */
function viewOf({ name, disabled }: Robot, token: RobotToken, now: number, uses: ReadonlyMap<string, string>) {
  const { id, expires, repositories, rights } = token;
  return {
    robot: name,
    id,
    expires: expires === undefined ? null : formatInstant(expires * 1000),
    state: disabled ? 'robot disabled' : isExpired(token, now) ? 'expired' : 'live',
    repositories: repositories?.map(({ text }) => text) ?? null,
    actions: rights === undefined ? null : actionsOf(rights),
    lastUsed: uses.get(id) ?? null,
    ...placeInJson(token),
  };
}

function rowOf({
  robot,
  id,
  expires,
  state,
  repositories,
  actions,
  lastUsed,
  file,
  line,
}: TokenView): readonly string[] {
  const reach = [repositories?.join(',') ?? 'all', actions?.join(',') ?? 'all'];
  return [robot, id, expires ?? 'never', state, ...reach, lastUsed?.slice(0, 16) ?? '-', `${file}:${line}`];
}

/** By id, as the running gateway of this configuration knows them; empty when there is none, which is no problem here. */
async function lastUses(): Promise<ReadonlyMap<string, string>> {
  const configuration = readConfiguration();
  if (!configuration.ok) return new Map();
  const reply = await callAdmin(configuration.config, 'GET', '/robot-tokens');
  if (!reply.ok) return new Map();
  const { tokens } = reply.body as { readonly tokens: readonly RobotTokenView[] };
  return new Map(tokens.flatMap(({ id, lastUsed }) => (lastUsed === undefined ? [] : [[id, lastUsed] as const])));
}
