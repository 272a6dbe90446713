import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Client, type GoProgram, createGoClient } from '../support/docker.ts';
import { createTar } from '../support/image.ts';
import type { RunResult } from '../support/programs.ts';
import {
  type Kind,
  type Step,
  compareClients,
  digestAt,
  missing,
  silently,
  withoutEngine,
} from './support/comparison.ts';
import type { Terminal } from './support/terminal.ts';

/** What is told, with the words that this client's name for the site gives. */
const does =
  (...args: readonly string[]): Step['act'] =>
  ({ run, site }) =>
    run(args.map((arg) => arg.replace('HOST', site.host)));

const open = (name: GoProgram): Pick<Kind, 'name' | 'needs' | 'start'> => ({
  name,
  needs: [name],
  start: withoutEngine(() => createGoClient(name)),
});

const signIn =
  (...args: readonly string[]): Step['act'] =>
  ({ run, site, login }) =>
    run([...args.slice(0, -1), '-u', login.account, args.at(-1) ?? '', site.host], login.password);

/** Of a moment, unless one is named: a manifest that says when it was made is another at each site. */
const created = 'org.opencontainers.image.created=2026-01-01T00:00:00Z';

const crane: Kind = {
  ...open('crane'),
  steps: [
    { name: 'login', act: signIn('auth', 'login', '--password-stdin') },
    { name: 'push', act: does('push', 'one', 'HOST/crane/one:1') },
    { name: 'push of the same image again', act: does('push', 'one', 'HOST/crane/one:1') },
    { name: 'push of an index', act: does('push', '--index', 'index', 'HOST/crane/index:1') },
    { name: 'push of a large layer', act: does('push', 'large', 'HOST/crane/large:1') },
    { name: 'pull', act: does('pull', 'HOST/crane/one:1', 'one-pulled.tar') },
    { name: 'pull of an index', act: does('pull', '--format', 'oci', 'HOST/crane/index:1', 'index-pulled') },
    {
      name: 'pull by digest',
      act: ({ run, site, images }) => run(['manifest', `${site.host}/crane/one@${images.one.digest}`]),
    },
    { name: 'digest', act: does('digest', 'HOST/crane/one:1') },
    { name: 'configuration', act: does('config', 'HOST/crane/one:1') },
    { name: 'validation of every layer', act: does('validate', '--remote', 'HOST/crane/large:1') },
    { name: 'a tag more', act: does('tag', 'HOST/crane/one:1', '2') },
    { name: 'copy to another repository', act: does('copy', 'HOST/crane/index:1', 'HOST/crane/other:1') },
    { name: 'copy of all tags', act: does('copy', '--all-tags', 'HOST/crane/one', 'HOST/crane/every') },
    { name: 'a layer more', act: does('append', '-b', 'HOST/crane/one:1', '-f', 'one.tar', '-t', 'HOST/crane/one:3') },
    { name: 'list of tags', act: does('ls', 'HOST/crane/one') },
    { name: 'list of repositories', act: does('catalog', 'HOST') },
    { name: 'pull of a tag that is not there', fails: true, act: does('pull', 'HOST/crane/one:none', 'none.tar') },
    { name: 'pull of a digest that is not there', fails: true, act: does('manifest', `HOST/crane/one@${missing}`) },
    { name: 'list of tags of a repository that is not there', fails: true, act: does('ls', 'HOST/crane/none') },
    {
      name: 'deletion of a digest',
      act: async (t) => t.run(['delete', `${t.site.host}/crane/every@${await digestAt(t.site, 'crane/every', '1')}`]),
    },
    { name: 'deletion of what is not there', fails: true, act: does('delete', `HOST/crane/every@${missing}`) },
    { name: 'logout', act: does('auth', 'logout', 'HOST') },
  ],
};

