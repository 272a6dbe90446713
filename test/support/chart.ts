/** deploy/helm/portcullis as Helm renders it. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { run } from './programs.ts';
import { projectDir } from './trial.ts';

export const chart = join(projectDir, 'deploy/helm/portcullis');

/** Every file of values that comes along, as Helm takes it. */
export const valueFiles: readonly string[] = readdirSync(join(chart, 'ci')).map((name) => join(chart, 'ci', name));

/** As much of a manifest as tests look at. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Labels;
    readonly annotations?: Labels;
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: Spec;
  readonly automountServiceAccountToken?: boolean;
}

export type Labels = Readonly<Record<string, string>>;
type Spec = Readonly<Record<string, unknown>>;

export interface Pod {
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: Spec;
  readonly containers: readonly [PodContainer];
  readonly volumes?: readonly Volume[];
  readonly terminationGracePeriodSeconds?: number;
}

export interface PodContainer {
  readonly args: readonly string[];
  readonly command?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly securityContext: Spec;
  readonly volumeMounts?: readonly VolumeMount[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly readOnly?: boolean;
}

interface Probe {
  readonly httpGet: { readonly path: string };
}

export interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string; readonly defaultMode: number };
}

export interface Rendering {
  readonly text: string;
  readonly manifests: readonly Manifest[];
  /** The only one of this kind, and of this name where one is given. */
  readonly find: (kind: string, name?: string) => Manifest;
  readonly has: (kind: string) => boolean;
  /** Of the gateway. */
  readonly pod: Pod;
  /** portcullis.yaml and the policy files. */
  readonly configuration: string;
  readonly policies: Readonly<Record<string, string>>;
}

export type Rendered =
  { readonly ok: true; readonly rendering: Rendering } | { readonly ok: false; readonly message: string };

/** `helm template` with what is given behind it, such as `--set`; a value that it refuses is an answer. */
export async function template(args: readonly string[] = [], from = chart): Promise<Rendered> {
  const rendered = await run('helm', ['template', 'portcullis', from, '--kube-version', '1.36.0', ...args]);
  if (rendered.code !== 0) return { ok: false, message: rendered.stderr };
  const manifests = parseAllDocuments(rendered.stdout)
    .map((document) => document.toJS() as Manifest | null)
    .filter((each) => each !== null);
  const find = (kind: string, name?: string): Manifest => {
    const found = manifests.filter((each) => each.kind === kind && (name ?? each.metadata.name) === each.metadata.name);
    const [sole] = found;
    if (sole === undefined || found.length > 1) throw new Error(`${found.length} × ${kind} ${name ?? ''}`);
    return sole;
  };
  const pod = (find('Deployment').spec?.['template'] as { readonly spec: Pod }).spec;
  const config = (volume: string): Manifest | undefined => {
    const name = pod.volumes?.find((each) => each.name === volume)?.configMap?.name;
    return manifests.find((each) => each.kind === 'ConfigMap' && each.metadata.name === name);
  };
  return {
    ok: true,
    rendering: {
      ...{ text: rendered.stdout, manifests, find, pod },
      has: (kind) => manifests.some((each) => each.kind === kind),
      configuration: config('config')?.data?.['portcullis.yaml'] ?? '',
      policies: config('policies')?.data ?? { 'p.yaml': readFileSync(join(chart, 'policies/starter.yaml'), 'utf8') },
    },
  };
}

/** The same where nothing is refused. Throws otherwise. */
export async function render(args: readonly string[] = [], from = chart): Promise<Rendering> {
  const rendered = await template(args, from);
  if (!rendered.ok) throw new Error(rendered.message);
  return rendered.rendering;
}
