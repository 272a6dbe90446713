/** The commands that pages show, run as they stand there by the clients that they are for. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import { registries } from '../conformance/registries.mjs';
import { openSheet, startBrowser } from '../support/browser.ts';
import {
  type Client,
  type Docker,
  createDockerClient,
  createGoClient,
  createPodmanClient,
  createSkopeoClient,
  startDocker,
} from '../support/docker.ts';
import { type PageSite, password, startPageSite } from '../support/page-site.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { logIn, openContext, windows } from './visit.ts';

const repository = 'integration/shop/checkout';

for (const name of ['distribution2', 'zot'] as const)
  describeWithPrograms(
    [
      ...(name === 'zot' ? ['zot'] : ['docker-registry']),
      'chromium',
      'root',
      'docker',
      'dockerd',
      'containerd',
      'skopeo',
      'podman',
    ],
    `a command of the page, in front of ${name}`,
    () => {
      let dir: string;
      let site: PageSite;
      let browser: Browser;
      let docker: Docker;
      let commands: readonly string[];
      let charts: readonly string[];
      beforeAll(async () => {
        dir = await makeTempDir('commands');
        const { provide, start } = registries[name];
        const startBehind = () => start(provide(), join(dir, 'run'));
        [site, browser, docker] = await Promise.all([startPageSite({ startBehind }), startBrowser(), startDocker()]);
        const [window] = windows;
        if (window === undefined) throw new Error('no window');
        const { page } = await openSheet(await openContext(browser, window));
        await logIn(page, site.gateway.url, 'dana', `/ui/r/${repository}`);
        commands = await page.locator('.command code').allTextContents();
        await page.goto(`${site.gateway.url}/ui/r/sandbox/charts/checkout?tag=0.3.1`);
        charts = await page.locator('.command code').allTextContents();
      });
      afterAll(async () => {
        await browser?.close();
        await docker?.stop();
        await site?.stop();
        await removeTempDir(dir);
      });

      /** As a shell would: there are no quotes in them. */
      const wordsOf = (program: string, verb: string): readonly string[] => {
        const found = commands.find((command) => command.startsWith(`${program} ${verb}`));
        if (found === undefined) throw new Error(`no ${program} ${verb} among: ${commands.join('\n')}`);
        return found.split(' ').slice(1);
      };
      const works = async (client: Client, ...args: Parameters<Client['run']>): Promise<string> => {
        const { code, stdout, stderr } = await client.run(...args);
        expect({ code, stderr: code === 0 ? '' : stderr, stdout: code === 0 ? '' : stdout }).toEqual({
          code: 0,
          stderr: '',
          stdout: '',
        });
        return stdout;
      };

      test('logs docker in, and pulls', async () => {
        const client = await createDockerClient(docker);
        const login = wordsOf('docker', 'login');
        expect(login).toContain('dana');
        await works(client, [...login, '--password-stdin'], password);
        await works(client, wordsOf('docker', 'pull'));
        await client.remove();
      });

      test('pulls with podman', async () => {
        const client = await createPodmanClient();
        await works(client, ['login', '--tls-verify=false', '-u', 'dana', '--password-stdin', site.host], password);
        await works(client, wordsOf('podman', 'pull'));
        await client.remove();
      });

      test('inspects with skopeo', async () => {
        const client = await createSkopeoClient();
        await works(client, ['login', '--tls-verify=false', '-u', 'dana', '--password-stdin', site.host], password);
        const shown = await works(client, wordsOf('skopeo', 'inspect'));
        expect(JSON.parse(shown)).toMatchObject({ Name: `${site.host}/${repository}` });
        await client.remove();
      });

      describeWithPrograms(['helm'], 'with helm', () => {
        test('pulls a chart by its version, and by its digest', async () => {
          const client = await createGoClient('helm');
          const login = ['registry', 'login', '--plain-http', '-u', 'dana', '--password-stdin', site.host];
          await works(client, login, password);
          const pulls = charts.filter((command) => command.startsWith('helm pull'));
          expect(pulls.map((command) => /@sha256:/.test(command))).toEqual([false, true]);
          for (const pull of pulls) await works(client, pull.split(' ').slice(1));
          await client.remove();
        });
      });

      describeWithPrograms(['oras'], 'with oras', () => {
        test('asks what is attached', async () => {
          const client = await createGoClient('oras');
          await works(client, ['login', '--plain-http', '-u', 'dana', '--password-stdin', site.host], password);
          expect(await works(client, wordsOf('oras', 'discover'))).toContain(`${site.host}/${repository}@sha256:`);
          await client.remove();
        });
      });
    },
  );
