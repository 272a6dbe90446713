/** What one record asks of a policy: each thing for itself, with what was said of it then. */
import type { ScopeAction } from '../distribution/access.ts';
import { parseDigest, parseRepositoryName, parseTag } from '../distribution/reference.ts';
import { parseScopes } from '../distribution/scope.ts';
import type { Outcome, Recorded } from './recorded.ts';

/** What a write came to: `unknown` where nobody had to find out. */
export type Written = 'create' | 'overwrite' | 'repeat' | 'attach' | 'unknown';

export type Matter = Asked & {
  /** As the record says; undefined: it says nothing of this. */
  readonly was: Exclude<Outcome, 'undecided'> | undefined;
};

type Asked =
  | { readonly verb: 'login' | 'catalog' }
  | {
      readonly verb: 'pull';
      readonly repository: string;
      readonly tag: string | undefined;
      readonly isPushers: boolean;
    }
  | {
      readonly verb: 'push';
      readonly repository: string;
      readonly tags: readonly string[];
      readonly writes: Written;
      readonly isImage: boolean;
    }
  /** `what`: a tag, a layer, or a manifest by its digest with every tag that leads there. */
  | {
      readonly verb: 'delete';
      readonly repository: string;
      readonly tag: string | undefined;
      readonly isImage: boolean;
    }
  /** From where a blob is mounted. */
  | { readonly verb: 'mount'; readonly repository: string }
  /** `repository` undefined: the catalog. */
  | {
      readonly verb: 'token';
      readonly repository: string | undefined;
      readonly action: Exclude<ScopeAction, '*'> | 'catalog';
    }
  | {
      readonly verb: 'promote';
      readonly repository: string;
      readonly tag: string;
      readonly writes: Written;
      readonly from: { readonly repository: string; readonly tag: string | undefined };
    };

/** Why nobody can say what a policy makes of a record, or makes of one matter. */
export type Unsure =
  'older' | 'cut' | 'secret' | 'groups' | 'claims' | 'login' | 'tag' | 'tags' | 'gate' | 'limit' | 'time';

/** None where no rule decided; `Unsure` where the record does not say what was asked. */
export function mattersOf(record: Recorded): readonly Matter[] | Unsure {
  if (record.who === undefined || record.outcome === 'undecided') return [];
  if (record.isCut) return 'cut';
  if (record.event === 'token' || record.event === 'login') return ofToken(record);
  if (record.event === 'promotion') return ofPromotion(record);
  return ofRequest(record, record.outcome);
}

function ofToken(record: Recorded): readonly Matter[] {
  const { scope = '', asked = scope } = record;
  const login: Matter = { verb: 'login', was: 'allowed' };
  const [wanted, given] = [parseScopes([asked]), parseScopes([scope])];
  if ('reason' in wanted || 'reason' in given) return [login];
  const has = (type: string, name: string, action: ScopeAction): boolean =>
    given.some((each) => each.type === type && each.name === name && each.actions.includes(action));
  const matters = wanted.flatMap(({ type, name, actions }): readonly Matter[] => {
    const was = (action: ScopeAction): Matter['was'] => (has(type, name, action) ? 'allowed' : 'denied');
    if (type === 'registry')
      return actions.includes('*') ? [{ verb: 'token', repository: undefined, action: 'catalog', was: was('*') }] : [];
    return concrete
      .filter((action) => actions.includes(action) || actions.includes('*'))
      .map((action) => ({ verb: 'token', repository: name, action, was: was(action) }));
  });
  return [login, ...matters];
}

const concrete = ['pull', 'push', 'delete', 'promote', 'inspect'] as const;

function ofPromotion({ repository = '', reference = '', from = '', ...record }: Recorded): readonly Matter[] | Unsure {
  const [tag, into] = [parseTag(reference), parseRepositoryName(repository)];
  const [, source = '', name] = /^([^:@]+)[:@](.+)$/s.exec(from) ?? [];
  const origin = parseRepositoryName(source);
  if (tag === undefined || into === undefined || origin === undefined || name === undefined) return 'older';
  // What was refused is one of what is attached.
  if (record.tags.length > 0) return 'tag';
  const writes = record.reason === 'tag_taken' ? 'overwrite' : writtenAs(record.writes);
  const was = record.outcome === 'undecided' ? undefined : record.outcome;
  return [{ verb: 'promote', repository: into, tag, writes, from: { repository: origin, tag: parseTag(name) }, was }];
}

function writtenAs(text: string | undefined): Written {
  return (['create', 'overwrite', 'repeat', 'attach'] as const).find((each) => each === text) ?? 'unknown';
}

function ofRequest(record: Recorded, was: Matter['was'] & string): readonly Matter[] | Unsure {
  const { route, action, reference = '' } = record;
  if (route === 'ui' || route === 'api' || route === 'token' || route === 'ping') return [];
  if (action === undefined) return [];
  if (route === undefined) return 'older';
  if (route === 'catalog') return [{ verb: 'catalog', was }];
  const repository = parseRepositoryName(record.repository ?? '');
  if (repository === undefined) return 'older';
  const tag = parseTag(reference);
  const isImage = route === 'manifest';
  if (isImage && tag === undefined && parseDigest(reference) === undefined) return 'older';
  switch (action) {
    case 'pull':
      return [
        { verb: 'pull', repository, tag: isImage ? tag : undefined, isPushers: isImage || route === 'blob', was },
      ];
    case 'delete':
      return [{ verb: 'delete', repository, tag: isImage ? tag : undefined, isImage, was }];
    case 'push':
    case 'create':
    case 'overwrite': {
      const tags = !isImage ? [] : tag === undefined ? record.tags : [tag];
      if (tags.some((each) => parseTag(each) === undefined)) return 'older';
      // Of several tags the record does not say which one was refused.
      const writes = action === 'push' || tags.length > 1 ? writtenAs(record.writes) : action;
      return [{ verb: 'push', repository, tags, writes, isImage, was }, ...mounts(record, was)];
    }
    default:
      return [];
  }
}

/** A blob that was mounted; where none was, the registry may have had none there. */
function mounts({ from, status }: Recorded, was: Outcome): readonly Matter[] {
  const repository = parseRepositoryName(from ?? '');
  if (repository === undefined || was !== 'allowed') return [];
  return [{ verb: 'mount', repository, was: status === 201 ? 'allowed' : undefined }];
}