const plainHttp = '--plain-http';
const oras: Kind = {
  ...open('oras'),
  steps: [
    { name: 'login', act: signIn('login', plainHttp, '--password-stdin') },
    {
      name: 'push of files',
      act: does('push', plainHttp, '--no-tty', '--annotation', created, 'HOST/oras/files:1', 'one.tar', 'index.tar'),
    },
    {
      name: 'push of files again',
      act: does('push', plainHttp, '--no-tty', '--annotation', created, 'HOST/oras/files:1', 'one.tar', 'index.tar'),
    },
    { name: 'pull of files', act: does('pull', plainHttp, '--no-tty', '--output', 'pulled', 'HOST/oras/files:1') },
    {
      name: 'push of an image',
      act: does('cp', '--no-tty', '--from-oci-layout', 'one:1', '--to-plain-http', 'HOST/oras/one:1'),
    },
    {
      name: 'push of an index',
      act: does('cp', '--no-tty', '--from-oci-layout', 'index:1', '--to-plain-http', 'HOST/oras/index:1'),
    },
    {
      name: 'copy to another repository',
      act: does('cp', '--no-tty', '--from-plain-http', '--to-plain-http', 'HOST/oras/index:1', 'HOST/oras/other:1'),
    },
    ...['a', 'b'].map((name) => ({
      name: `attachment ${name}`,
      act: does(
        ...['attach', plainHttp, '--no-tty', '--artifact-type', `test/${name}`, '--annotation', created],
        ...['HOST/oras/one:1', 'one.tar'],
      ),
    })),
    { name: 'what is attached', act: does('discover', plainHttp, '--format', 'json', 'HOST/oras/one:1') },
    { name: 'manifest', act: does('manifest', 'fetch', plainHttp, 'HOST/oras/one:1') },
    { name: 'digest', act: does('resolve', plainHttp, 'HOST/oras/one:1') },
    { name: 'a tag more', act: does('tag', plainHttp, 'HOST/oras/one:1', '2', '3') },
    { name: 'list of tags', act: does('repo', 'tags', plainHttp, 'HOST/oras/one') },
    { name: 'list of repositories', act: does('repo', 'ls', plainHttp, 'HOST') },
    { name: 'push of a blob', act: does('blob', 'push', plainHttp, '--no-tty', 'HOST/oras/one', 'large.tar') },
    { name: 'pull of a tag that is not there', fails: true, act: does('pull', plainHttp, 'HOST/oras/one:none') },
    {
      name: 'pull of a digest that is not there',
      fails: true,
      act: does('manifest', 'fetch', plainHttp, `HOST/oras/one@${missing}`),
    },
    {
      name: 'list of tags of a repository that is not there',
      fails: true,
      act: does('repo', 'tags', plainHttp, 'HOST/oras/none'),
    },
    { name: 'deletion', act: does('manifest', 'delete', plainHttp, '--force', 'HOST/oras/files:1') },
    {
      name: 'deletion of what was deleted',
      fails: true,
      act: does('manifest', 'delete', plainHttp, 'HOST/oras/files:1'),
    },
    { name: 'logout', act: does('logout', 'HOST') },
  ],
};

