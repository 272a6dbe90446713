/** The chart, as Helm renders it and as Kubernetes would take it. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  type Labels,
  type Manifest,
  type Pod,
  type Rendering,
  chart,
  render,
  template,
  valueFiles,
} from './support/chart.ts';
import { freePort } from './support/free-port.mjs';
import { type RunResult, describeWithPrograms, run } from './support/programs.ts';
import { makeTempDir, removeTempDir } from './support/temp-dir.ts';
import { cli, projectDir } from './support/trial.ts';

/** What no Kubernetes has by itself. */
const custom = /^(gateway\.networking\.k8s\.io|monitoring\.coreos\.com)\//;

describeWithPrograms(['helm'], 'the chart', () => {
  const renderings = new Map<string, Rendering>();
  beforeAll(async () => {
    for (const file of valueFiles) renderings.set(basename(file), await render(['--values', file]));
  });
  const rendering = (name: string): Rendering => {
    const found = renderings.get(`${name}-values.yaml`);
    if (found === undefined) throw new Error(`there is no ci/${name}-values.yaml`);
    return found;
  };

  describe.each(valueFiles.map((file) => basename(file, '-values.yaml')))('with ci/%s-values.yaml', (name) => {
    test('has no fault that helm lint knows', async () => {
      const args = ['lint', '--strict', chart, '--values', join(chart, 'ci', `${name}-values.yaml`)];
      expect(await run('helm', [...args, '--kube-version', '1.36.0'])).toMatchObject({ code: 0 });
    });

    test('runs by a configuration and policies that `portcullis check` calls fine', async () => {
      expect(await check(rendering(name))).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ok: /m) });
    });

    test('nobody is root, nothing can be written to, and no token of Kubernetes is there', () => {
      const pods = [rendering(name).pod, rendering(name).find('Pod').spec as unknown as Pod];
      for (const pod of pods) {
        expect(pod.automountServiceAccountToken).toBe(false);
        expect(pod.securityContext).toMatchObject({
          ...{ runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532 },
          seccompProfile: { type: 'RuntimeDefault' },
        });
        for (const { securityContext } of pod.containers)
          expect(securityContext).toEqual({
            ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
            capabilities: { drop: ['ALL'] },
          });
      }
    });

    test('policies are a directory of their own, which follows the ConfigMap', () => {
      const mounts = rendering(name).pod.containers[0].volumeMounts ?? [];
      expect(mounts.map(({ subPath }) => subPath).filter((each) => each !== undefined)).toEqual([]);
      const places = mounts.map(({ mountPath }) => mountPath);
      for (const place of places)
        expect(places.filter((other) => other !== place && other.startsWith(`${place}/`))).toEqual([]);
    });

    test('no service that has an address leads to the admin port', () => {
      for (const { kind, spec } of rendering(name).manifests) {
        if (kind !== 'Service' || spec?.['clusterIP'] === 'None') continue;
        expect(spec?.['ports']).toEqual([expect.objectContaining({ targetPort: 'http' })]);
      }
    });

    test('running uploads survive a rollout', () => {
      expect(rendering(name).pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(905);
      expect(rendering(name).configuration).toMatch(/^timeouts:\n {2}leave: 5s$/m);
      const strategy = rendering(name).find('Deployment').spec?.['strategy'];
      if (name === 'existing') expect(strategy).toEqual({ type: 'Recreate' });
      else expect(strategy).toMatchObject({ rollingUpdate: { maxUnavailable: 0 } });
    });
  });

  describeWithPrograms(['kubernetes-validate'], 'Kubernetes', () => {
    let dir: string;
    beforeAll(async () => {
      dir = await makeTempDir('manifests');
      for (const [name, { text }] of renderings) await writeFile(join(dir, name), text);
    });
    afterAll(() => removeTempDir(dir));
    const validate = (version: string, ...names: readonly string[]): Promise<RunResult> =>
      run('kubernetes-validate', ['--strict', '-k', version, ...names], { cwd: dir, timeoutMs: 60_000 });

    test.each(Array.from({ length: 13 }, (_, index) => `1.${25 + index}`))('%s takes all of them', async (version) => {
      const { code, stdout, stderr } = await validate(version, ...renderings.keys());
      expect([code, (stdout + stderr).match(/^ERROR.*/gm)]).toEqual([0, null]);
      const own = [...renderings.values()]
        .flatMap((each) => each.manifests)
        .filter((each) => !custom.test(each.apiVersion));
      expect((stdout + stderr).match(/^INFO .* passed for resource /gm)).toHaveLength(own.length);
    });

    test('would not take a misspelt readOnlyRootFilesystem', async () => {
      const text = rendering('defaults').text.replace('readOnlyRootFilesystem', 'readOnlyRootFilesytem');
      await writeFile(join(dir, 'misspelt.yaml'), text);
      expect((await validate('1.36', 'misspelt.yaml')).stdout).toContain("'readOnlyRootFilesytem' was unexpected");
    });
  });

  test('deploy/kubernetes is the chart with its defaults', async () => {
    const dir = await makeTempDir('kubernetes');
    onTestFinished(() => removeTempDir(dir));
    const made = await run(process.execPath, [join(projectDir, 'deploy/helm/manifests.mjs'), '--to', dir]);
    expect(made).toMatchObject({ code: 0 });
    const name = 'deploy/kubernetes/portcullis.yaml';
    expect(await readFile(join(projectDir, name), 'utf8')).toBe(await readFile(join(dir, name), 'utf8'));
  });

  describe('refuses', () => {
    const shared = ['--set', 'redis.existingSecret=r,keysSecret=k'];
    test.each([
      [['replicaCount=2', 'keysSecret=k'], '2 replicas need one Redis'],
      [['replicaCount=2', 'redis.existingSecret=r'], '2 replicas need the same signing keys'],
      [['autoscaling.enabled=true', 'keysSecret=k'], '5 replicas need one Redis'],
      [['autoscaling.enabled=true', 'redis.existingSecret=r'], '5 replicas need the same signing keys'],
      [['replicaCount=2', ...shared.slice(1), 'persistence.existingClaim=c'], 'cannot share one state directory'],
      [
        ['config.publicUrl=registry.example.com'],
        'config.publicUrl is "registry.example.com": it is a URL without a path',
      ],
      [['config.publicUrl=https://example.com/registry'], 'config.publicUrl is "https://example.com/registry"'],
      [['config.upstream=registry:5000'], 'config.upstream is "registry:5000"'],
      [['config.upstream=http://a', 'config.upstreams.b.url=http://b'], 'are both set: keep one of them'],
      [['policies.a\\.yaml=users: {}', 'existingPolicies=p'], 'are both set: keep one of them'],
      [['httpRoute.enabled=true'], 'name the Gateway that the route belongs to'],
      [['config.timeouts.drain=1h'], 'uploads may run for 3605s after a stop'],
      [['config.timeouts.leave=90s'], 'uploads may run for 990s after a stop'],
      [['config.enforce=token'], 'which registry.lock forbids'],
      [['terminationGracePeriodSeconds=30'], 'the pod is killed after 30s'],
      [['autoscaling.enabled=true', 'autoscaling.maxReplicas=1'], 'minReplicas is more than autoscaling.maxReplicas'],
      [['policies.people=x'], "at '/policies': additional properties 'people' not allowed"],
      [['replicaCont=2'], "additional properties 'replicaCont' not allowed"],
      [['config.cache.memroy=1GiB'], "additional properties 'memroy' not allowed"],
    ])('%j', async (settings, sentence) => {
      const rendered = await template(settings.flatMap((each) => ['--set', each]));
      expect(rendered).toMatchObject({ ok: false, message: expect.stringContaining(sentence) });
    });

    test('not a pod that has the time', async () => {
      const settings = ['config.timeouts.drain=30m', 'config.timeouts.leave=1m', 'terminationGracePeriodSeconds=1860'];
      expect(await template(settings.flatMap((each) => ['--set', each]))).toMatchObject({ ok: true });
    });

    test('not several replicas that share Redis and keys', async () => {
      expect(await template([...shared, '--set', 'replicaCount=3'])).toMatchObject({ ok: true });
      expect(await template([...shared, '--set', 'autoscaling.enabled=true'])).toMatchObject({ ok: true });
    });
  });

  test('an edit of the configuration starts new pods, one of the policies does not', async () => {
    const sum = async (...args: readonly string[]): Promise<string | undefined> => {
      const { spec } = (await render(args)).find('Deployment');
      return (spec?.['template'] as Manifest).metadata.annotations?.['checksum/config'];
    };
    const before = await sum();
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    expect(await sum('--set', 'policies.a\\.yaml=groups: {}')).toBe(before);
    expect(await sum('--set', 'config.tokens.accessTtl=5m')).not.toBe(before);
    expect(await sum('--set', 'keysSecret=k')).not.toBe(before);
  });

  test('policies of one’s own stand instead of the starter, and a registry’s labels instead of the default', async () => {
    const own = await render([
      '--set',
      'policies.a\\.yaml=groups: {}',
      '--set',
      'registry.podSelector.matchLabels.app=r',
    ]);
    expect(Object.keys(own.policies)).toEqual(['a.yaml']);
    expect(lock(own).podSelector).toEqual({ matchLabels: { app: 'r' } });
    const text = '  # indented\n  groups:\n    a: { description: "{{ .Values }} \\" \t$" }\n\n';
    const dir = await makeTempDir('policies');
    onTestFinished(() => removeTempDir(dir));
    await writeFile(join(dir, 'a.yaml'), text);
    expect((await render(['--set-file', `policies.a\\.yaml=${dir}/a.yaml`])).policies).toEqual({ 'a.yaml': text });
  });

  describe('the registry', () => {
    test('is locked unless somebody opens it: the gateway reaches it, and no other pod', () => {
      const { podSelector, policyTypes, ingress } = lock(rendering('defaults'));
      expect([podSelector, policyTypes]).toEqual([
        { matchLabels: { 'app.kubernetes.io/name': 'registry' } },
        ['Ingress'],
      ]);
      const [sole, ...others] = ingress.flatMap(({ from }) => from);
      expect(others).toEqual([]);
      const selects = (labels: Labels | undefined): boolean =>
        Object.entries(sole?.podSelector?.matchLabels ?? {}).every(([key, value]) => labels?.[key] === value);
      const labelsOf = (manifest: Manifest): Labels | undefined => manifest.metadata.labels;
      expect(selects(labelsOf(rendering('defaults').find('Deployment').spec?.['template'] as Manifest))).toBe(true);
      expect(selects(labelsOf(rendering('defaults').find('Pod')))).toBe(false);
      expect(selects({ 'app.kubernetes.io/name': 'registry' })).toBe(false);
    });

    test('is locked where it is, also in another namespace, for the gateway of this one', async () => {
      const elsewhere = await render(['--namespace', 'door', '--values', join(chart, 'ci/ingress-values.yaml')]);
      const policy = elsewhere.find('NetworkPolicy', 'portcullis-locks-registry');
      expect(policy.metadata.namespace).toBe('registry');
      expect(lock(elsewhere).ingress[0]?.from[0]).toMatchObject({
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'door' } },
      });
    });

    test('is open where somebody says so, and the notes say what that means', async () => {
      expect(() => rendering('monitoring').find('NetworkPolicy', 'portcullis-locks-registry')).toThrow();
      expect(await notes('--set', 'registry.lock=false')).toContain('may do everything');
    });
  });

  test('the admin port is open to nobody in the cluster, or to whom the values name', () => {
    const rules = (name: string): unknown => rendering(name).find('NetworkPolicy', 'portcullis').spec?.['ingress'];
    expect(rules('defaults')).toEqual([{ ports: [{ port: 'http' }] }]);
    expect(rules('monitoring')).toEqual([
      { ports: [{ port: 'http' }] },
      expect.objectContaining({ ports: [{ port: 'admin' }], from: [expect.anything()] }),
    ]);
  });

  describe('the pod of helm test', () => {
    const gateway = createServer(({ url }, response) =>
      url === '/.well-known/jwks.json' ? response.end('{"keys":[]}') : response.writeHead(404).end(),
    );
    const open = createServer((_request, response) => response.writeHead(200).end('{}'));
    const urls = { gateway: '', open: '', closed: '' };
    beforeAll(async () => {
      for (const [name, server] of Object.entries({ gateway, open })) {
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        urls[name as 'gateway' | 'open'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      }
      urls.closed = `http://127.0.0.1:${await freePort()}`;
    });
    afterAll(() => {
      gateway.close();
      open.close();
    });
    /** What it runs, with other addresses. */
    const asked = (...addresses: readonly string[]): Promise<RunResult> => {
      const [{ command = [], args }] = (rendering('registries').find('Pod').spec as unknown as Pod).containers;
      expect(args.slice(2)).toEqual(['http://portcullis:80', 'http://registry:5000']);
      return run(process.execPath, [...command.slice(1), ...args.slice(0, 2), ...addresses]);
    };

    test('passes where the gateway answers and the registry does not', async () => {
      expect(await asked(urls.gateway, urls.closed)).toMatchObject({ code: 0 });
    });

    test('fails where the registry can be reached, even by TLS that it does not know', async () => {
      for (const url of [urls.open, urls.open.replace('http:', 'https:')])
        expect(await asked(urls.gateway, urls.closed, url)).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('everybody in the cluster may do everything with it'),
        });
    });

    test('fails where nothing is known: no gateway, no such name', async () => {
      expect(await asked(urls.closed, urls.closed)).toMatchObject({ code: 1 });
      expect(await asked(urls.open, urls.closed)).toMatchObject({ code: 1 });
      expect(await asked(urls.gateway, 'http://no-such-host.invalid:5000')).toMatchObject({ code: 1 });
    });
  });

  test('the alerts ask for the job that is scraped, whatever the release and the chart are called', async () => {
    const renamed = await render(['--values', join(chart, 'ci/monitoring-values.yaml'), '--set', 'nameOverride=door']);
    expect(renamed.find('ServiceMonitor').spec).toMatchObject({
      endpoints: [{ relabelings: [{ targetLabel: 'job', replacement: 'portcullis' }] }],
    });
  });

  test('the notes say that audit files end with the pod, where they do', async () => {
    const inside = ['--set', 'config.audit.directory=/var/lib/portcullis/audit'];
    expect(await notes(...inside)).toContain('Audit files in /var/lib/portcullis/audit end with the pod');
    expect(await notes(...inside, '--set', 'persistence.existingClaim=c')).not.toContain('end with the pod');
    expect(await notes()).not.toContain('end with the pod');
  });

  test('the notes say what a proxy in front needs', async () => {
    const proxied = ['--set', 'ingress.enabled=true'];
    expect(await notes(...proxied)).toContain('all clients count as one');
    expect(await notes(...proxied, '--set', 'config.trustedProxies={10.0.0.0/8}')).not.toContain('count as one');
  });

  test('the notes give the line to log in with', async () => {
    expect(await notes('--set', 'config.publicUrl=https://images.example.com:8443')).toContain(
      '\n  docker login images.example.com:8443\n',
    );
  });

  describe('the alerts', () => {
    test('are those of rules.yaml, word for word', async () => {
      const dir = await makeTempDir('alerts');
      onTestFinished(() => removeTempDir(dir));
      await cp(chart, join(dir, 'chart'), { recursive: true });
      const rule = { alert: 'A', expr: 'up == 0', annotations: { summary: 'of {{ $labels.instance }}' } };
      const rules = { groups: [{ name: 'portcullis', rules: [rule] }] };
      await writeFile(join(dir, 'chart/rules.yaml'), JSON.stringify(rules));
      const args = ['--set', 'metrics.prometheusRule.enabled=true', '--set', 'metrics.prometheusRule.labels.a=b'];
      expect((await render(args, join(dir, 'chart'))).find('PrometheusRule')).toMatchObject({
        ...{ metadata: { labels: { a: 'b' } }, spec: rules },
      });
    });

    test('are off unless asked for', () => expect(rendering('monitoring').has('PrometheusRule')).toBe(false));
  });
});

