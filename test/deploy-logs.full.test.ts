/** The examples of deploy/logs, each by the program that reads it, or the nearest there is, with lines of a real gateway. */
import { cp, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { auditLineSchema } from '../src/audit/line-schema.ts';
import { eventually } from './support/eventually.ts';
import { basic, policy, startGatewayProcess } from './support/gateway.ts';
import { type MemoryRegistry, startMemoryRegistry } from './support/memory-registry.ts';
import { describeWithPrograms, run, startProgram } from './support/programs.ts';
import { makeTempDir, removeTempDir } from './support/temp-dir.ts';
import { cli } from './support/trial.ts';

const example = (name: string): string => fileURLToPath(new URL(`../deploy/logs/${name}`, import.meta.url));
const textOf = (name: string): Promise<string> => readFile(example(name), 'utf8');
const labels = ['event', 'decision', 'level'];

let dir: string;
let audit: string;
let registry: MemoryRegistry;
/** What the gateway wrote to standard output, and to its audit file. */
let said: readonly string[];
let filed: readonly string[];
const linesOf = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');
const jsonOf = (line: string) => JSON.parse(line) as Readonly<Record<string, unknown>>;

beforeAll(async () => {
  dir = await makeTempDir('logs');
  audit = join(dir, 'audit');
  registry = await startMemoryRegistry();
  const gateway = await startGatewayProcess({
    ...{ upstream: registry.url, policies: { 'p.yaml': policy } },
    env: { PORTCULLIS_AUDIT_DIRECTORY: audit },
  });
  const ask = (path: string, headers: Readonly<Record<string, string>>, method = 'GET'): Promise<number> =>
    new Promise((resolve, reject) => {
      const asked = request(`${gateway.url}${path}`, { method, headers }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0));
      });
      asked.once('error', reject).end();
    });
  const authorization = `Basic ${basic}`;
  // Text of strangers: quotes, what looks like a line of another log, and long enough for no small buffer.
  const agents = [
    'docker/29',
    '"; } <30>Nov 27 00:00:00 x sshd[1]: accepted',
    '%msg% $!event {{ event }}',
    'x'.repeat(20_000),
  ];
  for (const agent of agents)
    for (const path of ['/v2/mine/app/manifests/v1', '/v2/other/app/manifests/v1', '/token?account=dana', '/nowhere'])
      await ask(path, { authorization, 'user-agent': agent });
  await ask('/v2/mine/app/blobs/uploads/', { authorization }, 'POST');
  await ask('/v2/', { authorization: `Basic ${Buffer.from('dana:wrong').toString('base64')}` });
  await gateway.stop();
  said = linesOf(gateway.stdout()).filter((line) => line.startsWith('{'));
  const [name = ''] = (await readdir(audit)).filter((each) => each.endsWith('.jsonl'));
  filed = linesOf(await readFile(join(audit, name), 'utf8'));
  expect([said.length > 20, filed.length > 18]).toEqual([true, true]);
});
afterAll(async () => {
  await registry?.close();
  await removeTempDir(dir);
});

test('every line is one of `schema audit`: no field has another type than it says', () => {
  for (const line of [...filed, ...said.filter((each) => jsonOf(each)['event'] !== undefined)]) {
    const read = auditLineSchema.safeParse(jsonOf(line));
    expect(read.error?.message, line).toBeUndefined();
  }
});

test('Loki gets three labels, and of each a handful of values', async () => {
  const vector = parse(await textOf('vector.yaml')) as {
    readonly sinks: { readonly loki: { readonly labels: object } };
  };
  expect(Object.entries(vector.sinks.loki.labels)).toEqual(labels.map((name) => [name, `{{ ${name} }}`]));
  const [, keys = ''] = /^\s*Label_Keys\s+(\S+)$/m.exec(await textOf('fluent-bit.conf')) ?? [];
  expect(keys.split(',')).toEqual(labels.map((name) => `$${name}`));
});

test('the time of every line has the form that the parser of Fluent Bit names', async () => {
  const [, form = ''] = /^\s*Time_Format\s+(\S+)$/m.exec(await textOf('fluent-bit-parsers.conf')) ?? [];
  const parts: Readonly<Record<string, string>> = { Y: '\\d{4}', L: '\\d{1,9}', z: '(?:Z|[+-]\\d{4})' };
  const pattern = new RegExp(`^${form.replace(/%(\w)/g, (_all, letter: string) => parts[letter] ?? '\\d\\d')}$`);
  for (const line of [...filed, ...said]) expect(jsonOf(line)['time'], line).toMatch(pattern);
});

