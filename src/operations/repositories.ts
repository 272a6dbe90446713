/** The repositories that a viewer may see, by folder. */
import { z } from 'zod';
import { isReferrersTag, parseRepositoryName } from '../distribution/reference.ts';
import { type BrowseParts, pageMs, staleBy } from './browse.ts';
import { firstPush } from './first-push.ts';
import { maxQuery, pageOf, readQuery } from './finding.ts';
import { filterInSlices } from './slices.ts';
import { wordsOf } from './my-rights.ts';
import { instantOf, operation } from './operation.ts';
import { staleView } from './tags.ts';
import { type Viewer, maySee } from './viewer.ts';

export const repositoryOrders = ['newest', 'name'] as const;

const input = z.object({
  under: z.string().max(255).optional().describe('a folder: only what is in it'),
  q: z.string().max(maxQuery).optional().describe('part of a name, or a whole one with *'),
  order: z.enum(repositoryOrders).optional().describe('last pushed to first (if nothing is said), or by name'),
  after: z.string().max(255).optional().describe('the last repository of the page before'),
});

const answer = z.object({
  under: z.string(),
  /** That the viewer may see, in all, and those of them that are looked for here. */
  total: z.number(),
  matching: z.number(),
  /** The first folders right below, each with the number of repositories in it, and how many there are beside these. */
  folders: z.array(z.object({ path: z.string(), repositories: z.number() })),
  moreFolders: z.number(),
  repositories: z.array(
    z.object({
      name: z.string(),
      lastPush: z.string().optional(),
      /** Where it is known. */
      tags: z.number().optional(),
      rights: z.array(z.enum(['pull', 'push', 'delete'])),
    }),
  ),
  next: z.string().optional(),
  /** The registries' lists were read to their ends. */
  complete: z.boolean(),
  /** A repository that the viewer may push into, where there is nothing to see yet. */
  firstPush: z.string().optional(),
  stale: staleView,
});

export type RepositoriesAnswer = z.output<typeof answer>;

/** Milliseconds after which a list is called old: it is walked every minute while somebody looks. */
const oldMs = 180_000;
/** Folders that one page shows. */
const maxFolders = 60;
/** Tags judged one by one for a number in a row. */
const maxCounted = 500;

/** `GET /api/v1/repositories`. */
export const listRepositories = operation<BrowseParts>()({
  method: 'GET',
  path: '/repositories',
  summary: 'Repositories that you may pull from, fifty a page',
  needs: 'anybody',
  input,
  answer,
  async run(parts, viewer, { under: asked = '', q = '', order = 'newest', after }) {
    if (parts.names.current() === undefined) await parts.names.ready(pageMs);
    const known = parts.names.current();
    const names = known?.names ?? [];
    const visible = await filterInSlices(names, (name) => maySee(viewer, name));
    const under = asked.replace(/\/+$/, '');
    const within = under === '' ? visible : visible.filter((name) => name.startsWith(`${under}/`));
    const query = readQuery(q);
    const matches = query?.kind === 'name' ? query.matches : (name: string) => name.includes(q.trim());
    const found = query === undefined ? within : within.filter(matches);
    const pushes = await parts.activity.lastWrites(order === 'newest' ? found : []);
    const ordered = order === 'name' ? found : byPush(found, pushes);
    const { page, next } = pageOf(ordered, after, order);
    const times = pushes ?? new Map<string, number>();
    const lastPushes = order === 'newest' ? times : ((await parts.activity.lastWrites(page)) ?? times);
    const folders = query === undefined ? foldersOf(within, under) : [];
    const isNothing = known === undefined || (known.names.length === 0 && !known.complete);
    const isOld = isNothing || parts.clock() - known.at > oldMs;
    return {
      ok: true,
      answer: {
        under: parseRepositoryName(under) === undefined ? '' : under,
        total: visible.length,
        matching: found.length,
        folders: folders.slice(0, maxFolders),
        moreFolders: Math.max(0, folders.length - maxFolders),
        repositories: page.map((name) => {
          const at = lastPushes.get(name);
          return {
            name,
            lastPush: instantOf(at),
            tags: countTags(parts, viewer, name),
            rights: [...wordsOf(parts.upstreams, viewer, name)],
          };
        }),
        next,
        complete: known?.complete ?? false,
        firstPush: visible.length === 0 ? firstPush(parts.upstreams, viewer) : undefined,
        stale: isOld ? staleBy('unreachable', isNothing ? undefined : known.at) : undefined,
      },
    };
  },
});

function byPush(names: readonly string[], pushes: ReadonlyMap<string, number> | undefined): readonly string[] {
  if (pushes === undefined || pushes.size === 0) return names;
  const [written, rest] = [names.filter((name) => pushes.has(name)), names.filter((name) => !pushes.has(name))];
  return [...written.sort((left, right) => (pushes.get(right) ?? 0) - (pushes.get(left) ?? 0)), ...rest];
}

/** Of sorted names. A folder is what has something below it. */
function foldersOf(names: readonly string[], under: string) {
  const begin = under === '' ? 0 : under.length + 1;
  const folders: { path: string; repositories: number }[] = [];
  let folder: { readonly prefix: string; readonly row: { repositories: number } } | undefined;
  for (const name of names) {
    if (folder === undefined || !name.startsWith(folder.prefix)) {
      const end = name.indexOf('/', begin);
      if (end === -1) continue;
      const row = { path: name.slice(0, end), repositories: 0 };
      folders.push(row);
      folder = { prefix: name.slice(0, end + 1), row };
    }
    folder.row.repositories++;
  }
  return folders;
}

/** Tags that the viewer may see, of what was listed last; undefined where that would take long, or nobody listed them. */
function countTags({ lastSeen }: BrowseParts, viewer: Viewer, repository: string): number | undefined {
  const tags = lastSeen.tags(repository)?.names.filter((tag) => !isReferrersTag(tag));
  if (tags === undefined || tags.length > maxCounted) return undefined;
  return tags.filter((tag) => maySee(viewer, repository, tag)).length;
}
