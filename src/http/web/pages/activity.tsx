/** The last decisions, with filters; page.js adds new ones while somebody looks. */
import type { ActivityList, ActivityRecord } from '../../../operations/answers.ts';
import { filledIn } from '../filled-in.ts';
import type { Asked, Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { word } from './commands.ts';
import { pageLink, queryOf } from './links.ts';
import { clientName, clientSigns } from './client-name.ts';
import { Answer, Command, Foreign, When, glyphs, visible } from './parts.tsx';
import { type Column, Scroll, Table, Ways } from './table.tsx';

/** Names of what can be asked for, in the order of the form. */
const activityFilters = ['repository', 'account', 'decision', 'reason', 'address'] as const;

type Filters = Readonly<Partial<Record<(typeof activityFilters)[number], string>>>;

/** Of a query what is asked for: an empty field is none. */
export function filtersOf({ query }: Pick<Asked, 'query'>): Filters {
  return filledIn(query, activityFilters);
}

/** One row for each record; without JavaScript it reads as it was when it was asked for. */
export function ActivityPage({ answer, frame, asked }: { answer: ActivityList; frame: Frame; asked: Asked }) {
  const filters = filtersOf(asked);
  const isFirst = asked.query.get('before') === null;
  const { records, next } = answer;
  return (
    <Layout title="Activity" at="/ui/activity" frame={frame}>
      <h1>Activity</h1>
      <p class="note">
        Decisions of the last day, at most 5,000, of this gateway; others beside it have their own.
        {frame.viewer.mayInspectAll ? '' : ' You see your own, and those about repositories that you may inspect.'}
      </p>
      <Filter filters={filters} />
      {records.length === 0 ? (
        <p class="empty">
          Nothing like this is among them. <a href="/ui/activity">Show all</a>
        </p>
      ) : null}
      <Scroll name="Decisions, the latest first">
        <Table
          name="Decisions"
          class="list activity"
          columns={columnsAt(frame.now)}
          rows={records}
          isHeaded={false}
          data={isFirst ? live(filters, records[0]?.number ?? frame.now * 1000) : {}}
        />
      </Scroll>
      <Ways
        back={isFirst ? undefined : { href: pageLink('/ui/activity', filters), text: 'Latest' }}
        on={
          next === undefined
            ? undefined
            : { href: pageLink('/ui/activity', { ...filters, before: String(next) }), text: 'Older' }
        }
      />
      {frame.viewer.mayInspectAll ? <Export filters={filters} /> : null}
    </Layout>
  );
}

/** Characters of a filter in a command. */
const maxShown = 256;

/** The same question to the audit files, which are of all gateways and go further back. */
function Export({ filters }: { readonly filters: Filters }) {
  const asked = activityFilters.flatMap((name) => {
    const value = filters[name];
    return value === undefined ? [] : [`--${name} ${word(value.slice(0, maxShown))}`];
  });
  return (
    <details>
      <summary>Export</summary>
      <p class="note">
        Where the gateway keeps audit files (<code>audit.directory</code>), on its machine; <code>--json</code> gives
        whole records:
      </p>
      <Command label="audit" text={visible(['portcullis audit query --since 24h', ...asked, '--csv'].join(' '))} />
    </details>
  );
}

/** For page.js: what to ask, behind which record, and the words of rows. */
function live(filters: Filters, last: number) {
  const asked = `/api/v1/activity?${queryOf({ ...filters, limit: '50' })}`;
  const words = JSON.stringify({ verdicts, clients: clientSigns });
  return { 'data-live': asked, 'data-last': String(last), 'data-words': words };
}

function Filter({ filters }: { readonly filters: Filters }) {
  const { decision } = filters;
  const field = (name: 'account' | 'repository' | 'reason' | 'address', label: string) => (
    <label>
      {label}
      <input name={name} value={filters[name]} autocapitalize="none" autocomplete="off" spellcheck={false} />
    </label>
  );
  const choices = [['', 'any'], ...Object.entries(verdicts).map(([value, [, , word]]) => [value, word] as const)];
  return (
    <form class="ask filter" method="get" action="/ui/activity" role="search">
      {field('repository', 'Repository')}
      {field('account', 'Account')}
      <label>
        Decision
        <select name="decision">
          {choices.map(([value, word]) => (
            <option value={value} selected={value === (decision ?? '')}>
              {word}
            </option>
          ))}
        </select>
      </label>
      {field('reason', 'Reason')}
      {field('address', 'Address')}
      <button class="primary">Show</button>
    </form>
  );
}

const verdicts = {
  allow: ['yes', glyphs.yes, 'allowed'],
  deny: ['no', glyphs.no, 'refused'],
  error: ['sometimes', glyphs.sometimes, 'failed'],
} as const;

function Decided({ decision }: Pick<ActivityRecord, 'decision'>) {
  const [answer, , word] = verdicts[decision];
  return <Answer answer={answer} word={word} />;
}

/** page.js makes rows of the same cells. */
const columnsAt = (now: number): readonly Column<ActivityRecord>[] => [
  { title: 'When', cell: ({ time }) => <When at={Date.parse(time)} now={now} /> },
  { title: 'Decision', cell: ({ decision }) => <Decided decision={decision} /> },
  {
    title: 'Who',
    cell: ({ account = '', kind }) => (
      <>
        <Foreign text={account === '' ? (kind ?? '–') : account} />
        {account === '' || kind === undefined || kind === 'user' ? null : <span class="note block">{kind}</span>}
      </>
    ),
  },
  { title: 'What', cell: (record) => <Foreign text={whatOf(record)} /> },
  {
    title: 'Why',
    cell: ({ reason, rule }) => (
      <>
        <Foreign text={reason} />
        {rule === undefined ? null : (
          <span class="note block">
            <Foreign text={rule} />
          </span>
        )}
      </>
    ),
  },
  {
    title: 'From',
    cell: ({ address = '', userAgent = '' }) => (
      <>
        <Foreign text={address} />
        <span class="note block" title={visible(userAgent.slice(0, 256))}>
          <Foreign text={clientName(userAgent)} />
        </span>
      </>
    ),
  },
  {
    title: 'Explain',
    isHidden: true,
    cell: (record) =>
      record.explain === undefined ? null : (
        <a href={pageLink('/ui/access', record.explain)}>
          Explain<span class="hidden">{visible(` ${whatOf(record)}`.slice(0, 256))}</span>
        </a>
      ),
  },
];

/** `pull release/app:1.0`; page.js says it in the same way. */
function whatOf({ event, action, repository, reference, digest, detail }: ActivityRecord): string {
  if (repository === undefined) return detail ?? action ?? event;
  const what = reference ?? digest;
  const isTag = what !== undefined && !/[: ]/.test(what);
  return `${action ?? event} ${repository}${what === undefined ? '' : isTag ? `:${what}` : ` ${what}`}`;
}
