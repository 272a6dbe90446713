import { expect } from 'vitest';
import {
  type Client,
  createBuildahClient,
  createCtrClient,
  createDockerClient,
  createPodmanClient,
  createSkopeoClient,
  startContainerd,
  startDocker,
} from '../support/docker.ts';
import type { RunResult } from '../support/programs.ts';
import {
  type Kind,
  type Step,
  compareClients,
  digestAt,
  interrupted,
  logIn,
  missing,
  silently,
  withoutEngine,
} from './support/comparison.ts';
import type { Terminal } from './support/terminal.ts';

const from = '--src-tls-verify=false';
const to = '--dest-tls-verify=false';
const open = '--tls-verify=false';

const docker: Kind = {
  name: 'docker',
  needs: ['root', 'docker', 'dockerd', 'containerd', 'ctr'],
  isShared: true,
  start: async () => {
    const engine = await startDocker();
    return { open: () => createDockerClient(engine), stop: engine.stop };
  },
  steps: [
    {
      name: 'login',
      act: logIn(),
      onlyWithoutUs: {
        lines: [
          'Configure a credential helper to remove this warning. See',
          "WARNING! Your credentials are stored unencrypted in 'DIR/config/config.json'.",
          'https://docs.docker.com/go/credential-store/',
        ],
        why: 'behind us docker keeps a session that can be revoked, and no password',
      },
    },
    {
      name: 'push',
      act: async (t) => {
        await t.run(['load'], t.images.archives.one);
        await silently(t, ['tag', 'one:1', `${t.site.host}/docker/one:1`]);
        return t.run(['push', `${t.site.host}/docker/one:1`]);
      },
    },
    { name: 'push of the same image again', act: ({ run, site }) => run(['push', `${site.host}/docker/one:1`]) },
    {
      name: 'push to another repository',
      act: async (t) => {
        await silently(t, ['tag', 'one:1', `${t.site.host}/docker/other:1`]);
        return t.run(['push', `${t.site.host}/docker/other:1`]);
      },
    },
    {
      name: 'pull',
      act: async (t) => {
        const { host } = t.site;
        await silently(t, ['image', 'rm', `${host}/docker/one:1`, `${host}/docker/other:1`, 'one:1']);
        return t.run(['pull', `${host}/docker/one:1`]);
      },
    },
    { name: 'pull of what is there', act: ({ run, site }) => run(['pull', `${site.host}/docker/other:1`]) },
    {
      name: 'pull by digest',
      act: async (t) => {
        const digest = await digestAt(t.site, 'docker/one', '1');
        return t.run(['pull', `${t.site.host}/docker/one@${digest}`]);
      },
    },
    {
      name: 'pull of all tags',
      act: ({ run, site }) => run(['pull', '--all-tags', `${site.host}/docker/one`]),
    },
    {
      name: 'push of all tags',
      act: async (t) => {
        await silently(t, ['tag', `${t.site.host}/docker/one:1`, `${t.site.host}/docker/one:2`]);
        return t.run(['push', '--all-tags', `${t.site.host}/docker/one`]);
      },
    },
    {
      name: 'manifest inspect',
      act: ({ run, site }) => run(['manifest', 'inspect', '--insecure', `${site.host}/docker/one:1`]),
    },
    {
      name: 'push of an index',
      act: async (t) => {
        const [index, part] = [`${t.site.host}/docker/index:1`, `${t.site.host}/docker/one:1`];
        await silently(
          t,
          ['manifest', 'create', '--insecure', index, part],
          ['manifest', 'annotate', '--arch', 'arm64', index, part],
        );
        return t.run(['manifest', 'push', '--insecure', index]);
      },
    },
    {
      name: 'a pull that is broken off, and goes on',
      act: interrupted(async (t, host) => {
        await t.run(['load'], t.images.archives.large);
        await silently(
          t,
          ['tag', 'large:1', `${t.site.host}/docker/large:1`],
          ['push', `${t.site.host}/docker/large:1`],
        );
        await silently(t, ['image', 'rm', 'large:1', `${t.site.host}/docker/large:1`]);
        await t.run(['login', '-u', t.login.account, '--password-stdin', host], t.login.password);
        const pulled = await t.run(['pull', `${host}/docker/large:1`]);
        await silently(t, ['image', 'rm', `${host}/docker/large:1`]);
        return pulled;
      }),
    },
    {
      name: 'pull of a tag that is not there',
      fails: true,
      act: ({ run, site }) => run(['pull', `${site.host}/docker/one:none`]),
    },
    {
      name: 'pull of a digest that is not there',
      fails: true,
      act: ({ run, site }) => run(['pull', `${site.host}/docker/one@${missing}`]),
    },
    {
      name: 'pull from a repository that is not there',
      fails: true,
      act: ({ run, site }) => run(['pull', `${site.host}/docker/none:1`]),
    },
    {
      name: 'pull of all tags of a repository that is not there',
      fails: true,
      act: ({ run, site }) => run(['pull', '--all-tags', `${site.host}/docker/none`]),
    },
    {
      name: 'manifest inspect of a tag that is not there',
      fails: true,
      act: ({ run, site }) => run(['manifest', 'inspect', '--insecure', `${site.host}/docker/none:1`]),
    },
    {
      name: 'logout',
      act: async (t) => {
        // What one site left would be there already for the other.
        const { stdout } = await t.run(['image', 'ls', '--quiet', '--no-trunc']);
        await t.run(['image', 'rm', '--force', ...new Set(stdout.trim().split('\n'))]);
        return t.run(['logout', t.site.host]);
      },
    },
  ],
};

