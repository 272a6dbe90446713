/**
 * `npm run manifests [-- --to DIR]`: makes what is derived in the chart and in deploy/kubernetes, in DIR instead of here where
 * one is given. The settings of the gateway in values.schema.json come from schema/config.schema.json, the alerts from
 * deploy/prometheus/rules.yaml, the plain manifests from the chart with its defaults. Exit code 2: there is no helm on PATH.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [flag, target = root] = process.argv.slice(2);
if (flag !== undefined && flag !== '--to') throw new Error(`unknown: ${flag}`);
const chart = 'deploy/helm/portcullis';
/** The Kubernetes that plain manifests are for; they hold nothing that another version would not take. */
const kubernetes = '1.36.0';

const read = (name) => readFileSync(join(root, name), 'utf8');
const write = (name, text) => {
  mkdirSync(dirname(join(target, name)), { recursive: true });
  writeFileSync(join(target, name), text);
};

const values = JSON.parse(read(`${chart}/values.schema.json`));
values.properties.config = settings(JSON.parse(read('schema/config.schema.json')));
const style = await resolveConfig(join(root, chart));
write(`${chart}/values.schema.json`, await format(JSON.stringify(values), { ...style, parser: 'json' }));
if (existsSync(join(root, 'deploy/prometheus/rules.yaml')))
  write(`${chart}/rules.yaml`, read('deploy/prometheus/rules.yaml'));

const args = ['template', 'portcullis', join(root, chart), '--skip-tests', '--kube-version', kubernetes];
const { error, status, stdout, stderr } = spawnSync('helm', args, { encoding: 'utf8' });
if (error?.code === 'ENOENT') {
  console.error('there is no helm on PATH: the folder that `npm run clients` prints last has one');
  process.exit(2);
}
if (status !== 0) throw new Error(stderr);
write(
  'deploy/kubernetes/portcullis.yaml',
  `# Made by \`npm run manifests\` from ${chart} with its defaults.\n${stdout}`,
);

/** Without what the chart sets itself, and without secrets, which would be in a ConfigMap. */
function settings({ properties, additionalProperties }) {
  for (const key of ['listen', 'policies', 'stateDir', 'redis', 'tls', 'admin']) delete properties[key];
  delete properties.tokens.properties.keys;
  delete properties.logins.properties.ldap.properties.bind.properties.password;
  delete properties.logins.properties.oidc.properties.clientSecret;
  delete properties.upstreams.additionalProperties.properties.credentials.properties.password;
  const description = 'portcullis.yaml: docs/configuration.md';
  return { description, type: 'object', required: ['publicUrl'], properties, additionalProperties };
}