const quiet = ['--verbosity', 'error'];
const regctl: Kind = {
  ...open('regctl'),
  steps: [
    {
      name: 'login',
      act: async (t) => {
        const settings = [
          '--skip-check',
          '--tls',
          'disabled',
          '--blob-chunk',
          '65536',
          '--blob-max',
          '100000',
          t.site.host,
        ];
        await silently(t, [...quiet, 'registry', 'set', ...settings]);
        return signIn(...quiet, 'registry', 'login', '--pass-stdin')(t);
      },
    },
    { name: 'push', act: does(...quiet, 'image', 'copy', 'ocidir://one:1', 'HOST/regctl/one:1') },
    {
      name: 'push of the same image again',
      act: does(...quiet, 'image', 'copy', 'ocidir://one:1', 'HOST/regctl/one:1'),
    },
    { name: 'push of an index', act: does(...quiet, 'image', 'copy', 'ocidir://index:1', 'HOST/regctl/index:1') },
    { name: 'push in chunks', act: does(...quiet, 'image', 'copy', 'ocidir://large:1', 'HOST/regctl/large:1') },
    { name: 'pull', act: does(...quiet, 'image', 'copy', 'HOST/regctl/large:1', 'ocidir://pulled:1') },
    { name: 'export', act: does(...quiet, 'image', 'export', 'HOST/regctl/one:1', 'exported.tar') },
    {
      name: 'copy to another repository',
      act: does(...quiet, 'image', 'copy', 'HOST/regctl/index:1', 'HOST/regctl/other:1'),
    },
    {
      name: 'an artifact with a subject',
      act: ({ run, site }) =>
        run(
          [...quiet, 'artifact', 'put', '--artifact-type', 'test/a', '--subject', `${site.host}/regctl/one:1`],
          'an attachment',
        ),
    },
    { name: 'what is attached', act: does(...quiet, 'artifact', 'list', 'HOST/regctl/one:1') },
    { name: 'manifest', act: does(...quiet, 'manifest', 'get', 'HOST/regctl/index:1') },
    { name: 'digest', act: does(...quiet, 'image', 'digest', 'HOST/regctl/one:1') },
    { name: 'list of tags', act: does(...quiet, 'tag', 'ls', 'HOST/regctl/one') },
    { name: 'list of repositories', act: does(...quiet, 'repo', 'ls', 'HOST') },
    { name: 'deletion of a tag', act: does(...quiet, 'tag', 'delete', 'HOST/regctl/other:1') },
    {
      name: 'deletion of a tag that is not there',
      fails: true,
      act: does(...quiet, 'tag', 'delete', 'HOST/regctl/one:none'),
    },
    {
      name: 'manifest of a tag that is not there',
      fails: true,
      act: does(...quiet, 'manifest', 'get', 'HOST/regctl/one:none'),
    },
    {
      name: 'list of tags of a repository that is not there',
      fails: true,
      act: does(...quiet, 'tag', 'ls', 'HOST/regctl/none'),
    },
    {
      name: 'deletion of a manifest',
      act: async (t) =>
        t.run([
          ...quiet,
          'manifest',
          'delete',
          `${t.site.host}/regctl/large@${await digestAt(t.site, 'regctl/large', '1')}`,
        ]),
    },
    { name: 'logout', act: does(...quiet, 'registry', 'logout', 'HOST') },
  ],
};

/** The same archive at both sites: Helm would write the moment into one that it packs, and takes the file's for the manifest. */
const chart = gzipSync(
  createTar(new Map([['app/Chart.yaml', Buffer.from('apiVersion: v2\nname: app\nversion: 1.0.0\n')]])),
);
const withChart =
  (act: Step['act']): Step['act'] =>
  async (t: Terminal): Promise<RunResult> => {
    await addChart(t.client);
    return act(t);
  };

async function addChart({ dir }: Client): Promise<void> {
  const path = join(dir, 'app-1.0.0.tgz');
  await writeFile(path, chart);
  await utimes(path, 1_767_225_600, 1_767_225_600);
}

const helm: Kind = {
  ...open('helm'),
  steps: [
    { name: 'login', act: signIn('registry', 'login', plainHttp, '--password-stdin') },
    { name: 'push', act: withChart(does('push', plainHttp, 'app-1.0.0.tgz', 'oci://HOST/helm')) },
    { name: 'push of the same chart again', act: does('push', plainHttp, 'app-1.0.0.tgz', 'oci://HOST/helm') },
    { name: 'push to another repository', act: does('push', plainHttp, 'app-1.0.0.tgz', 'oci://HOST/helm/other') },
    { name: 'pull', act: does('pull', plainHttp, '--version', '1.0.0', 'oci://HOST/helm/app') },
    { name: 'pull of the newest version', act: does('pull', plainHttp, 'oci://HOST/helm/app') },
    {
      name: 'pull, unpacked',
      act: does('pull', plainHttp, '--untar', '--untardir', 'unpacked', 'oci://HOST/helm/app'),
    },
    { name: 'show', act: does('show', 'chart', plainHttp, 'oci://HOST/helm/app') },
    {
      name: 'pull of a version that is not there',
      fails: true,
      act: does('pull', plainHttp, '--version', '9.9.9', 'oci://HOST/helm/app'),
    },
    { name: 'pull of a chart that is not there', fails: true, act: does('pull', plainHttp, 'oci://HOST/helm/none') },
    { name: 'logout', act: does('registry', 'logout', 'HOST') },
  ],
};

compareClients([crane, oras, regctl, helm]);