const skopeo: Kind = {
  name: 'skopeo',
  needs: ['skopeo'],
  start: withoutEngine(createSkopeoClient),
  steps: [
    { name: 'login', act: logIn(open) },
    { name: 'push', act: ({ run, site }) => run(['copy', to, 'oci:one:1', `docker://${site.host}/skopeo/one:1`]) },
    {
      name: 'push of the same image again',
      act: ({ run, site }) => run(['copy', to, 'oci:one:1', `docker://${site.host}/skopeo/one:1`]),
    },
    {
      name: 'push in Docker’s format',
      act: ({ run, site }) =>
        run(['copy', to, '--format', 'v2s2', 'oci:one:1', `docker://${site.host}/skopeo/one:docker`]),
    },
    {
      name: 'push of an index',
      act: ({ run, site }) => run(['copy', to, '--all', 'oci:index:1', `docker://${site.host}/skopeo/index:1`]),
    },
    { name: 'pull', act: ({ run, site }) => run(['copy', from, `docker://${site.host}/skopeo/one:1`, 'dir:pulled']) },
    {
      name: 'pull by digest',
      act: ({ run, site, images }) =>
        run(['copy', from, `docker://${site.host}/skopeo/one@${images.one.digest}`, 'dir:pulled']),
    },
    {
      name: 'pull of an index',
      act: ({ run, site }) => run(['copy', from, '--all', `docker://${site.host}/skopeo/index:1`, 'dir:pulled-index']),
    },
    {
      name: 'pull for this platform',
      act: ({ run, site }) => run(['copy', from, `docker://${site.host}/skopeo/index:1`, 'dir:pulled-part']),
    },
    {
      name: 'push to another repository',
      act: ({ run, site }) => run(['copy', to, 'dir:pulled', `docker://${site.host}/skopeo/other:1`]),
    },
    {
      name: 'copy to another repository',
      act: ({ run, site }) =>
        run([
          'copy',
          from,
          to,
          '--all',
          `docker://${site.host}/skopeo/index:1`,
          `docker://${site.host}/skopeo/other:index`,
        ]),
    },
    { name: 'inspect', act: ({ run, site }) => run(['inspect', open, `docker://${site.host}/skopeo/one:1`]) },
    {
      name: 'inspect --raw',
      act: ({ run, site }) => run(['inspect', open, '--raw', `docker://${site.host}/skopeo/index:1`]),
    },
    {
      name: 'inspect --config',
      act: ({ run, site }) => run(['inspect', open, '--config', `docker://${site.host}/skopeo/one:1`]),
    },
    { name: 'list of tags', act: ({ run, site }) => run(['list-tags', open, `docker://${site.host}/skopeo/one`]) },
    {
      name: 'sync to a folder',
      act: ({ run, site }) =>
        run(['sync', from, '--all', '--src', 'docker', '--dest', 'dir', `${site.host}/skopeo/other`, 'synced']),
    },
    {
      name: 'a pull that is broken off',
      // This version does not go on by itself.
      fails: true,
      act: interrupted(async ({ run, site, login }, host) => {
        await run(['copy', to, 'oci:large:1', `docker://${site.host}/skopeo/large:1`]);
        return run([
          'copy',
          from,
          '--src-creds',
          `${login.account}:${login.password}`,
          `docker://${host}/skopeo/large:1`,
          'dir:large-pulled',
        ]);
      }),
    },
    {
      name: 'pull of a tag that is not there',
      fails: true,
      act: ({ run, site }) => run(['copy', from, `docker://${site.host}/skopeo/one:none`, 'dir:none']),
    },
    {
      name: 'pull of a digest that is not there',
      fails: true,
      act: ({ run, site }) => run(['copy', from, `docker://${site.host}/skopeo/one@${missing}`, 'dir:none']),
    },
    {
      name: 'inspect of a repository that is not there',
      fails: true,
      act: ({ run, site }) => run(['inspect', open, `docker://${site.host}/skopeo/none`]),
    },
    {
      name: 'list of tags of a repository that is not there',
      fails: true,
      act: ({ run, site }) => run(['list-tags', open, `docker://${site.host}/skopeo/none`]),
    },
    {
      name: 'deletion of a tag that is not there',
      fails: true,
      act: ({ run, site }) => run(['delete', open, `docker://${site.host}/skopeo/one:none`]),
    },
    { name: 'deletion', act: ({ run, site }) => run(['delete', open, `docker://${site.host}/skopeo/one:docker`]) },
    {
      name: 'deletion of what was deleted',
      fails: true,
      act: ({ run, site }) => run(['delete', open, `docker://${site.host}/skopeo/one:docker`]),
    },
    { name: 'logout', act: ({ run, site }) => run(['logout', site.host]) },
  ],
};

