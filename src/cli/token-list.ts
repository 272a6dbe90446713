/** The work of `portcullis token list`. */
import { quote } from '../document/problem.ts';
import { didYouMean } from '../document/suggest.ts';
import type { RobotTokenView } from '../http/admin/admin-types.ts';
import { actionsOf, formatInstant } from '../policy/describe.ts';
import type { Robot, RobotToken } from '../policy/model.ts';
import { isExpired } from '../policy/secret-reach.ts';
import { callAdmin } from './admin-client.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { readForEdit } from './policy-edit.ts';
import { complain, placeInJson, printJson } from './report.ts';
import { formatTable } from './table.ts';

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
