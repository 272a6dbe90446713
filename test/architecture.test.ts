/** The map of src/, kept true: which folder may import what, and where each library and each status code lives. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const source = fileURLToPath(new URL('../src', import.meta.url));

/** Path below src/ -> text. */
type Sources = ReadonlyMap<string, string>;

const libraries = [
  'zod',
  'jose',
  'argon2',
  'bcrypt',
  'express',
  'http-proxy',
  'sonic-boom',
  'yaml',
  'commander',
  'ioredis',
  'lru-cache',
  'ldapts',
  'preact',
  'preact-render-to-string',
  'openid-client',
];

/**
 * What each place may import beside its own files: other places, single files of them, libraries, parts of Node.
 * The rules of the protocol, of policies and of the gate are plain computing; I/O is named in `ports.ts` and done outside.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  // Of node:crypto only the digests of content.
  distribution: ['node:crypto'],
  // Of node:module only createRequire, for the library that is loaded when it is needed.
  document: ['zod', 'yaml', 'node:module'],
  // The decision. Of node:net only isIP and BlockList, see below.
  policy: ['time.ts', 'distribution', 'node:net'],
  'policy/files': ['time.ts', 'distribution', 'document', 'policy', 'zod'],
  // For people who ask about policies; nothing on the way of a request imports it.
  'policy/analysis': ['distribution', 'document', 'policy', 'node:net'],
  editing: ['document', 'policy', 'policy/analysis/propose-tests.ts', 'yaml', 'node:util'],
  import: ['document', 'policy', 'policy/analysis/witness.ts', 'editing'],
  config: [
    'distribution/reference.ts',
    'document',
    'directory',
    'policy/claims.ts',
    'network',
    'secret.ts',
    'time.ts',
    'zod',
    'node:net',
    'node:path',
  ],
  // What is asked of a directory of people, as values.
  directory: ['document/parsed.ts'],
  // Addresses and hosts as values. Of node:net only isIP.
  network: ['document/parsed.ts', 'node:net'],
  ports: ['audit/question.ts', 'audit/read-line.ts', 'distribution', 'policy', 'time.ts', 'node:stream'],
  'ports.ts': ['ports', 'policy', 'time.ts', 'node:crypto', 'node:stream'],
  'secret.ts': ['node:util'],
  'page-assets.ts': ['node:fs'],
  limits: ['network', 'policy', 'ports.ts', 'node:net'],
  'time.ts': [],
  'version.ts': ['node:fs'],
  // What lines of the audit are: names, chain, signatures, questions. Of node:crypto only digests and signatures.
  audit: ['config/values.ts', 'distribution/scope.ts', 'policy', 'ports', 'time.ts', 'zod', 'node:crypto'],
  sealed: ['time.ts', 'ports.ts', 'node:crypto'],
  identity: [
    'time.ts',
    'distribution',
    'policy',
    'limits/client-network.ts',
    'sealed/derived-keys.ts',
    'token/access-token.ts',
  ].concat(['ports.ts', 'argon2', 'bcrypt', 'jose', 'node:crypto', 'node:os', 'node:zlib']),
  'identity/sources': [
    'time.ts',
    'distribution',
    'policy',
    'identity',
    'token/access-token.ts',
    'ports.ts',
    'node:crypto',
  ],
  token: ['time.ts', 'distribution', 'policy', 'limits', 'identity', 'ports.ts', 'zod', 'jose'].concat([
    'node:crypto',
    'node:util',
  ]),
  // Of node:crypto, node:stream and node:zlib only what computes a digest of content on its way.
  gate: ['time.ts', 'distribution', 'policy', 'identity', 'sealed', 'ports.ts'].concat([
    'node:crypto',
    'node:stream',
    'node:zlib',
  ]),
  // How the gateway itself logs in at a registry; what it asks goes through ports.
  'registry-login': ['distribution', 'network', 'ports.ts'],
  // What belongs to an image, and the steps by which it comes into another repository.
  promotion: [
    'time.ts',
    'distribution',
    'document/suggest.ts',
    'policy',
    'gate',
    'identity/identify.ts',
    'identity/refusal.ts',
    'limits/spend.ts',
    'ports.ts',
  ].concat(['zod', 'node:crypto']),
  // Recorded decisions, judged by other policies.
  replay: ['time.ts', 'distribution', 'policy'],
  // What the registry has, for people to look at: asked apart from what decides, and remembered.
  browse: ['time.ts', 'distribution', 'gate/at-once.ts', 'ports.ts'],
  // What people and programs ask of a running gateway; nothing here knows HTTP.
  operations: [
    'audit/asked.ts',
    'time.ts',
    'distribution',
    'document',
    'gate',
    'identity',
    'limits',
    'policy',
    'policy/analysis',
    'promotion',
    'secret.ts',
    'sealed',
    'ports.ts',
    'zod',
    'node:crypto',
  ],
  // The page: drawn from what operations answer.
  'http/web': [
    'time.ts',
    'distribution',
    'identity',
    'limits',
    'network',
    'operations',
    'page-assets.ts',
    'policy',
    'sealed',
    'http/api',
    'http/front',
    'http/registry',
    'secret.ts',
    'ports.ts',
    'preact',
    'preact-render-to-string',
    'zod',
    'node:crypto',
    'node:http',
    'node:util',
    'node:zlib',
  ],
  // The listener and what it hands requests to.
  http: [
    'time.ts',
    'distribution',
    'limits',
    'identity',
    'sealed',
    'token',
    'http/api',
    'http/front',
    'http/registry',
    'http/web',
    'ports.ts',
  ].concat(['express', 'jose', 'node:http', 'node:https', 'node:net', 'node:tls']),
  'http/front': ['distribution', 'network', 'policy', 'limits', 'identity', 'token/refusal.ts', 'ports.ts'].concat([
    'node:crypto',
    'node:http',
    'node:net',
    'node:stream',
    'node:tls',
  ]),
  'http/registry': [
    'time.ts',
    'distribution',
    'policy',
    'limits',
    'gate',
    'identity/identify.ts',
    'sealed',
    'http/front',
    'http/backend',
    'ports.ts',
  ].concat(['node:crypto']),
  'http/api': [
    'time.ts',
    'operations',
    'zod',
    'node:crypto',
    'distribution',
    'policy',
    'limits',
    'gate',
    'identity/identify.ts',
    'identity/under-way.ts',
    'promotion',
    'http/front',
    'http/backend',
    'http/registry',
    'http/web/cookie-callers.ts',
    'ports.ts',
  ],
  'http/backend': [
    'distribution',
    'limits',
    'http/front',
    'ports.ts',
    'time.ts',
    'http-proxy',
    'zod',
    'lru-cache',
  ].concat(['node:http', 'node:https', 'node:net', 'node:stream', 'node:tls']),
  'http/admin': [
    'operations',
    'http/api',
    'time.ts',
    'policy',
    'policy/analysis',
    'limits',
    'identity',
    'promotion/visible.ts',
    'http/front',
    'secret.ts',
    'ports.ts',
    'zod',
  ].concat(['node:crypto', 'node:http', 'node:net']),
  adapters: [
    'audit',
    'time.ts',
    'directory',
    'distribution',
    'document',
    'policy',
    'policy/files',
    'policy/analysis',
    'limits/client-network.ts',
    'limits/forgetting.ts',
    'limits/gcra.ts',
    'ports',
    'ports.ts',
    'network',
    'secret.ts',
    'zod',
    'sonic-boom',
    'ioredis',
    'ldapts',
    'lru-cache',
    'openid-client',
  ].concat('node:'),
  // What doctor checks, and what it says; whom it asks are ports. Of node:net only isIP.
  doctor: ['audit', 'config', 'distribution', 'ports', 'document', 'network', 'policy', 'time.ts'].concat([
    'policy/analysis/registries.ts',
    'node:net',
    'node:path',
  ]),
  trial: ['adapters/files/whole-file.ts', 'distribution', 'yaml', 'node:'],
  // What main.ts opens, follows and closes, and what is shown of it.
  gateway: [
    'adapters',
    'audit',
    'browse',
    'config',
    'document',
    'gate/at-once.ts',
    'identity/identify.ts',
    'identity/issuer-keys.ts',
    'identity/login-queue.ts',
    'identity/source.ts',
    'identity/sources/disabled.ts',
    'identity/sources/oidc.ts',
    'limits/memory-budget.ts',
    'limits/spend.ts',
    'policy/model.ts',
    'policy/binds-within.ts',
    'policy/freezes.ts',
    'sealed/pending-login.ts',
    'sealed/upload-ticket.ts',
    'token/access-token.ts',
    'token/signature.ts',
    'distribution/route-name.ts',
    'distribution/upstreams.ts',
    'http/backend',
    'http/api/viewer.ts',
    'http/front/front.ts',
    'http/web',
    'operations',
    'page-assets.ts',
    'version.ts',
    'registry-login/registry-login.ts',
    'http/front/timed-response.ts',
    'http/listener.ts',
    'http/admin/admin.ts',
    'ports',
    'ports.ts',
    'secret.ts',
    'time.ts',
  ].concat('node:'),
  'main.ts': [
    'operations',
    'page-assets.ts',
    'http/web',
    'http/api',
    'adapters',
    'config',
    'distribution/upstreams.ts',
    'document',
    'gate/gate-memory.ts',
    'gate/known-parts.ts',
    'gateway',
    'http',
    'http/admin',
    'http/backend',
    'http/front',
    'identity',
    'identity/sources',
    'limits',
    'sealed',
    'token',
    'ports.ts',
    'version.ts',
  ].concat('node:'),
  cli: [
    'adapters',
    'audit',
    'time.ts',
    'config',
    'distribution',
    'doctor',
    'ports',
    'document',
    'editing',
    // How the gateway itself would judge and ask.
    'gateway/certificate.ts',
    'gateway/registry-pings.ts',
    'identity',
    'import',
    'limits',
    'network',
    'policy',
    'policy/analysis',
    'policy/files',
    'replay',
    'trial',
    'main.ts',
    'version.ts',
  ].concat(['operations/answers.ts', 'commander', 'node:']),
  'cli.ts': ['cli'],
};

/** Libraries that only these files or folders may import: whoever replaces one finds it in one place. */
const homes: Readonly<Record<string, readonly string[]>> = {
  jose: ['token/access-token.ts', 'identity/id-token.ts', 'http/endpoints.ts'],
  argon2: ['identity/password.ts'],
  bcrypt: ['identity/password.ts'],
  'http-proxy': ['http/backend/attempt.ts'],
  express: ['http/endpoints.ts'],
  'sonic-boom': ['adapters/log/'],
  // One place reads YAML into values; editing keeps comments, and try mode writes the policy of its own account.
  yaml: ['document/whole-yaml.ts', 'editing/layout.ts', 'trial/state.ts'],
  commander: ['cli/'],
  ioredis: ['adapters/redis/'],
  ldapts: ['adapters/ldap/'],
  'lru-cache': ['http/backend/kept-replies.ts', 'adapters/memory/'],
  preact: ['http/web/'],
  'preact-render-to-string': ['http/web/'],
  'openid-client': ['adapters/oidc/'],
};