const store = (name: 'podman' | 'buildah', create: () => Promise<Client>, more: readonly Step[]): Kind => ({
  name,
  needs: ['root', name],
  start: withoutEngine(create),
  steps: [
    { name: 'login', act: logIn(open) },
    {
      name: 'push',
      act: async (t) => {
        await silently(t, ['pull', '--quiet', 'oci:one:1']);
        const { stdout } = await t.run(['images', '--quiet', '--no-trunc']);
        await silently(t, ['tag', stdout.trim(), 'localhost/one:1']);
        return t.run(['push', open, 'localhost/one:1', `docker://${t.site.host}/${name}/one:1`]);
      },
    },
    {
      name: 'push of the same image again',
      act: ({ run, site }) => run(['push', open, 'localhost/one:1', `docker://${site.host}/${name}/one:1`]),
    },
    {
      name: 'push to another repository',
      act: ({ run, site }) => run(['push', open, 'localhost/one:1', `docker://${site.host}/${name}/other:1`]),
    },
    {
      name: 'pull',
      act: async (t) => {
        await silently(t, ['rmi', '--all', '--force']);
        return t.run(['pull', open, `${t.site.host}/${name}/one:1`]);
      },
    },
    {
      name: 'pull by digest',
      act: async (t) =>
        t.run(['pull', open, `${t.site.host}/${name}/one@${await digestAt(t.site, `${name}/one`, '1')}`]),
    },
    {
      name: 'push of an index',
      act: async (t) => {
        await silently(
          t,
          ['manifest', 'create', 'index'],
          ['manifest', 'add', open, 'index', `docker://${t.site.host}/${name}/one:1`],
        );
        return t.run(['manifest', 'push', open, '--all', 'index', `docker://${t.site.host}/${name}/index:1`]);
      },
    },
    {
      name: 'pull of a tag that is not there',
      fails: true,
      act: ({ run, site }) => run(['pull', open, `${site.host}/${name}/one:none`]),
    },
    {
      name: 'pull from a repository that is not there',
      fails: true,
      act: ({ run, site }) => run(['pull', open, `${site.host}/${name}/none:1`]),
    },
    ...more,
    { name: 'logout', act: ({ run, site }) => run(['logout', site.host]) },
  ],
});

const podman = store('podman', createPodmanClient, [
  { name: 'search for repositories', act: ({ run, site }) => run(['search', open, `${site.host}/podman`]) },
  { name: 'list of tags', act: ({ run, site }) => run(['search', open, '--list-tags', `${site.host}/podman/one`]) },
  {
    name: 'list of tags of a repository that is not there',
    fails: true,
    act: ({ run, site }) => run(['search', open, '--list-tags', `${site.host}/podman/none`]),
  },
]);

