/** Whether the gateway is well, with charts that are drawn here. */
import type { HealthState } from '../../../operations/answers.ts';
import type { Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { repositoryLink } from './links.ts';
import { Foreign, Name, When, size } from './parts.tsx';
import { type Column, Table } from './table.tsx';

/** Parts first, then the last hour. */
export function HealthPage({ answer, frame }: { readonly answer: HealthState; readonly frame: Frame }) {
  const { checks, gateways, until, busiest, version } = answer;
  return (
    <Layout title="Health" at="/ui/health" frame={frame}>
      <h1>Health</h1>
      <p class="note">
        As of <When at={Date.parse(until)} now={frame.now} />, the last 60 minutes, this gateway. Longer and for all
        gateways: the metrics of the admin listener.
      </p>
      <ul class="checks">
        {checks.map(({ name, state, detail }) => (
          <Check {...{ name, state, detail }} />
        ))}
        <Check
          name="gateways"
          state="ok"
          detail={`${gateways === 1 ? 'only this one' : `${gateways} share the store`}, this is version ${version}`}
        />
      </ul>
      <Doctor doctor={answer.doctor} now={frame.now} />
      <div class="charts">
        {chartsOf(answer).map((chart) => (
          <Chart {...chart} />
        ))}
      </div>
      <Busiest busiest={busiest} />
    </Layout>
  );
}

/** Words of `/readyz` that only those know who wrote it. */
const named: Readonly<Record<string, string>> = { upstream: 'registry', keys: 'signing keys', store: 'session store' };

const states = { ok: ['✓', 'ok'], degraded: ['!', 'degraded'], failed: ['✕', 'failed'] } as const;

function Check({ name, state, detail }: HealthState['checks'][number]) {
  const [glyph, word] = states[state];
  return (
    <li class={state}>
      <span class="state">
        <span aria-hidden="true">{glyph}</span>{' '}
        {`${named[name] ?? name.replace(/^upstream (?=\S)/, 'registry ')}: ${word}`}
      </span>
      {detail === undefined ? null : (
        <span class="note">
          <Foreign text={detail} whole />
        </span>
      )}
    </li>
  );
}

/** `most`: pulls of the busiest. */
const busiestColumns = (most: number): readonly Column<HealthState['busiest'][number]>[] => [
  {
    title: 'Repository',
    cell: ({ repository }) => (
      <a href={repositoryLink(repository)}>
        <Name name={repository} />
      </a>
    ),
  },
  {
    title: 'Pulls',
    class: 'number',
    cell: ({ pulls }) => (
      <>
        {pulls.toLocaleString('en')}
        <span class="narrow"> {pulls === 1 ? 'pull' : 'pulls'}</span>
      </>
    ),
  },
  { title: 'To clients', class: 'number', cell: ({ bytes }) => size(bytes) },
  {
    title: 'Share',
    isHidden: true,
    class: 'share',
    cell: ({ pulls }) => (
      <>
        <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
          <rect width={Math.max(1, (100 * pulls) / most).toFixed(1)} height="8" />
        </svg>
        <span class="hidden">{Math.round((100 * pulls) / most)} % of the busiest</span>
      </>
    ),
  },
];

/** Of the last run what is not well, each with what to do. */
function Doctor({ doctor, now }: Pick<HealthState, 'doctor'> & { readonly now: number }) {
  const command = <code>portcullis doctor</code>;
  if (doctor === undefined)
    return (
      <p class="note">
        Run {command} where the gateway runs: its checks look further than these, and what they find is shown here then.
      </p>
    );
  const { at, checks } = doctor;
  const count = (state: string): number => checks.filter((check) => check.state === state).length;
  const bad = checks.filter(({ state }) => state === 'warn' || state === 'FAIL');
  return (
    <>
      <p class="note">
        {command} ran <When at={Date.parse(at)} now={now} />:{' '}
        {`${count('ok')} of ${checks.length} checks ok, ${count('warn')} to be seen to, ${count('FAIL')} failed.`}
      </p>
      <ul class="checks">
        {bad.map(({ number, name, state, found, fix }) => (
          <li class={state === 'FAIL' ? 'failed' : 'degraded'}>
            <span class="state">
              <span aria-hidden="true">{state === 'FAIL' ? '✕' : '!'}</span> {number} <Foreign text={name} />
              {state === 'FAIL' ? ': failed' : ': to be seen to'}
            </span>
            <span class="note">
              <Foreign text={fix === null ? found : `${found} → ${fix}`} whole />
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Busiest({ busiest }: Pick<HealthState, 'busiest'>) {
  const most = Math.max(1, ...busiest.map(({ pulls }) => pulls));
  return (
    <>
      <h2>Busiest repositories, last hour</h2>
      {busiest.length === 0 ? (
        <p class="empty">Nothing that you may pull was pulled.</p>
      ) : (
        <Table name="Busiest repositories, last hour" columns={busiestColumns(most)} rows={busiest} />
      )}
    </>
  );
}

interface ChartView {
  readonly title: string;
  readonly unit: string;
  readonly values: readonly number[];
  /** The least that its height stands for: an idle gateway draws no mountains. */
  readonly least: number;
  /** There was nothing to measure in the last whole minute. */
  readonly isIdle?: boolean;
}

function chartsOf({ requests, refusals, bytesOut, manifestP95 }: HealthState): readonly ChartView[] {
  const perSecond = (values: readonly number[], by = 60): readonly number[] => values.map((value) => value / by);
  return [
    { title: 'Requests', unit: ' a second', values: perSecond(requests), least: 1 },
    {
      title: 'Manifest pulls, 95 % within',
      unit: ' ms',
      values: manifestP95.map((value) => (value ?? 0) * 1000),
      isIdle: (manifestP95.at(-2) ?? null) === null,
      least: 10,
    },
    { title: 'Refused', unit: ' a second', values: perSecond(refusals), least: 1 },
    { title: 'To clients', unit: ' MB/s', values: perSecond(bytesOut, 60e6), least: 1 },
  ];
}

/** A line of at most 60 points: about 700 bytes, no script, colours by the style sheet. The last point is a minute that runs. */
function Chart({ title, unit, values, least, isIdle = false }: ChartView) {
  const top = niceTop(Math.max(least, ...values));
  const points = values
    .map((value, at) => `${((at * 300) / (values.length - 1)).toFixed(1)},${(80 - (value / top) * 80).toFixed(1)}`)
    .join(' ');
  const whole = values.slice(0, -1);
  const now = isIdle ? 'none' : `${figure(whole.at(-1) ?? 0)}${unit}`;
  const range = `between ${figure(Math.min(...whole))} and ${figure(Math.max(...whole))}${unit} in the last hour`;
  return (
    <figure class="chart">
      <figcaption>
        <span>{title}</span> <strong>{now}</strong>
      </figcaption>
      <svg viewBox="0 0 300 80" preserveAspectRatio="none" role="img" aria-label={`${title}: now ${now}, ${range}`}>
        <path class="grid" d="M0 .5H300M0 40H300M0 79.5H300" />
        <polygon class="area" points={`0,80 ${points} 300,80`} />
        <polyline class="line" points={points} />
      </svg>
      <div class="axis" aria-hidden="true">
        <span>1 hour ago</span>
        <span>{`full height ${figure(top)}${unit}`}</span>
        <span>now</span>
      </div>
    </figure>
  );
}

/** Two digits that say something; what is hardly anything is said to be that. */
function figure(value: number): string {
  if (value > 0 && value < 0.01) return 'less than 0.01';
  return value >= 100 || Number.isInteger(value)
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(2)));
}

/** 1, 2 or 5 times a power of ten, at least `value`. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}
