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
  /** The step that reached this node last; keeps what one step reaches free of repeats. */
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

/** The nodes that the folders of a name reach. */
interface Folder {
  /** Up to the last slash. */
  readonly path: string;
  readonly accountName: string | undefined;
  readonly nodes: readonly Node[];
  /** For whatever no pattern names in it: the same for most of its repositories. */
  unnamed: readonly Leaf[] | undefined;
}

export class RuleIndex {
  readonly #root = newNode(false);
  readonly #top: readonly Node[] = [this.#root];
  /** Of the last name: lists are sorted, and most names are in the folder of the one before. */
  #folder: Folder | undefined;
  #level = 0;

  /** Rules must come in the order in which they should be named when several decide alike. */
  add(rule: Rule): void {
    this.#folder = undefined;
    for (const pattern of rule.repositories) {
      const node = pattern.segments.reduce(child, this.#root);
      node.leaf ??= { allow: new Map(), deny: new Map() };
      const buckets = node.leaf[rule.effect];
      for (const subject of rule.subjects) addTo(buckets, subject, rule);
    }
  }

  /**
   * Leaves of every pattern that matches `repository`.
   * Linear in segments times nodes reached, also for several `**` in one pattern.
   */
  leaves(repository: string, accountName: string | undefined): readonly Leaf[] {
    const last = repository.lastIndexOf('/') + 1;
    const folder = this.#enter(repository, last, accountName);
    const segment = repository.slice(last);
    if (folder.nodes.some((node) => node.globs !== undefined || node.literals?.has(segment) === true))
      return leavesOf(this.#step(folder.nodes, segment, accountName));
    return (folder.unnamed ??= leavesOf(this.#step(folder.nodes, segment, accountName)));
  }

  /** The folder that is the first `length` characters of a name. */
  #enter(repository: string, length: number, accountName: string | undefined): Folder {
    const before = this.#folder;
    const isSame = before?.path.length === length && before.accountName === accountName;
    if (isSame && repository.startsWith(before.path)) return before;
    let nodes = this.#top;
    for (let begin = 0; begin < length && nodes.length > 0;) {
      const end = repository.indexOf('/', begin);
      nodes = this.#step(nodes, repository.slice(begin, end), accountName);
      begin = end + 1;
    }
    return (this.#folder = { path: repository.slice(0, length), accountName, nodes, unnamed: undefined });
  }

  #step(from: readonly Node[], segment: string, accountName: string | undefined): readonly Node[] {
    this.#level++;
    const reached: Node[] = [];
    for (const node of from) {
      if (node.depth) this.#reach(node, reached);
      const literal = node.literals?.get(segment);
      if (literal !== undefined) this.#reach(literal, reached);
      if (node.anyDepth !== undefined) this.#reach(node.anyDepth, reached);
      if (node.globs !== undefined) this.#reachGlobs(node.globs, segment, accountName, reached);
    }
    return reached;
  }

  #reachGlobs(globs: GlobChildren, segment: string, accountName: string | undefined, reached: Node[]): void {
    for (const [length, byText] of globs.byPrefix) {
      if (length > segment.length) continue;
      for (const glob of byText.get(segment.slice(0, length)) ?? []) {
        if (matchPieces(glob.pieces, segment, accountName)) this.#reach(glob.node, reached);
      }
    }
  }

  #reach(node: Node, reached: Node[]): void {
    if (node.mark === this.#level) return;
    node.mark = this.#level;
    reached.push(node);
  }
}

function leavesOf(nodes: readonly Node[]): readonly Leaf[] {
  return nodes.flatMap(({ leaf }) => leaf ?? []);
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
