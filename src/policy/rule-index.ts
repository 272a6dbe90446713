/**
 * The rules of a policy, arranged for deciding: a tree over the segments of repository patterns, and at its leaves the
 * rules by subject. A decision walks the segments of one name and looks up the caller's few subjects; how many rules
 * there are does not matter. Built once per policy, never changed.
 */
import { type Rule, type Subject, formatSubject } from './model.ts';
import { type Piece, type Segment, matchPieces } from './pattern.ts';

/** Rules of one effect and subject under one pattern. */
export interface RuleBucket {
  /** Of rules without conditions, the first per right in `rules` order: further ones cannot change a decision. */
  readonly plain: Rule[];
  /** Rights that `plain` covers. */
  plainRights: number;
  /** Rules with tags, `when`, `except` or shadow mode: each must be looked at. */
  readonly conditional: Rule[];
}

export interface Leaf {
  readonly allow: Map<string, RuleBucket>;
  readonly deny: Map<string, RuleBucket>;
}

interface Node {
  /** Level at which this node was last put on the frontier; keeps a frontier free of repeats. */
  mark: number;
  readonly depth: boolean;
  literals: Map<string, Node> | undefined;
  anyDepth: Node | undefined;
  globs: GlobChildren | undefined;
  leaf: Leaf | undefined;
}

interface Glob {
  readonly pieces: readonly Piece[];
  readonly node: Node;
}

/** Segments with `*` or `${account}`, found by their literal beginning so that a thousand of them are not all tried. */
interface GlobChildren {
  readonly byText: Map<string, Glob>;
  /** Beginning of the segment -> globs that begin so; keyed by length, then text. */
  readonly byPrefix: Map<number, Map<string, Glob[]>>;
}

export class RuleIndex {
  readonly #root = newNode(false);
  #level = 0;
  #frontier: Node[] = [];
  #next: Node[] = [];
  readonly #leaves: Leaf[] = [];
  /** Where the last name left the tree before its last segment: lists are sorted, and most names have the folder of the one before. */
  readonly #folder: { path: string; accountName: string | undefined; nodes: Node[] } = {
    path: '',
    accountName: undefined,
    nodes: [],
  };

  /** Rules must come in the order in which they should be named when several decide alike. */
  add(rule: Rule): void {
    this.#folder.path = '';
    for (const pattern of rule.repositories) {
      const node = pattern.segments.reduce(child, this.#root);
      node.leaf ??= { allow: new Map(), deny: new Map() };
      const buckets = node.leaf[rule.effect];
      for (const subject of rule.subjects) addTo(buckets, subject, rule);
    }
  }

  /**
   * Leaves of every pattern that matches `repository`. The array is reused by the next call.
   * Linear in segments times nodes reached, also for several `**` in one pattern.
   */
  leaves(repository: string, accountName: string | undefined): readonly Leaf[] {
    const last = repository.lastIndexOf('/') + 1;
    this.#enter(repository, last, accountName);
    if (this.#frontier.length > 0) this.#step(repository.slice(last), accountName);
    this.#leaves.length = 0;
    for (const node of this.#frontier) if (node.leaf !== undefined) this.#leaves.push(node.leaf);
    return this.#leaves;
  }

  /** Brings the frontier to the nodes that the first `length` characters of a name reach, the folders of it. */
  #enter(repository: string, length: number, accountName: string | undefined): void {
    const folder = this.#folder;
    this.#frontier.length = 0;
    if (length > 0 && folder.path.length === length && folder.accountName === accountName) {
      if (repository.startsWith(folder.path)) {
        for (const node of folder.nodes) this.#frontier.push(node);
        return;
      }
    }
    this.#frontier.push(this.#root);
    for (let begin = 0; begin < length && this.#frontier.length > 0;) {
      const end = repository.indexOf('/', begin);
      this.#step(repository.slice(begin, end), accountName);
      begin = end + 1;
    }
    folder.path = repository.slice(0, length);
    folder.accountName = accountName;
    folder.nodes.length = 0;
    for (const node of this.#frontier) folder.nodes.push(node);
  }

  #step(segment: string, accountName: string | undefined): void {
    this.#level++;
    const next = this.#next;
    next.length = 0;
    for (const node of this.#frontier) {
      if (node.depth) this.#reach(node);
      const literal = node.literals?.get(segment);
      if (literal !== undefined) this.#reach(literal);
      if (node.anyDepth !== undefined) this.#reach(node.anyDepth);
      if (node.globs !== undefined) this.#reachGlobs(node.globs, segment, accountName);
    }
    this.#next = this.#frontier;
    this.#frontier = next;
  }

  #reachGlobs(globs: GlobChildren, segment: string, accountName: string | undefined): void {
    for (const [length, byText] of globs.byPrefix) {
      if (length > segment.length) continue;
      for (const glob of byText.get(segment.slice(0, length)) ?? []) {
        if (matchPieces(glob.pieces, segment, accountName)) this.#reach(glob.node);
      }
    }
  }

  #reach(node: Node): void {
    if (node.mark === this.#level) return;
    node.mark = this.#level;
    this.#next.push(node);
  }
}

function newNode(depth: boolean): Node {
  return { mark: 0, depth, literals: undefined, anyDepth: undefined, globs: undefined, leaf: undefined };
}

function child(node: Node, segment: Segment): Node {
  switch (segment.kind) {
    case 'any-depth':
      return (node.anyDepth ??= newNode(true));
    case 'literal': {
      node.literals ??= new Map();
      return getOrAdd(node.literals, segment.text, () => newNode(false));
    }
    case 'pieces':
      return globChild((node.globs ??= { byText: new Map(), byPrefix: new Map() }), segment.pieces);
  }
}

function globChild(globs: GlobChildren, pieces: readonly Piece[]): Node {
  const text = JSON.stringify(pieces);
  const known = globs.byText.get(text);
  if (known !== undefined) return known.node;
  const glob = { pieces, node: newNode(false) };
  globs.byText.set(text, glob);
  const [first] = pieces;
  const prefix = typeof first === 'object' ? first.literal : '';
  const byText = getOrAdd(globs.byPrefix, prefix.length, () => new Map<string, Glob[]>());
  getOrAdd(byText, prefix, () => [] as Glob[]).push(glob);
  return glob.node;
}

function addTo(buckets: Map<string, RuleBucket>, subject: Subject, rule: Rule): void {
  const bucket = getOrAdd(buckets, formatSubject(subject), newBucket);
  if (isConditional(rule)) {
    bucket.conditional.push(rule);
  } else if ((rule.rights & ~bucket.plainRights) !== 0) {
    bucket.plain.push(rule);
    bucket.plainRights |= rule.rights;
  }
}

function newBucket(): RuleBucket {
  return { plain: [], plainRights: 0, conditional: [] };
}

function isConditional(rule: Rule): boolean {
  return rule.tags !== undefined || rule.when !== undefined || rule.except.length > 0 || rule.mode === 'shadow';
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
