/** Containers of an OCI image layout by buildah, in a store of their own. Needs root; the network is the machine's. */
import { mkdir, readFile, readdir, readlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { eventually } from './eventually.ts';
import { type Program, type RunResult, run, startProgram } from './programs.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

export interface Container {
  /** Its files, as they lie on this machine. */
  readonly root: string;
  /** Runs a command in it to its end, as its image's user. */
  readonly run: (args: readonly string[]) => Promise<RunResult>;
  /** Starts a command in it that keeps running. */
  readonly start: (args: readonly string[], isReady: () => Promise<boolean>) => Promise<Contained>;
}

export interface Contained {
  readonly program: Program;
  /** Of the process in the container, to which an engine sends its signals. */
  readonly pid: number;
}

export interface Containers {
  /** Of a layout and a tag in it. `volumes`: HERE:THERE, or HERE:THERE:ro; `variables` beside those of the image. */
  readonly create: (
    layout: string,
    tag: string,
    volumes: readonly string[],
    variables?: Readonly<Record<string, string>>,
  ) => Promise<Container>;
  readonly remove: () => Promise<void>;
}

export async function openContainers(): Promise<Containers> {
  const dir = await makeTempDir('containers');
  const store = [`--root=${dir}/storage`, `--runroot=${dir}/run`, '--storage-driver=vfs'];
  const env = { HOME: dir, TMPDIR: dir, XDG_RUNTIME_DIR: dir };
  await mkdir(join(dir, 'run'));
  const buildah = async (args: readonly string[], cwd = dir): Promise<string> => {
    const { code, stdout, stderr } = await run('buildah', [...store, ...args], { env, cwd, timeoutMs: 120_000 });
    if (code !== 0) throw new Error(`buildah ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  return {
    async create(layout, tag, volumes, variables = {}) {
      // By a relative path: it makes an image's name of it, and those have no capital letters.
      const image = `oci:${basename(layout)}:${tag}`;
      const container = (await buildah(['from', '--quiet', image], dirname(layout))).split('\n').at(-1) ?? '';
      const root = await buildah(['mount', container]);
      const mounts = volumes.map((volume) => `--volume=${volume}`);
      const more = Object.entries(variables).map(([name, value]) => `--env=${name}=${value}`);
      const command = [...store, 'run', '--isolation', 'chroot', ...mounts, ...more, container, '--'];
      return {
        root,
        run: (args) => run('buildah', [...command, ...args], { env }),
        async start([name = '', ...args], isReady) {
          const program = await startProgram('buildah', [...command, name, ...args], { env, isReady });
          return { program, pid: await descendant(program.pid, basename(name)) };
        },
      };
    },
    async remove() {
      await run('buildah', [...store, 'rm', '--all'], { env });
      await removeTempDir(dir);
    },
  };
}

/** Its id: the innermost process below `ancestor` that runs the program of this name. */
export async function descendant(ancestor: number, name: string): Promise<number> {
  let found: number | undefined;
  await eventually(`${name} runs below process ${ancestor}`, async () => {
    const parents = new Map<number, number>();
    const named: number[] = [];
    for (const pid of (await readdir('/proc')).map(Number).filter((each) => each > 0)) {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0));
      if (basename(await readlink(`/proc/${pid}/exe`).catch(() => '')) === name) named.push(pid);
    }
    const isBelow = (pid: number): boolean => pid === ancestor || (pid > 1 && isBelow(parents.get(pid) ?? 0));
    found = named.findLast((pid) => pid !== ancestor && isBelow(pid));
    return found !== undefined;
  });
  if (found === undefined) throw new Error('unreachable: eventually() resolves with one found');
  return found;
}
