/** One line of an audit file as what it says of a decision: nothing of it is believed before it is read strictly. */
import { type LoginSource, accountKinds, loginSources } from '../policy/model.ts';
import type { ReachText } from '../policy/own-reach.ts';
import type { EpochMs } from '../time.ts';

/** Whom a decision was about, as far as that decides again. */
export interface Whom {
  readonly kind: 'user' | 'robot' | 'workload' | 'anonymous';
  readonly name: string;
  readonly outside: LoginSource | undefined;
  /** As `ldap:developers`; undefined for whom the policy files know. */
  readonly groups: readonly string[] | undefined;
  readonly secret: string | undefined;
  readonly reach: ReachText | undefined;
  /** By what a workload was known; in the record of its login alone. */
  readonly evidence: { readonly issuer: string; readonly claims: Readonly<Record<string, string>> } | undefined;
}

/** What became of a request. `undecided`: no rule said so. `gate`, `limit`: the rules had allowed it. */
export type Outcome = 'allowed' | 'denied' | 'gate' | 'limit' | 'undecided';

export interface Recorded {
  readonly event: 'access' | 'token' | 'login' | 'limit' | 'promotion';
  readonly outcome: Outcome;
  readonly reason: string;
  /** Of the rule, or of the limit, that decided. */
  readonly rule: string | undefined;
  readonly gate: string | undefined;
  /** The name that was given, known or not. */
  readonly account: string | undefined;
  /** undefined where nobody was known: those who are challenged are not judged. */
  readonly who: Whom | undefined;
  /** When the request came, and when its record was written. */
  readonly began: EpochMs;
  readonly ended: EpochMs;
  readonly address: string | undefined;
  readonly route: string | undefined;
  readonly httpMethod: string | undefined;
  readonly status: number | undefined;
  readonly action: string | undefined;
  readonly repository: string | undefined;
  readonly reference: string | undefined;
  readonly tags: readonly string[];
  readonly writes: string | undefined;
  readonly from: string | undefined;
  readonly scope: string | undefined;
  readonly asked: string | undefined;
  /** Revision of the policy that decided. */
  readonly policy: string | undefined;
  /** A text was too long to be written down whole. */
  readonly isCut: boolean;
}

/** `other`: no decision of a kind that is judged again. `unreadable`: no record at all. */
export type Reading = Recorded | 'other' | 'unreadable';

/** Bytes; the longest record has a few thousand. */
const maxBytes = 262_144;
const events: ReadonlySet<string> = new Set(['access', 'token', 'login', 'limit', 'promotion']);
const denials: ReadonlySet<string> = new Set([
  'rule_denies',
  'no_rule',
  'secret_narrow',
  'not_a_person',
  'anonymous_refused',
  'tag_taken',
]);
/** Said of a request that rules had allowed, by what else is asked of one. */
const elsewhere =
  /^(?:token_|session_|account_|scope_|login_|credentials_|upstream_(?:unknown|read_only)$|source_unknown$)/;

/** Whatever a line holds, reading it neither throws nor believes it. */
export function readRecorded(bytes: Buffer): Reading {
  const parsed = bytes.length > maxBytes || bytes[0] !== 0x7b ? undefined : parse(bytes);
  if (parsed === undefined) return 'unreadable';
  const { event } = parsed;
  if (typeof event !== 'string' || !events.has(event))
    return 'event' in parsed || 'message' in parsed ? 'other' : 'unreadable';
  const fields = new Fields(parsed);
  const ended = Date.parse(fields.text('time') ?? '');
  if (Number.isNaN(ended)) return 'unreadable';
  const [reason = '', rule] = [fields.text('reason'), fields.text('rule')];
  const taken = Math.max(0, fields.number('durationMs') ?? 0);
  return {
    event: event as Recorded['event'],
    outcome: outcomeOf(fields.text('decision'), reason, rule, event),
    reason,
    rule,
    gate: fields.text('gate'),
    account: fields.text('account'),
    who: whomOf(fields),
    // No date is earlier than 1970 here, whatever somebody wrote.
    began: Math.max(Math.min(0, ended), ended - (Number.isFinite(taken) ? taken : 0)),
    ended,
    address: fields.text('address'),
    route: fields.text('route'),
    httpMethod: fields.text('httpMethod'),
    status: fields.number('status'),
    action: fields.text('action'),
    repository: fields.whole('repository'),
    reference: fields.whole('reference'),
    tags: fields.list('tags') ?? [],
    writes: fields.text('writes'),
    from: fields.whole('from'),
    scope: fields.whole('scope'),
    asked: fields.whole('asked'),
    policy: fields.text('policy'),
    isCut: fields.isCut,
  };
}

