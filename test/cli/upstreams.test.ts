/** Questions about policies where several registries are behind: which one it is, what it is called there, what it never takes. */
import { writeFile } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { usePolicyFolder } from './policy-folder.ts';

const rules = `users:
  dana: { groups: [developers] }
  ada: {}
groups: { developers: }
rules:
  - { name: share, subjects: ['group:developers'], repositories: ['sandbox/**', 'partner/**'], actions: [pull, push] }
  - { name: public-images, subjects: ['group:developers'], repositories: ['mirror/library/*'], actions: [pull] }
  - { name: all, subjects: ['user:ada'], repositories: ['**'], actions: [pull, push, delete, promote] }
tests:
  - { name: official images, as: 'user:dana', allow: [pull mirror/alpine, 'pull mirror/library/alpine:3'], deny: [pull mirror/acme/app] }
`;
const configuration = `publicUrl: https://registry.example.com
policies: ./policies
upstreams:
  main: { url: http://registry:5000 }
  cloud: { url: https://partner.example.com, prefix: partner, remotePrefix: team }
  hub:
    url: http://cache:5000
    prefix: mirror
    access: read
    library: true
`;

const folder = usePolicyFolder({ 'policy.yaml': rules });
const { portcullis } = folder;
const configure = (text: string): Promise<void> => writeFile(folder.at('portcullis.yaml'), text);
beforeEach(() => configure(configuration));

async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { stdout } = await portcullis([...args, '--json']);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('explain', () => {
  test.each([
    ['pull', 'sandbox/app', 'in registry "main" (http://registry:5000)'],
    ['push', 'partner/app:1', 'in registry "cloud" (https://partner.example.com), there team/app'],
    ['pull', 'mirror/library/alpine', 'in registry "hub" (http://cache:5000), there library/alpine'],
    ['pull', 'mirror', 'in registry "main" (http://registry:5000)'],
    ['pull', 'partners/app', 'in registry "main" (http://registry:5000)'],
  ])('%s %s is %s', async (action, target, where) => {
    const { stdout } = await portcullis(['explain', 'user:ada', action, target]);
    expect(stdout.split('\n').slice(0, 2)).toEqual([`allow: user "ada" may ${action} ${target}`, `  ${where}`]);
  });

  test('judges the name that the gateway judges, where there are two for one', async () => {
    const { code, stdout } = await portcullis(['explain', 'user:dana', 'pull', 'mirror/alpine:3']);
    expect(code).toBe(0);
    expect(stdout).toContain('user "dana" may pull mirror/library/alpine:3\n  in registry "hub"');
    expect(await json('explain', 'user:dana', 'pull', 'mirror/alpine')).toMatchObject({
      decision: 'allow',
      rule: 'public-images',
      upstream: 'hub',
      remote: 'library/alpine',
      repository: 'mirror/library/alpine',
    });
  });

  test.each(['push', 'create', 'overwrite', 'delete', 'promote'])(
    'a registry that is read-only takes no %s, whatever rules allow',
    async (action) => {
      const { code, stdout } = await portcullis(['explain', 'user:ada', action, 'mirror/acme/app:1']);
      expect(code).toBe(1);
      expect(stdout.split('\n').slice(0, 3)).toEqual([
        `deny: user "ada" may not ${action} mirror/acme/app:1: the registry behind "mirror" is read-only here`,
        '  in registry "hub" (http://cache:5000), there acme/app',
        expect.stringMatching(/^ {2}the rules would let it pass: rule "all" \(policies\/policy.yaml:8\) allows it/),
      ]);
      expect(await json('explain', 'user:ada', action, 'mirror/acme/app')).toMatchObject({
        decision: 'deny',
        rule: null,
        reason: 'the registry behind "mirror" is read-only here',
        upstream: 'hub',
      });
    },
  );

  test('what rules refuse is refused by them there too', async () => {
    expect(await json('explain', 'user:dana', 'push', 'mirror/acme/app')).toMatchObject({
      decision: 'deny',
      reason: 'no rule allows it',
      upstream: 'hub',
    });
  });

  test('a name that no registry has is refused', async () => {
    await configure(configuration.replace(/ {2}main:.*\n/, ''));
    const found = await json('explain', 'user:ada', 'pull', 'sandbox/app');
    expect(found).toMatchObject({ decision: 'deny', reason: 'no registry behind has such names', upstream: null });
  });

  test('one registry with everything is not named, nor one that no configuration was read for', async () => {
    for (const text of ['upstream: http://registry:5000', 'upstreams: { main: { url: http://registry:5000 } }']) {
      await configure(`publicUrl: https://registry.example.com\n${text}\n`);
      expect(await json('explain', 'user:ada', 'push', 'mirror/app')).not.toHaveProperty('upstream');
    }
    await configure(configuration);
    expect(await json('explain', 'user:ada', 'push', 'mirror/app', '--policies', 'policies')).toMatchObject({
      decision: 'allow',
    });
  });

  test('the longest prefix is the registry that counts', async () => {
    await configure(`${configuration}  own: { url: http://own:5000, prefix: mirror/own }\n`);
    expect(await json('explain', 'user:ada', 'push', 'mirror/own/app')).toMatchObject({
      decision: 'allow',
      upstream: 'own',
      remote: 'app',
    });
    expect(await json('explain', 'user:ada', 'push', 'mirror/owner/app')).toMatchObject({ decision: 'deny' });
  });
});

