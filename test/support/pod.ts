/** The volumes of a pod, as kubelet lays them out for a group (`fsGroup`): links through `..data`, and modes of its own. */
import { chmod, chown, mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod, Rendering } from './chart.ts';

/** Files of Secrets, by the name of the volume. */
export type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface Volumes {
  /** As containers take them: HERE:THERE, with `:ro` where the pod says so. */
  readonly mounts: readonly string[];
  /** New content of a volume, in one step. */
  readonly update: (name: string, files: Readonly<Record<string, string>>) => Promise<void>;
}

/** Needs root. `group` is the pod's fsGroup. */
export async function layOutVolumes(dir: string, { pod, manifests }: Rendering, secrets: Secrets): Promise<Volumes> {
  const group = Number(pod.securityContext['fsGroup']);
  let revision = 0;
  const fill = async (name: string, files: Readonly<Record<string, string>>, mode: number): Promise<void> => {
    const content = `..${(revision += 1)}`;
    await mkdir(join(dir, name, content), { recursive: true });
    await own(join(dir, name, content), 0o2755);
    for (const [file, text] of Object.entries(files)) {
      await writeFile(join(dir, name, content, file), text);
      await own(join(dir, name, content, file), mode);
      await symlink(join('..data', file), join(dir, name, file)).catch(() => undefined);
    }
    await symlink(content, join(dir, name, '..data_tmp'));
    await rename(join(dir, name, '..data_tmp'), join(dir, name, '..data'));
  };
  const own = async (path: string, mode: number): Promise<void> => {
    await chown(path, 0, group);
    await chmod(path, mode);
  };
  for (const { name, configMap, secret } of pod.volumes ?? []) {
    await mkdir(join(dir, name), { recursive: true });
    await own(join(dir, name), secret === undefined ? 0o2777 : 0o3777);
    const data = manifests.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMap?.name,
    )?.data;
    if (data !== undefined) await fill(name, data, 0o644);
    if (secret !== undefined) await fill(name, secrets[name] ?? {}, secret.defaultMode);
  }
  return {
    mounts: mountsOf(dir, pod),
    update: (name, files) => fill(name, files, 0o644),
  };
}

function mountsOf(dir: string, pod: Pod): readonly string[] {
  return (pod.containers[0].volumeMounts ?? []).map(
    ({ name, mountPath, readOnly }) => `${join(dir, name)}:${mountPath}${readOnly === true ? ':ro' : ''}`,
  );
}
