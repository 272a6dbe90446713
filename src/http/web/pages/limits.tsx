/** Who is near or over a limit, and whom failed logins hold back. */
import type { LimitList } from '../../../operations/answers.ts';
import { describeWait } from '../../../policy/rate.ts';
import type { Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { Answer, Foreign, When } from './parts.tsx';
import { inWords } from './limit-words.ts';

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
        <div class="scroll" role="region" aria-label="Budgets with little left" tabindex={0}>
          <table class="list tags" role="table" aria-label="Budgets with little left">
            <thead role="rowgroup">
              <tr role="row">
                <th role="columnheader" scope="col">
                  Who
                </th>
                <th role="columnheader" scope="col">
                  Limit
                </th>
                <th role="columnheader" scope="col" class="number">
                  Left
                </th>
                <th role="columnheader" scope="col">
                  Next one
                </th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {limits.slice(0, shown).map(({ name, mode, count, per, source, rate, burst, remaining, waitSeconds }) => (
                <tr role="row">
                  <th role="rowheader" scope="row">
                    <Foreign text={source} />
                    <span class="note block">{per}</span>
                  </th>
                  <td role="cell">
                    <Foreign text={name} />
                    <span class="note block">{`${inWords(count, rate)}${mode === 'shadow' ? ', shadow' : ''}`}</span>
                  </td>
                  <td
                    role="cell"
                    class="number"
                    data-word="left:"
                  >{`${remaining.toLocaleString('en')} of ${burst.toLocaleString('en')}`}</td>
                  <td role="cell" data-word="next one">
                    <Wait seconds={waitSeconds} isShadow={mode === 'shadow'} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <More rows={limits.length} />
      <Logins logins={logins} now={frame.now} />
    </Layout>
  );
}

function Logins({ logins, now }: { readonly logins: LimitList['logins']; readonly now: number }) {
  return (
    <>
      <h2>Failed logins</h2>
      {logins.length === 0 ? (
        <p class="empty">Nobody is held back by failed logins.</p>
      ) : (
        <div class="scroll" role="region" aria-label="Accounts and networks that failed to log in" tabindex={0}>
          <table class="list tags" role="table" aria-label="Failed logins">
            <thead role="rowgroup">
              <tr role="row">
                <th role="columnheader" scope="col">
                  Account
                </th>
                <th role="columnheader" scope="col">
                  From
                </th>
                <th role="columnheader" scope="col" class="number">
                  Failures
                </th>
                <th role="columnheader" scope="col">
                  Last one
                </th>
                <th role="columnheader" scope="col">
                  Next attempt
                </th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {logins.slice(0, shown).map(({ account, network, failures, lastFailure, waitSeconds }) => (
                <tr role="row">
                  <th role="rowheader" scope="row">
                    {account === undefined ? 'anybody' : <Foreign text={account} />}
                  </th>
                  <td role="cell" data-word="from">
                    {network ?? 'anywhere'}
                  </td>
                  <td role="cell" class="number" data-word="failures:">
                    {failures.toLocaleString('en')}
                  </td>
                  <td role="cell" data-word="last one">
                    <When at={Date.parse(lastFailure)} now={now} />
                  </td>
                  <td role="cell" data-word="next attempt">
                    <Wait seconds={waitSeconds} isShadow={false} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
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