describe('who-can', () => {
  test('names the registry', async () => {
    expect((await portcullis(['who-can', 'push', 'partner/app'])).stdout).toContain('registry: cloud\n');
    expect(await json('who-can', 'pull', 'mirror/alpine')).toMatchObject({
      repository: 'mirror/library/alpine',
      upstreams: ['hub'],
      subjects: [{ subject: 'user:ada' }, { subject: 'user:dana' }],
    });
  });

  test('nobody may write what is read-only, be it one or an area', async () => {
    for (const target of ['mirror/acme/app', 'mirror/**', 'mirror/library/*']) {
      const { code, stdout } = await portcullis(['who-can', 'push', target]);
      expect([code, stdout.split('\n')[0]]).toEqual([
        1,
        `nobody may push ${target}: the registry behind "mirror" is read-only here`,
      ]);
    }
    expect((await portcullis(['who-can', 'pull', 'mirror/**'])).code).toBe(0);
  });

  test('an area over several is answered with what some of them do not take', async () => {
    const { code, stdout } = await portcullis(['who-can', 'push', '**']);
    expect(code).toBe(0);
    expect(stdout).toContain('except that the registry behind "mirror" is read-only here\n');
    expect(stdout).toContain('registries: main, hub, cloud\n');
  });
});

test('accounts are edited and tests written where tests say a name the short way', async () => {
  const add = ['user', 'add', 'zoe', '--groups', 'developers', '--password-stdin'];
  expect(await portcullis(add, 'correct horse')).toMatchObject({ code: 0, stderr: '' });
  expect(await portcullis(['user', 'disable', 'zoe', '--policies', 'policies'])).toMatchObject({ code: 0, stderr: '' });
  expect((await portcullis(['test', '--write', '--dry-run'])).stderr).not.toContain('fail');
});

describe('serve', () => {
  const serve = (...args: readonly string[]) => folder.built(['serve', ...args]);

  test('does not start without the files of a registry, and says where they are named', async () => {
    await configure(
      configuration.replace('prefix: partner', 'prefix: partner, credentials: { username: x, passwordFile: ./x }'),
    );
    const { code, stderr } = await serve();
    expect(code).toBe(78);
    expect(stderr).toMatch(
      /portcullis.yaml:5:\d+: upstreams.cloud.credentials.passwordFile: .*\/x cannot be read: ENOENT/,
    );
  });

  test('takes the terms of a registry as flags, whatever its name', async () => {
    const { code, stderr } = await serve(
      '--upstreams-cloud-url',
      'ftp://x',
      '--upstreams-spare7-credentials-password-file',
      '',
    );
    expect(code).toBe(78);
    expect(stderr).toContain(
      'command line: --upstreams.cloud.url: expected a URL that starts with http:// or https://',
    );
    expect(stderr).toContain('command line: --upstreams.spare7.credentials.passwordFile is empty');
    expect((await serve('--help')).stdout).toContain('--upstreams-<name>-url <value>');
    const misspelt = await serve('--upstreams-cloud-ulr', 'x');
    expect(misspelt).toMatchObject({ code: 2, stderr: expect.stringContaining('--upstreams-cloud-url') });
  });

  test('takes no password as a flag', async () => {
    const { code, stderr } = await serve('--upstreams-cloud-credentials-password', 'hunter2');
    expect(code).toBe(2);
    expect(stderr).not.toContain('hunter2');
  });
});

test('access names the registries of each grant, and what they do not take', async () => {
  const { stdout } = await portcullis(['access', 'user:ada']);
  expect(stdout).toContain(
    '      in registries main, hub, cloud\n      but not push, delete, promote: the registry behind "mirror" is read-only here\n',
  );
  const { grants } = await json('access', 'user:dana');
  expect(grants).toMatchObject([
    { rule: 'public-images', upstreams: ['hub'] },
    { rule: 'share', upstreams: ['main', 'cloud'] },
  ]);
  expect(JSON.stringify(grants)).not.toContain('readOnly');
});