const buildah = store('buildah', createBuildahClient, [
  {
    name: 'a container from an image',
    act: ({ run, site }) => run(['from', open, '--pull-always', '--name', 'work', `${site.host}/buildah/one:1`]),
  },
  {
    name: 'a container from an image that is not there',
    fails: true,
    act: ({ run, site }) => run(['from', open, `${site.host}/buildah/none:1`]),
  },
]);

/** It keeps no login: the password goes with every command. */
const ctr =
  (images: 'images' | 'content', verb: string, ...args: readonly string[]) =>
  ({ run, login }: Terminal): Promise<RunResult> =>
    run([images, verb, '--plain-http', '--user', `${login.account}:${login.password}`, ...args]);

const containerd: Kind = {
  name: 'ctr',
  needs: ['root', 'containerd', 'ctr'],
  isShared: true,
  start: async () => {
    const engine = await startContainerd();
    return { open: () => createCtrClient(engine), stop: engine.stop };
  },
  steps: [
    {
      name: 'push',
      act: async (t) => {
        const name = `${t.site.host}/ctr/one`;
        await silently(t, ['images', 'import', '--no-unpack', '--base-name', name, `${t.client.dir}/one.tar`]);
        return ctr('images', 'push', `${name}:1`)(t);
      },
    },
    { name: 'push of the same image again', act: (t) => ctr('images', 'push', `${t.site.host}/ctr/one:1`)(t) },
    {
      name: 'push of an index',
      act: async (t) => {
        const name = `${t.site.host}/ctr/index`;
        await silently(t, [
          'images',
          'import',
          '--no-unpack',
          '--all-platforms',
          '--base-name',
          name,
          `${t.client.dir}/index.tar`,
        ]);
        return ctr('images', 'push', `${name}:1`)(t);
      },
    },
    {
      name: 'pull',
      act: async (t) => {
        await silently(t, ['images', 'rm', '--sync', `${t.site.host}/ctr/one:1`]);
        return ctr('images', 'pull', '--snapshotter', 'native', `${t.site.host}/ctr/one:1`)(t);
      },
    },
    {
      name: 'push to another repository',
      act: async (t) => {
        await silently(t, ['images', 'tag', `${t.site.host}/ctr/one:1`, `${t.site.host}/ctr/other:1`]);
        return ctr('images', 'push', `${t.site.host}/ctr/other:1`)(t);
      },
    },
    {
      name: 'pull by digest',
      act: (t) => ctr('images', 'pull', '--snapshotter', 'native', `${t.site.host}/ctr/one@${t.images.one.digest}`)(t),
    },
    {
      name: 'pull of an index with all its parts',
      act: async (t) => {
        await silently(t, ['images', 'rm', '--sync', `${t.site.host}/ctr/index:1`]);
        return ctr('content', 'fetch', '--all-platforms', `${t.site.host}/ctr/index:1`)(t);
      },
    },
    {
      name: 'a pull that is broken off, and goes on',
      act: interrupted(async (t, host) => {
        const name = `${t.site.host}/ctr/large`;
        await silently(t, ['images', 'import', '--no-unpack', '--base-name', name, `${t.client.dir}/large.tar`]);
        const pushed = await ctr('images', 'push', `${name}:1`)(t);
        expect(pushed.code).toBe(0);
        await silently(t, ['images', 'rm', '--sync', `${name}:1`]);
        const pulled = await ctr('content', 'fetch', `${host}/ctr/large:1`)(t);
        await silently(t, ['images', 'rm', '--sync', `${host}/ctr/large:1`]);
        return pulled;
      }),
    },
    {
      name: 'pull of a tag that is not there',
      fails: true,
      act: (t) => ctr('images', 'pull', `${t.site.host}/ctr/one:none`)(t),
    },
    {
      name: 'pull of a digest that is not there',
      fails: true,
      act: (t) => ctr('images', 'pull', `${t.site.host}/ctr/one@${missing}`)(t),
    },
    {
      name: 'pull from a repository that is not there',
      fails: true,
      act: (t) => ctr('images', 'pull', `${t.site.host}/ctr/none:1`)(t),
    },
    {
      name: 'what it has in the end',
      act: async ({ run }) => {
        const listed = await run(['images', 'ls', '--quiet']);
        await run(['images', 'rm', '--sync', ...listed.stdout.trim().split('\n')]);
        return listed;
      },
    },
  ],
};

compareClients([docker, skopeo, podman, buildah, containerd]);
