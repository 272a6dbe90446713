/** The last decisions, with filters; page.js adds new ones while somebody looks. */
import type { ActivityList, ActivityRecord } from '../../../operations/answers.ts';
import type { Asked, Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { accessLink, pageLink, queryOf } from './ops-links.ts';
import { clientName } from './client-name.ts';
import { Answer, Foreign, When, visible } from './parts.tsx';

/** Names of what can be asked for, in the order of the form. */
export const activityFilters = ['repository', 'account', 'decision', 'reason', 'address'] as const;

type Filters = Readonly<Partial<Record<(typeof activityFilters)[number], string>>>;

/** Of a query what is asked for: an empty field is none. */
export function filtersOf({ query }: Pick<Asked, 'query'>): Filters {
  const given = activityFilters.map((name) => [name, query.get(name)?.trim() ?? ''] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== ''));
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
          Nothing like this was decided in the last day. <a href="/ui/activity">Show all</a>
        </p>
      ) : null}
      <div class="scroll" role="region" aria-label="Decisions, the latest first" tabindex={0}>
        <table class="list activity" role="table" aria-label="Decisions">
          <thead role="rowgroup">
            <tr role="row">
              <th scope="col" role="columnheader">
                When
              </th>
              <th scope="col" role="columnheader">
                Decision
              </th>
              <th scope="col" role="columnheader">
                Who
              </th>
              <th scope="col" role="columnheader">
                What
              </th>
              <th scope="col" role="columnheader">
                Why
              </th>
              <th scope="col" role="columnheader">
                From
              </th>
              <th scope="col" role="columnheader">
                <span class="hidden">Explain</span>
              </th>
            </tr>
          </thead>
          <tbody role="rowgroup" {...(isFirst ? live(filters, records[0]?.number ?? frame.now * 1000) : {})}>
            {records.map((record) => (
              <Row record={record} now={frame.now} />
            ))}
          </tbody>
        </table>
      </div>
      {isFirst && next === undefined ? null : (
        <p class="pages">
          {isFirst ? <span /> : <a href={pageLink('/ui/activity', filters)}>Latest</a>}
          {next === undefined ? null : (
            <a href={pageLink('/ui/activity', { ...filters, before: String(next) })}>Older</a>
          )}
        </p>
      )}
    </Layout>
  );
}

/** For page.js: what to ask, and behind which record. */
function live(filters: Filters, last: number) {
  return { 'data-live': `/api/v1/activity?${queryOf({ ...filters, limit: '50' })}`, 'data-last': String(last) };
}

function Filter({ filters }: { readonly filters: Filters }) {
  const { decision } = filters;
  const field = (name: 'account' | 'repository' | 'reason' | 'address', label: string) => (
    <label>
      {label}
      <input name={name} value={filters[name]} autocapitalize="none" autocomplete="off" spellcheck={false} />
    </label>
  );
  const choices = [
    ['', 'any'],
    ['allow', 'allowed'],
    ['deny', 'refused'],
    ['error', 'failed'],
  ] as const;
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

const verdicts = { allow: 'yes', deny: 'no', error: 'sometimes' } as const;
const words = { allow: 'allowed', deny: 'refused', error: 'failed' } as const;

function Row({ record, now }: { readonly record: ActivityRecord; readonly now: number }) {
  const { time, decision, reason, rule, account = '', kind, address = '', userAgent = '', explain } = record;
  return (
    <tr role="row">
      <td role="cell">
        <When at={Date.parse(time)} now={now} />
      </td>
      <td role="cell">
        <Answer answer={verdicts[decision]} word={words[decision]} />
      </td>
      <td role="cell">
        <Foreign text={account === '' ? (kind ?? '–') : account} />
        {account === '' || kind === undefined || kind === 'user' ? null : <span class="note block">{kind}</span>}
      </td>
      <td role="cell">
        <Foreign text={whatOf(record)} />
      </td>
      <td role="cell">
        <Foreign text={reason} />
        {rule === undefined ? null : (
          <span class="note block">
            <Foreign text={rule} />
          </span>
        )}
      </td>
      <td role="cell">
        <Foreign text={address} />
        <span class="note block" title={visible(userAgent.slice(0, 256))}>
          <Foreign text={clientName(userAgent)} />
        </span>
      </td>
      <td role="cell">
        {explain === undefined ? null : (
          <a href={accessLink(explain)}>
            Explain<span class="hidden">{visible(` ${whatOf(record)}`.slice(0, 256))}</span>
          </a>
        )}
      </td>
    </tr>
  );
}

/** `pull release/app:1.0`; page.js says it in the same way. */
function whatOf({ event, action, repository, reference, digest, detail }: ActivityRecord): string {
  if (repository === undefined) return detail ?? action ?? event;
  const what = reference ?? digest;
  const isTag = what !== undefined && !/[: ]/.test(what);
  return `${action ?? event} ${repository}${what === undefined ? '' : isTag ? `:${what}` : ` ${what}`}`;
}
