/** Who is near or over a limit, and whom failed logins hold back. */
import type { LimitList } from '../../../operations/answers.ts';
import { describeWait } from '../../../policy/rate.ts';
import type { Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { Answer, Foreign, When } from './parts.tsx';
import { inWords } from './limit-words.ts';
import { type Column, Scroll, Table } from './table.tsx';

/** Rows that are shown of each; the rest are counted. */
const shown = 100;

/** The longest wait first. */
export function LimitsPage({ answer: { limits, logins }, frame }: { answer: LimitList; frame: Frame }) {
  return (
    <Layout title="Limits" at="/ui/limits" frame={frame}>
      <h1>Limits</h1>
      <h2>Near or over</h2>
      <p class="note">Budgets with at most a fifth left. Shadow limits count and refuse nobody.</p>
      {limits.length === 0 ? (
        <p class="empty">Nobody is near a limit.</p>
      ) : (
        <Scroll name="Budgets with little left">
          <Table name="Budgets with little left" columns={budgetColumns} rows={limits.slice(0, shown)} />
        </Scroll>
      )}
      <More rows={limits.length} />
      <Logins logins={logins} now={frame.now} />
    </Layout>
  );
}

const budgetColumns: readonly Column<LimitList['limits'][number]>[] = [
  {
    title: 'Who',
    cell: ({ source, per }) => (
      <>
        <Foreign text={source} />
        <span class="note block">{per}</span>
      </>
    ),
  },
  {
    title: 'Limit',
    cell: ({ name, count, rate, mode }) => (
      <>
        <Foreign text={name} />
        <span class="note block">{`${inWords(count, rate)}${mode === 'shadow' ? ', shadow' : ''}`}</span>
      </>
    ),
  },
  {
    title: 'Left',
    class: 'number',
    word: 'left:',
    cell: ({ remaining, burst }) => `${remaining.toLocaleString('en')} of ${burst.toLocaleString('en')}`,
  },
  {
    title: 'Next one',
    word: 'next one',
    cell: ({ waitSeconds, mode }) => <Wait seconds={waitSeconds} isShadow={mode === 'shadow'} />,
  },
];

const loginColumns = (now: number): readonly Column<LimitList['logins'][number]>[] => [
  { title: 'Account', cell: ({ account }) => (account === undefined ? 'anybody' : <Foreign text={account} />) },
  { title: 'From', word: 'from', cell: ({ network }) => network ?? 'anywhere' },
  { title: 'Failures', class: 'number', word: 'failures:', cell: ({ failures }) => failures.toLocaleString('en') },
  {
    title: 'Last one',
    word: 'last one',
    cell: ({ lastFailure }) => <When at={Date.parse(lastFailure)} now={now} />,
  },
  {
    title: 'Next attempt',
    word: 'next attempt',
    cell: ({ waitSeconds }) => <Wait seconds={waitSeconds} isShadow={false} />,
  },
];

function Logins({ logins, now }: { readonly logins: LimitList['logins']; readonly now: number }) {
  return (
    <>
      <h2>Failed logins</h2>
      {logins.length === 0 ? (
        <p class="empty">Nobody is held back by failed logins.</p>
      ) : (
        <Scroll name="Accounts and networks that failed to log in">
          <Table name="Failed logins" columns={loginColumns(now)} rows={logins.slice(0, shown)} />
        </Scroll>
      )}
      <More rows={logins.length} />
    </>
  );
}

function Wait({ seconds, isShadow }: { readonly seconds: number; readonly isShadow: boolean }) {
  if (seconds === 0) return <Answer answer="yes" word="now" />;
  return <Answer answer={isShadow ? 'sometimes' : 'no'} word={`in ${describeWait(seconds)}`} />;
}

function More({ rows }: { readonly rows: number }) {
  if (rows <= shown) return null;
  const more = (rows - shown).toLocaleString('en');
  return <p class="note">{`and ${more} more: portcullis limits --json lists all`}</p>;
}