function parse(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

function outcomeOf(decision: string | undefined, reason: string, rule: string | undefined, event: string): Outcome {
  if (event === 'token' || event === 'login') return decision === 'allow' ? 'allowed' : 'undecided';
  if (decision === 'deny' && denials.has(reason)) return 'denied';
  if (reason === 'limit_reached') return 'limit';
  if (reason === 'gate_refused') return 'gate';
  return rule === undefined || elsewhere.test(reason) ? 'undecided' : 'allowed';
}

/** Texts of the log end so where they were cut. */
const cutMark = '…';
const cutLength = 257;

/** Fields by their types; what has another type is not there. */
class Fields {
  isCut = false;
  readonly #all: Readonly<Record<string, unknown>>;

  constructor(all: Readonly<Record<string, unknown>>) {
    this.#all = all;
  }

  text(name: string): string | undefined {
    const value = this.#all[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** One that judging hangs on. */
  whole(name: string): string | undefined {
    const value = this.text(name);
    if (value !== undefined) this.#look(value);
    return value;
  }

  number(name: string): number | undefined {
    const value = this.#all[name];
    return typeof value === 'number' ? value : undefined;
  }

  list(name: string): readonly string[] | undefined {
    return this.#texts(this.#all[name]);
  }

  reach(): ReachText | undefined {
    const value = this.#all['reach'];
    if (typeof value !== 'object' || value === null) return undefined;
    const { repositories, actions } = value as Readonly<Record<string, unknown>>;
    return { repositories: this.#texts(repositories), actions: this.#texts(actions) as ReachText['actions'] };
  }

  claims(): Readonly<Record<string, string>> {
    const value = this.#all['claims'];
    const pairs = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    const texts = pairs.filter((pair): pair is [string, string] => typeof pair[1] === 'string');
    texts.forEach(([, text]) => this.#look(text));
    return Object.fromEntries(texts);
  }

  #texts(value: unknown): readonly string[] | undefined {
    if (!Array.isArray(value)) return undefined;
    const texts = value.filter((each): each is string => typeof each === 'string');
    texts.forEach((each) => this.#look(each));
    return texts;
  }

  #look(value: string): void {
    if (value.length >= cutLength && value.endsWith(cutMark)) this.isCut = true;
  }
}

function whomOf(fields: Fields): Whom | undefined {
  const [kind, name = ''] = [fields.text('kind'), fields.whole('account')];
  if (kind === 'anonymous') return nobody;
  const known = accountKinds.find((each) => each === kind);
  if (known === undefined) return undefined;
  const [issuer, groups] = [fields.text('issuer'), fields.list('groups')];
  return {
    kind: known,
    name,
    outside: loginSources.find((each) => each === (fields.text('outside') ?? groups?.[0]?.split(':', 1)[0])),
    groups,
    secret: fields.text('secret'),
    reach: fields.reach(),
    evidence: issuer === undefined ? undefined : { issuer, claims: fields.claims() },
  };
}

const nobody: Whom = {
  kind: 'anonymous',
  name: '',
  outside: undefined,
  groups: undefined,
  secret: undefined,
  reach: undefined,
  evidence: undefined,
};
