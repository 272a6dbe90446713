/** `token create|revoke|list`, as a person runs them, and as the gateway that runs meanwhile sees it. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseSecret, secretHash } from '../../src/identity/carried-secret.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { type RunResult, run } from '../support/programs.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { program, usePolicyFolder } from './policy-folder.ts';

const hash = 'f'.repeat(64);

const people = `# Who there is.
users:
  dana: { groups: [developers] } # the lead
groups: { developers: {}, build-servers: {} }
`;
const rules = `rules:
  - { name: build, subjects: ['group:build-servers'], repositories: ['integration/**'], actions: [pull, push] }
`;

interface Entry {
  readonly id: string;
  readonly sha256: string;
  readonly expires?: number | undefined;
}

describe('on policy files', () => {
  const folder = usePolicyFolder({ 'a-rules.yaml': rules, 'people.yaml': people });
  const { at, textOf, write } = folder;
  const token = (...args: readonly string[]): Promise<RunResult> => folder.portcullis(['token', ...args]);

  async function tokensOf(name: string): Promise<readonly Entry[]> {
    return (await folder.policy()).robots.get(name)?.tokens ?? [];
  }

  test('create declares a robot beside the users, prints the secret alone, and keeps only its hash', async () => {
    const { code, stdout, stderr } = await token(
      ...['create', 'builder', '--groups', 'build-servers', '--actions', 'pull,push', '--expires', '2999-01-01'],
      ...['--repositories', 'integration/**, x', '--policies', 'policies'],
    );
    expect(code).toBe(0);
    const secret = stdout.trimEnd();
    expect(stdout).toBe(`${secret}\n`);
    expect(parseSecret(secret)).toEqual({ kind: 'robot', text: secret });
    const [entry] = await tokensOf('builder');
    expect(entry?.sha256).toBe(secretHash(secret));
    expect(entry?.id).toMatch(/^[a-z][a-z0-9]{7}$/);
    expect(await textOf('robots.yaml')).toBe(
      'robots:\n  builder:\n    groups: [build-servers]\n    tokens:\n' +
        `      - { id: ${entry?.id ?? ''}, sha256: '${secretHash(secret)}', expires: '2999-01-01', ` +
        "repositories: ['integration/**', 'x'], actions: [pull, push] }\n",
    );
    expect(await textOf('people.yaml')).toBe(people);
    expect(stderr).not.toContain(secret);
    expect(stderr).toContain(`secret "${entry?.id ?? ''}" of robot "builder" written to policies/robots.yaml`);
    expect(stderr).toContain('expires 2999-01-01T00:00:00Z');
    expect(stderr).toMatch(/docker login \S+ -u builder --password-stdin/);
    const mode = async (name: string): Promise<number> => (await stat(at('policies', name))).mode & 0o777;
    expect(await mode('robots.yaml')).toBe(await mode('people.yaml'));
  });

  test('create then revoke gives the file back to the byte, wherever the robot is declared', async () => {
    const before = `${people}robots:\n  # CI\n  builder: { groups: [build-servers], tokens: [] } # main\n  other:\n    groups: [] # none\n`;
    await write('people.yaml', before);
    for (const name of ['builder', 'other']) {
      expect(await token('create', name)).toMatchObject({ code: 0 });
      const [entry] = await tokensOf(name);
      const { code, stdout, stderr } = await token('revoke', name, entry?.id ?? '');
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toBe(`secret "${entry?.id ?? ''}" of robot "${name}" revoked (policies/people.yaml)\n`);
      expect(await textOf('people.yaml')).toBe(before);
    }
    expect(await readdir(at('policies'))).toEqual(['a-rules.yaml', 'people.yaml']);
  });

  test('a robot has two live secrets while they are rotated, and expired ones do not count', async () => {
    await write(
      'robots.yaml',
      `robots: { builder: { tokens: [{ id: past, sha256: ${hash}, expires: 2020-01-01 }] } }\n`,
    );
    expect(await token('create', 'builder', '--expires', '90d')).toMatchObject({ code: 0 });
    expect(await token('create', 'builder')).toMatchObject({ code: 0 });
    const before = await textOf('robots.yaml');
    const [, first, second] = await tokensOf('builder');
    expect((first?.expires ?? 0) * 1000 - Date.now()).toBeGreaterThan(89 * 86_400_000);
    const third = await token('create', 'builder');
    expect(third).toMatchObject({ code: 1, stdout: '' });
    expect(third.stderr).toContain(`${first?.id ?? ''} (expires `);
    // It has taken over when the first one ends.
    expect(third.stderr).toContain(`${second?.id ?? ''} (expires `);
    expect(third.stderr).toContain(`portcullis token revoke builder ${first?.id ?? ''}`);
    expect(await textOf('robots.yaml')).toBe(before);

    expect(await token('revoke', 'builder', '--all')).toMatchObject({ code: 0, stderr: '' });
    expect(await textOf('robots.yaml')).toBe('robots: { builder: { tokens: [] } }\n');
    expect((await token('revoke', 'builder', '--all')).stdout).toBe('robot "builder" has no secrets\n');
  });

  test('a secret may be for promoting alone, which is listed as such', async () => {
    expect(await token('create', 'builder', '--actions', 'pull,promote')).toMatchObject({ code: 0 });
    expect(await textOf('robots.yaml')).toContain('actions: [pull, promote]');
    expect((await token('list', 'builder')).stdout).toMatch(/ live +all +pull,promote /);
  });

  test('a second secret takes the limits of the first over and says so, unless told otherwise', async () => {
    const limits = ['--actions', 'pull', '--expires', '2999-01-01', '--repositories', 'a/**'];
    await token('create', 'deployer', '--groups', 'build-servers', ...limits, '--policies', 'policies');
    const second = await token('create', 'deployer', '--repositories', 'b/**', '--policies', 'policies');
    expect(second.stderr).toMatch(/its actions are those of the secret that there is \(pull\).*--unlimited/);
    expect(second.stderr).toContain('its expires are those of the secret that there is (2999-01-01)');
    const [, entry] = await tokensOf('deployer');
    expect(entry).toMatchObject({ rights: 1, expires: Date.parse('2999-01-01') / 1000 });
    expect(await textOf('robots.yaml')).toContain("repositories: ['b/**'], actions: [pull] }");
    await token('revoke', 'deployer', entry?.id ?? '', '--policies', 'policies');
    await token('create', 'deployer', '--unlimited', '--policies', 'policies');
    const unlimited = (await tokensOf('deployer')).at(-1);
    const given = Object.entries(unlimited ?? {}).filter(([, value]) => value !== undefined);
    expect(given.map(([key]) => key).toSorted()).toEqual(['id', 'sha256', 'source']);
  });

  test('a robot is declared where files are read: in the users’ own file when no directory is named', async () => {
    const paths = ['--policies', 'policies/a-rules.yaml', '--policies', 'policies/people.yaml'];
    expect(await token('create', 'builder', ...paths)).toMatchObject({ code: 0 });
    expect(await textOf('people.yaml')).toMatch(/^# Who[^]*\n\nrobots:\n {2}builder:\n {4}tokens:\n {6}- \{.*\}\n$/);
    expect(await readdir(at('policies'))).toEqual(['a-rules.yaml', 'people.yaml']);
  });

  test('list shows every secret with its state and place, and never a hash', async () => {
    await write(
      'robots.yaml',
      `robots:
  builder:
    tokens:
      - { id: past, sha256: ${hash}, expires: 2020-01-01 }
      - { id: live, sha256: ${'e'.repeat(64)}, repositories: ['a/**', b], actions: [push, pull] }
  asleep: { disabled: true, tokens: [{ id: idle, sha256: ${'d'.repeat(64)} }] }
`,
    );
    const { code, stdout, stderr } = await token('list', '--json');
    expect([code, stderr]).toEqual([0, '']);
    const common = { expires: null, repositories: null, actions: null, lastUsed: null, file: 'policies/robots.yaml' };
    expect(JSON.parse(stdout)).toEqual({
      tokens: [
        { ...common, robot: 'asleep', id: 'idle', state: 'robot disabled', line: 6 },
        { ...common, robot: 'builder', id: 'past', expires: '2020-01-01T00:00:00Z', state: 'expired', line: 4 },
        {
          ...common,
          ...{
            robot: 'builder',
            id: 'live',
            state: 'live',
            repositories: ['a/**', 'b'],
            actions: ['pull', 'push'],
            line: 5,
          },
        },
      ],
    });
    const table = await token('list', 'builder');
    expect(table.stdout).toMatch(
      /^robot +id +expires +state +repositories +actions +last used +where\nbuilder +past +2020-01-01T00:00:00Z +expired +all +all +- +policies\/robots.yaml:4\nbuilder +live +never +live +a\/\*\*,b +pull,push +- +policies\/robots.yaml:5\n$/,
    );
    expect(stdout + table.stdout).not.toMatch(/[a-f0-9]{16}/);
  });

  describe('nothing is written when', () => {
    const before = `robots:\n  builder: { groups: [build-servers], tokens: [{ id: k3v9x2ma, sha256: ${hash} }] }\n  other: {}\n`;
    beforeEach(() => write('robots.yaml', before));
    const secret = `pct_${'x'.repeat(36)}`;

    const cases: readonly (readonly [what: string, args: readonly string[], code: number, says: RegExp])[] = [
      ['the name cannot be', ['create', 'a/b'], 2, /"a\/b" cannot be an account name/],
      ['a user has the name', ['create', 'dana'], 1, /"dana" is a user already, in policies\/people.yaml:3/],
      ['the name is nearly one that exists', ['create', 'bilder'], 1, /did you mean "builder"\? .*--groups/],
      ['a group is not declared', ['create', 'x', '--groups', 'bild-servers'], 1, /did you mean "build-servers"/],
      [
        'the robot is in other groups',
        ['create', 'other', '--groups', 'developers'],
        1,
        /is in no group .*robots.yaml:3/,
      ],
      ['an action does not exist', ['create', 'x', '--actions', 'pull,psh'], 2, /did you mean "push"/],
      ['no action is named', ['create', 'x', '--actions', ''], 2, /--actions names none/],
      ['a pattern could never match', ['create', 'x', '--repositories', 'a,B/**'], 2, /"B\/\*\*": .*lower case/],
      ['it would be expired', ['create', 'x', '--expires', '2020-01-01'], 2, /is not in the future/],
      ['the day does not exist', ['create', 'x', '--expires', '2999-02-30'], 2, /expected a date/],
      ['the duration is none', ['create', 'x', '--expires', '3w'], 2, /write for example .*30d/],
      ['nobody has the name', ['revoke', 'bilder', 'k3v9x2ma'], 1, /did you mean "builder"/],
      ['the id is mistyped', ['revoke', 'builder', 'k3v9x2am'], 1, /did you mean "k3v9x2ma"/],
      ['the id is of another robot', ['revoke', 'other', 'k3v9x2ma'], 1, /not of robot "other" but of "builder"/],
      ['neither an id nor --all is given', ['revoke', 'builder'], 2, /by its id, or --all/],
      ['both are given', ['revoke', 'builder', 'k3v9x2ma', '--all'], 2, /by its id, or --all/],
      [
        'the secret itself is given, which is not repeated',
        ['revoke', 'builder', secret],
        2,
        /a secret and not its id/,
      ],
      ['the list is of nobody', ['list', 'bilder'], 1, /did you mean "builder"/],
      ['a path does not exist', ['create', 'x', '--policies', 'nowhere'], 78, /nowhere: does not exist/],
    ];
    test.each(cases)('%s', async (_what, args, code, says) => {
      const result = await token(...args);
      expect(result.stderr).toMatch(says);
      expect(result.stderr).not.toContain(secret);
      expect([result.code, result.stdout]).toEqual([code, '']);
      expect(await textOf('robots.yaml')).toBe(before);
      expect(await readdir(at('policies'))).toEqual(['a-rules.yaml', 'people.yaml', 'robots.yaml']);
    });

    test('a test of the policy fails', async () => {
      const tests = `tests: [{ name: devs, as: 'group:developers', allow: [pull a/b] }]\n`;
      await write('a-rules.yaml', rules + tests);
      const { code, stdout, stderr } = await token('create', 'builder');
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/test "devs" fails[^]*nothing was written/);
      expect(await textOf('robots.yaml')).toBe(before);
    });
  });

  test('groups may be repeated for a robot that is in them, in any order', async () => {
    await write('robots.yaml', 'robots: { b: { groups: [build-servers, developers] } }\n');
    expect(await token('create', 'b', '--groups', 'developers,build-servers')).toMatchObject({ code: 0 });
  });
});

describe('while the gateway runs', () => {
  let upstream: StandIn;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    upstream = await startStandIn((_request, response) => response.end('{}'));
    gateway = await startGatewayProcess({
      upstream: upstream.url,
      policies: { 'people.yaml': people, 'rules.yaml': rules },
    });
  });
  afterAll(async () => {
    await gateway?.stop();
    await upstream?.close();
  });

  function token(...args: readonly string[]): Promise<RunResult> {
    const directory = dirname(gateway.policiesDir);
    return run(process.execPath, [program, 'token', ...args], {
      cwd: directory,
      env: {
        HOME: directory,
        NODE_ENV: 'production',
        PORTCULLIS_PUBLIC_URL: gateway.url,
        PORTCULLIS_UPSTREAM: 'http://127.0.0.1:1',
        PORTCULLIS_ADMIN_LISTEN: new URL(gateway.adminUrl).host,
        PORTCULLIS_POLICIES: gateway.policiesDir,
        PORTCULLIS_STATE_DIR: join(directory, 'state'),
      },
    });
  }

  async function login(secret: string): Promise<number> {
    const authorization = `Basic ${Buffer.from(`builder:${secret}`).toString('base64')}`;
    const query = new URLSearchParams({ scope: 'repository:integration/app:pull,push' });
    const reply = await fetch(`${gateway.url}/token?${query.toString()}`, { headers: { authorization } });
    await reply.text();
    return reply.status;
  }

  test('a new secret logs in within five seconds, its use is listed, and a revoked one is refused as soon', async () => {
    const created = await token('create', 'builder', '--groups', 'build-servers', '--actions', 'pull');
    expect(created.code, created.stderr).toBe(0);
    expect(created.stderr).toContain(`docker login ${new URL(gateway.url).host} -u builder`);
    const secret = created.stdout.trim();
    await eventually('the secret logs in', async () => (await login(secret)) === 200);

    const listed = await token('list', '--json');
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    const { tokens } = JSON.parse(listed.stdout) as { tokens: readonly [{ id: string; lastUsed: string }] };
    const [{ id, lastUsed }] = tokens;
    expect(Math.abs(Date.parse(lastUsed) - Date.now())).toBeLessThan(60_000);
    expect((await token('list')).stdout).toContain(lastUsed.slice(0, 16));

    const { code, stdout } = await token('revoke', 'builder', id);
    expect([code, stdout]).toEqual([0, expect.stringContaining(`secret "${id}" of robot "builder" revoked`)]);
    await eventually('the secret is refused', async () => (await login(secret)) === 401);
    expect(JSON.parse((await token('list', '--json')).stdout)).toEqual({ tokens: [] });
    expect(gateway.stdout() + gateway.stderr()).not.toContain(secret);
  });
});