const drawers = ['utils', 'util', 'helpers', 'helper', 'common', 'core', 'shared', 'lib', 'misc'];

function violations(sources: Sources): readonly string[] {
  return [
    ...[...sources].flatMap(([file, text]) => [
      ...importsOf(file, text).flatMap((target) => forbiddenImport(file, target)),
      ...forbiddenText(file, text),
      ...drawers
        .filter((name) => file.split('/').slice(0, -1).includes(name))
        .map((name) => `${file} lies in a drawer: ${name}/`),
    ]),
    ...cycles(sources),
  ];
}

/** Own files as paths below src/, everything else by its name. Types count: an import of a type is a dependency too. */
function importsOf(file: string, text: string): readonly string[] {
  const { importedFiles } = ts.preProcessFile(text, true, true);
  return importedFiles.map(({ fileName }) =>
    fileName.startsWith('.') ? normalize(join(dirname(file), fileName)) : fileName,
  );
}

/** The entry of `allowed` that a file belongs to: its room, or the hall it lies in. */
function placeOf(file: string): string {
  const [hall = file, room] = file.split('/');
  return `${hall}/${room}` in allowed ? `${hall}/${room}` : hall;
}

function forbiddenImport(file: string, target: string): readonly string[] {
  const place = placeOf(file);
  const isOwn = /\.tsx?$/.test(target);
  const list = allowed[place];
  if (list === undefined) return [`${file} lies in ${place}, which is not on the map`];
  const named = isOwn ? [placeOf(target), target] : [target, target.replace(/^node:.*/, 'node:')];
  if (placeOf(target) !== place && !named.some((name) => list.includes(name)))
    return [`${file} may not import ${target}`];
  const home = homes[target];
  return home === undefined || home.some((prefix) => file.startsWith(prefix))
    ? []
    : [`${file} may not import ${target}: it belongs to ${home.join(', ')}`];
}