describeWithPrograms(['portcullis-log-python'], 'the nearest parsers', () => {
  const python = async (program: string, input: string): Promise<string> => {
    const result = await run('portcullis-log-python', ['-c', program], { input });
    expect(result.code, result.stderr).toBe(0);
    return result.stdout;
  };

  test('Vector makes one event of a line, with all that it says, and labels for every one', async () => {
    const program = `
import json, sys, pyvrl
remap = pyvrl.Transform(open(${JSON.stringify(example('portcullis.vrl'))}).read())
for line in sys.stdin.read().split("\\n"):
    if line: print(json.dumps(remap.remap({"message": line, "host": "gate"}), default=str))
`;
    const lines = [...filed, ...said, 'Error: no JSON', '[1]', '"text"', '{"half":'];
    const events = linesOf(await python(program, lines.join('\n'))).map(jsonOf);
    expect(events).toHaveLength(lines.length);
    for (const [at, line] of lines.entries()) {
      const {
        event = 'log',
        decision = 'none',
        level = 'info',
        ...rest
      } = line.startsWith('{"') && line.endsWith('}') ? jsonOf(line) : { message: line };
      expect(events[at]).toMatchObject({ ...rest, event, decision, level, host: 'gate' });
    }
    for (const name of labels) expect(new Set(events.map((event) => event[name])).size).toBeLessThan(10);
  });

  test.each(['fluent-bit.conf', 'fluent-bit-parsers.conf'])('%s has the syntax of Fluent Bit', async (name) => {
    const program = `
import sys, tree_sitter, tree_sitter_fluentbit
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_fluentbit.language()))
print(parser.parse(sys.stdin.read().encode()).root_node.has_error)
`;
    const text = await textOf(name);
    expect(await python(program, text)).toBe('False\n');
    expect(await python(program, text.replace(']', ''))).toBe('True\n');
  });
});

describeWithPrograms(['rsyslogd', 'logger', 'logrotate'], 'with rsyslog', () => {
  test('decisions are in a file of their own, as they were written, and logrotate loses none', async () => {
    const at = join(dir, 'rsyslog');
    await mkdir(at);
    const own = join(at, 'portcullis');
    const decisions = join(own, 'decisions.jsonl');
    const rest = join(at, 'rest.log');
    const socket = join(at, 'log');
    const moved = (text: string): string => text.replaceAll('/var/log/portcullis', own);
    await writeFile(join(at, '30-portcullis.conf'), moved(await textOf('rsyslog.conf')));
    const main = `global(maxMessageSize="64k" workDirectory="${at}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" CreatePath="on" RateLimit.Interval="0")
include(file="${join(at, '30-portcullis.conf')}")
action(type="omfile" file="${rest}")
`;
    await writeFile(join(at, 'rsyslog.conf'), main);
    const pidFile = join(at, 'pid');
    const checked = await run('rsyslogd', ['-N1', '-f', join(at, 'rsyslog.conf')]);
    expect(checked.code, checked.stderr).toBe(0);
    const daemon = await startProgram('rsyslogd', ['-n', '-f', join(at, 'rsyslog.conf'), '-i', pidFile], {
      isReady: () =>
        stat(socket).then(
          () => true,
          () => false,
        ),
    });
    onTestFinished(async () => void (await daemon.stop()));
    const log = async (lines: readonly string[], tag = 'portcullis'): Promise<void> => {
      const sent = await run('logger', ['-u', socket, '-t', tag, '-S', '65536', '--'], {
        input: `${lines.join('\n')}\n`,
      });
      expect(sent.code, sent.stderr).toBe(0);
    };
    const written = async (path: string): Promise<readonly string[]> =>
      linesOf(await readFile(path, 'utf8').catch(() => ''));
    const isDecision = (line: string): boolean => 'event' in jsonOf(line);
    await log([...said, 'Error: no JSON']);
    await log(['{"event":"access"} of somebody else'], 'other');
    const wanted = said.filter(isDecision);
    await eventually('all are written', async () => (await written(decisions)).length >= wanted.length);
    expect(await written(decisions)).toEqual(wanted);
    await eventually('the rest is there', async () => (await written(rest)).length >= said.length - wanted.length + 2);
    expect((await readFile(rest, 'utf8')).match(/ (?:portcullis|other)\S*: .*/g)?.length).toBe(
      said.length - wanted.length + 2,
    );

    // Debian's script signals the daemon of the system; here it is this one.
    const rotation = moved(await textOf('logrotate.conf'))
      .replace('/usr/lib/rsyslog/rsyslog-rotate', `kill -HUP ${daemon.pid}`)
      .replace('root adm', 'root root');
    await writeFile(join(at, 'logrotate.conf'), rotation, { mode: 0o600 });
    const rotated = await run('logrotate', ['--force', '--state', join(at, 'state'), join(at, 'logrotate.conf')]);
    expect(rotated.code, rotated.stderr).toBe(0);
    await log(said);
    await eventually('they go on', async () => (await written(decisions)).length >= wanted.length);
    expect(await written(decisions)).toEqual(wanted);
    const [old = ''] = (await readdir(own)).filter((name) => name.startsWith('decisions.jsonl-'));
    expect(await written(join(own, old))).toEqual(wanted);
  });

  test('an audit file that logrotate took is missed by `audit verify`: nothing may rotate these', async () => {
    const copy = join(dir, 'rotated');
    await cp(audit, copy, { recursive: true });
    const verify = () =>
      run(process.execPath, [cli, 'audit', 'verify', copy], { cwd: dir, env: { NODE_ENV: 'production' } });
    expect((await verify()).code).toBe(0);
    const conf = join(dir, 'wrong.conf');
    await writeFile(conf, `${copy}/*.jsonl {\n  rotate 5\n  copytruncate\n}\n`, { mode: 0o600 });
    const rotated = await run('logrotate', ['--force', '--state', join(dir, 'wrong-state'), conf]);
    expect(rotated.code, rotated.stderr).toBe(0);
    expect((await verify()).code).toBe(1);
  });
});