interface Lock {
  readonly podSelector: unknown;
  readonly policyTypes: readonly string[];
  readonly ingress: readonly {
    readonly from: readonly {
      readonly podSelector?: { readonly matchLabels: Labels };
      readonly namespaceSelector?: unknown;
    }[];
  }[];
}

function lock(rendering: Rendering): Lock {
  return rendering.find('NetworkPolicy', 'portcullis-locks-registry').spec as unknown as Lock;
}

async function notes(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run('helm', ['install', 'portcullis', chart, '--dry-run=client', ...args]);
  if (code !== 0) throw new Error(stderr);
  return stdout.slice(stdout.indexOf('NOTES:'));
}

/** `portcullis check` of what a pod would have, with its files in a folder of their own. */
async function check({ configuration, policies, pod }: Rendering): Promise<RunResult> {
  const dir = await makeTempDir('chart');
  onTestFinished(() => removeTempDir(dir));
  const here = (text: string): string => text.replaceAll(/(\/etc\/portcullis|\/var\/lib|\/run\/secrets)/g, `${dir}$1`);
  for (const { mountPath } of pod.containers[0].volumeMounts ?? []) await mkdir(here(mountPath), { recursive: true });
  const secrets = here('/run/secrets');
  for (const name of ['ldap/password', 'partner/password', 'portcullis/redis/url']) {
    await mkdir(join(secrets, name, '..'), { recursive: true });
    await writeFile(join(secrets, name), name.endsWith('url') ? 'redis://redis:6379/0' : 'secret', { mode: 0o600 });
  }
  await writeFile(here('/etc/portcullis/portcullis.yaml'), here(configuration));
  for (const [name, text] of Object.entries(policies)) await writeFile(here(`/etc/portcullis-policies/${name}`), text);
  const env = (pod.containers[0].env ?? []).map(({ name, value }) => [name, here(value)] as const);
  return run(process.execPath, [cli, 'check', '--config', here('/etc/portcullis/portcullis.yaml')], {
    env: { NODE_ENV: 'production', HOME: dir, ...Object.fromEntries(env) },
  });
}