function forbiddenText(file: string, text: string): readonly string[] {
  const found: string[] = [];
  if (/\bwriteHead\(/.test(text) && !file.startsWith('http/'))
    found.push(`${file} may not write status codes (writeHead)`);
  const named = /import\s*(?:type\s*)?\{([^}]*)\}\s*from 'node:net'/.exec(text)?.[1] ?? '';
  const open = named
    .split(',')
    .map((name) => name.trim())
    .filter((name) => !['', 'isIP', 'isIPv6', 'BlockList'].includes(name));
  if (/^(policy|network)\//.test(file) && open.length > 0)
    found.push(`${file} may not import ${open.join(', ')} of node:net`);
  return found;
}

function cycles(sources: Sources): readonly string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      found.push(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`);
      return;
    }
    if (done.has(file)) return;
    for (const target of importsOf(file, sources.get(file) ?? '')) {
      if (sources.has(target)) visit(target, [...path, file]);
    }
    done.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
  return found;
}

function readSources(): Sources {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name));
  return new Map(files.sort().map((name) => [name, readFileSync(join(source, name), 'utf8')]));
}

describe('the source tree', () => {
  const sources = readSources();

  test('keeps to its map: folders import inwards only, libraries stay at home, no file imports itself in a circle', () => {
    expect(sources.size).toBeGreaterThan(50);
    expect(violations(sources)).toEqual([]);
  });

  test('imports no library that the map does not know', () => {
    const manifest: unknown = JSON.parse(readFileSync(join(source, '../package.json'), 'utf8'));
    const installed = Object.keys((manifest as { dependencies: Record<string, string> }).dependencies);
    expect(installed.filter((name) => !libraries.includes(name))).toEqual([]);
    const used = [...sources].flatMap(([file, text]) => importsOf(file, text)).filter((name) => !/\.tsx?$/.test(name));
    expect([...new Set(used)].filter((name) => !name.startsWith('node:') && !libraries.includes(name))).toEqual([]);
  });

  test('runs nothing on import outside of cli.ts: no call stands at the top level', () => {
    const running = [...sources]
      .filter(([file]) => file !== 'cli.ts')
      .flatMap(([file, text]) => topLevelCalls(file, text));
    expect(running).toEqual([]);
  });

  test('exports no function, class or constant that no other file uses', () => {
    const files = new Map([...sources].map(([file, text]): [string, Set<string>] => [file, wordsOf(text)]));
    const uses = new Map<string, number>();
    for (const words of [...files.values(), ...filesOf('test').map(wordsOf), ...filesOf('bench').map(wordsOf)])
      for (const word of words) uses.set(word, (uses.get(word) ?? 0) + 1);
    const exported = [...sources].flatMap(([file, text]) =>
      [...text.matchAll(/^export (?:async )?(?:function\*?|class|const) (\w+)/gm)].map(([, name = '']) => [file, name]),
    );
    expect(exported.length).toBeGreaterThan(1000);
    expect(exported.filter(([, name = '']) => (uses.get(name) ?? 0) < 2)).toEqual([]);
  });
});

function wordsOf(text: string): Set<string> {
  return new Set(text.match(/\w+/g));
}

/** The texts of a folder beside src/. */
function filesOf(folder: string): readonly string[] {
  const place = join(source, '..', folder);
  return readdirSync(place, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(tsx?|mjs)$/.test(name))
    .map((name) => readFileSync(join(place, name), 'utf8'));
}

/** Statements at the top level that are expressions: declarations may compute constants, but nothing is done. */
function topLevelCalls(file: string, text: string): readonly string[] {
  const parsed = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  return parsed.statements
    .filter((statement) => ts.isExpressionStatement(statement))
    .map((statement) => `${file} runs on import: ${statement.getText().slice(0, 60)}`);
}

describe('the map is enforced: a file is named when it', () => {
  const cases: readonly (readonly [what: string, file: string, text: string, complaint: string])[] = [
    [
      'reads files to decide',
      'policy/evaluate.ts',
      `import { readFileSync } from 'node:fs';`,
      'policy/evaluate.ts may not import node:fs',
    ],
    [
      'opens sockets in the policy',
      'policy/conditions.ts',
      `import { connect, isIP } from 'node:net';`,
      'policy/conditions.ts may not import connect of node:net',
    ],
    [
      'does I/O in the protocol',
      'distribution/route.ts',
      `import { request } from 'node:http';`,
      'distribution/route.ts may not import node:http',
    ],
    [
      'knows HTTP below the gate',
      'gate/admit.ts',
      `import { send } from '../http/front/respond.ts';`,
      'gate/admit.ts may not import http/front/respond.ts',
    ],
    [
      'reaches an adapter from http',
      'http/registry/handle.ts',
      `import type { Log } from '../../adapters/log/log.ts';`,
      'http/registry/handle.ts may not import adapters/log/log.ts',
    ],
    [
      'reaches http from an adapter',
      'adapters/log/log.ts',
      `import { send } from '../../http/front/respond.ts';`,
      'adapters/log/log.ts may not import http/front/respond.ts',
    ],
    [
      'uses the gate in the token service',
      'token/service.ts',
      `import { admit } from '../gate/admit.ts';`,
      'token/service.ts may not import gate/admit.ts',
    ],
    [
      'hides an import in a call',
      'policy/files/parse.ts',
      `export const later = () => import('node:child_process');`,
      'policy/files/parse.ts may not import node:child_process',
    ],
    [
      're-exports an outer file',
      'policy/model.ts',
      `export { send } from '../http/front/respond.ts';`,
      'policy/model.ts may not import http/front/respond.ts',
    ],
    [
      'analyses policies on the way of a request',
      'gate/admit.ts',
      `import { lint } from '../policy/analysis/lint.ts';`,
      'gate/admit.ts may not import policy/analysis/lint.ts',
    ],
    [
      'reaches from one room of http into another that is not its own',
      'http/registry/lists.ts',
      `import { createAdminListener } from '../admin/admin.ts';`,
      'http/registry/lists.ts may not import http/admin/admin.ts',
    ],
    [
      'signs tokens elsewhere',
      'token/service.ts',
      `import { SignJWT } from 'jose';`,
      'token/service.ts may not import jose: it belongs to token/access-token.ts, identity/id-token.ts, http/endpoints.ts',
    ],
    [
      'talks to Redis elsewhere',
      'adapters/memory/session-store.ts',
      `import Redis from 'ioredis';`,
      'adapters/memory/session-store.ts may not import ioredis: it belongs to adapters/redis/',
    ],
    [
      'parses YAML elsewhere',
      'policy/files/parse.ts',
      `import { parse } from 'yaml';`,
      'policy/files/parse.ts may not import yaml',
    ],
    [
      'answers with a status of its own',
      'gate/admit.ts',
      `response.writeHead(403);`,
      'gate/admit.ts may not write status codes (writeHead)',
    ],
    ['lies in a drawer', 'http/utils/headers.ts', '', 'http/utils/headers.ts lies in a drawer: utils/'],
    [
      'founds a folder of its own',
      'services/token.ts',
      `import { z } from 'zod';`,
      'services/token.ts lies in services, which is not on the map',
    ],
  ];
  test.each(cases)('%s', (_what, file, text, complaint) => {
    expect(violations(new Map([[file, text]]))).toContain(complaint);
  });

  test('imports in a circle, over any number of files', () => {
    const sources = new Map([
      ['policy/a.ts', `import type { B } from './b.ts';`],
      ['policy/b.ts', `import { c } from './c.ts';`],
      ['policy/c.ts', `import { a } from './a.ts';`],
    ]);
    expect(violations(sources)).toEqual(['import cycle: policy/a.ts -> policy/b.ts -> policy/c.ts -> policy/a.ts']);
  });
});