describe('check', () => {
  const codesOf = async (): Promise<readonly string[]> => {
    const { problems, notes } = await json('check');
    return [...(problems as Finding[]), ...(notes as Finding[])].map(
      ({ code, file, line, message }) => `${code} ${file.replace(/^.*\//, '')}:${line} ${message}`,
    );
  };
  interface Finding {
    readonly code: string;
    readonly file: string;
    readonly line: number;
    readonly message: string;
  }
  const addRule = (text: string): Promise<void> =>
    folder.write('more.yaml', `users: { eve: {} }\nrules:\n  - ${text}\n`);

  test('runs the tests by the names that are judged', async () => {
    expect(await json('check')).toMatchObject({ ok: true, tests: { passed: 3, failed: 0 } });
    expect((await portcullis(['test'])).stdout).toContain('3 passed, 0 failed');
    expect((await portcullis(['test', 'policies'])).stdout).toContain('2 passed, 1 failed');
  });

  test.each([
    ["['mirror/**']", '[push]', 'push in mirror/**'],
    ["['mirror/acme/*', 'sandbox/**']", '[pull, delete]', 'delete in mirror/acme/*'],
    ["['mirror/library/a', mirror/b/c]", '[promote, create]', 'create, promote in mirror/library/a, mirror/b/c'],
  ])('a rule for %s that gives %s where nothing is taken is a problem', async (repositories, actions, what) => {
    await addRule(`{ name: vain, subjects: ['user:eve'], repositories: ${repositories}, actions: ${actions} }`);
    expect((await portcullis(['check'])).code).toBe(1);
    expect(await codesOf()).toEqual([
      `read-only-push more.yaml:3 rule "vain" gives ${what}, which registry "hub" (mirror/**) never takes: it is read-only here`,
    ]);
  });

  test.each([
    "{ name: a, subjects: ['group:developers'], repositories: ['*/app'], actions: [push] }",
    "{ name: a, subjects: ['group:developers'], repositories: ['mirror/library/x'], actions: [pull, catalog] }",
    "{ name: a, effect: deny, subjects: [everyone], repositories: ['mirror/acme/**'], actions: [push] }",
    "{ name: a, mode: shadow, subjects: ['group:developers'], repositories: ['mirror/acme/**'], actions: [push] }",
  ])('%s is none', async (rule) => {
    await addRule(rule);
    expect((await codesOf()).filter((code) => code.startsWith('read-only'))).toEqual([]);
  });

  test('a registry inside a read-only one takes what is pushed', async () => {
    await configure(`${configuration}  own: { url: http://own:5000, prefix: mirror/own }\n`);
    await addRule("{ name: a, subjects: ['group:developers'], repositories: ['mirror/own/**'], actions: [push] }");
    expect(await codesOf()).toEqual([]);
  });

  test('a gate where nothing is taken is noted', async () => {
    await folder.write('more.yaml', "gates:\n  - { name: g, repositories: ['mirror/**'], from: ['sandbox/**'] }\n");
    expect(await codesOf()).toContain(
      'read-only-gate more.yaml:2 gate "g" stands where nothing is written: registry "hub" (mirror/**) is read-only here',
    );
  });

  test('a registry that nobody may use is noted, where the configuration has it', async () => {
    await configure(`${configuration}  spare: { url: http://spare:5000, prefix: spare/eu }\n`);
    expect(await codesOf()).toEqual([]);
    await folder.write('policy.yaml', rules.replace("['**']", "['sandbox/**']"));
    expect(await codesOf()).toEqual([
      'unused-upstream portcullis.yaml:11 upstreams.spare: no rule allows anybody anything in spare/eu/**',
    ]);
    expect((await portcullis(['check'])).code).toBe(0);
  });

  test.each([
    ["['mirror/alpine']", 'mirror/alpine', 'mirror/library/alpine'],
    ["['mirror/*']", 'mirror/*', 'mirror/library/*'],
  ])('a pattern in a spelling that is never judged is a problem: %s', async (repositories, text, right) => {
    await addRule(`{ name: a, effect: deny, subjects: [everyone], repositories: ${repositories}, actions: [pull] }`);
    const { problems } = await json('check');
    expect(problems).toMatchObject([
      {
        code: 'unreachable',
        message: `rule "a" names "${text}", which no request is judged as: registry "hub" (mirror/**) puts library/ in front of names of one segment`,
        fix: `write ${right}`,
      },
    ]);
  });

  test('names that no registry has are noted', async () => {
    await configure(configuration.replace(/ {2}main:.*\n/, ''));
    expect(await codesOf()).toEqual([
      'no-registry policy.yaml:6 rule "share" names sandbox/**, and no registry has names like that',
    ]);
  });

  test('notes files of registries that cannot be used: they may be on another machine', async () => {
    await configure(`${configuration}    ca: ./nowhere.pem\n`.replace('http://cache:5000', 'https://cache'));
    expect(await codesOf()).toEqual([
      expect.stringMatching(
        /^unreadable-file portcullis.yaml:11 upstreams.hub.ca: .*nowhere.pem cannot be read: ENOENT/,
      ),
    ]);
    expect((await portcullis(['check'])).code).toBe(0);
  });

  test('says nothing of registries where policies alone are checked', async () => {
    await addRule("{ name: a, subjects: ['group:developers'], repositories: ['mirror/**'], actions: [push] }");
    const { problems } = await json('check', 'policies/more.yaml', 'policies/policy.yaml');
    expect(JSON.stringify(problems)).not.toContain('read-only');
  });
});
