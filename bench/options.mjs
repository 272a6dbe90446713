/** What the command line says, and what it may say. */
import { parseArgs } from 'node:util';

/** Rows that targets are about. */
const quickRows = ['manifest', 'digest', 'one', 'blob', 'refused', 'limits', 'pull-100m', 'storm', 'start', 'idle'];

const flags = {
  rows: { type: 'string' },
  peers: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  quick: { type: 'boolean' },
  json: { type: 'boolean' },
  compare: { type: 'string' },
  aa: { type: 'boolean' },
  node: { type: 'string' },
  read: { type: 'string' },
  write: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
};

/**
 * The help, with the rows and peers there are.
 * @param {{ rows: readonly { name: string, about: string }[], peers: Record<string, { about: string }> }} known
 */
export function help({ rows, peers }) {
  const list = (entries) =>
    entries.map(([name, about]) => `  ${name.padEnd(18)}${about.replaceAll('`', '')}`).join('\n');
  return `npm run bench [-- OPTIONS]: the gateway beside its peers, in one run, as one table.

  --rows A,B       only these rows, in this order
  --peers A,B      only these peers
  --rounds N       rounds of every row, in which the peers take turns (5)
  --seconds S      length of a round; a transfer that has begun is finished (1)
  --quick          the rows that targets are about, 3 rounds of 0.4 s
  --aa             every gateway twice from the same build: how far the same differs from itself
  --compare REF    every gateway also from a build of that commit, in the same run
  --node PATH      the node that runs the gateways and floors (the one that runs this)
  --json           results as JSON on the standard output
  --read A,B       take results from these files instead of measuring
  --write          put the table into docs/benchmarks.md and keep the results as bench/results/kept.json

Results are kept as bench/results/TIME.json. Root measures before everything else that the machine does. A row or peer whose program is missing is left out and named.

  npm run bench -- --quick --aa
  npm run bench -- --rows manifest,one --peers registry,gateway,pipe --rounds 9
  npm run bench -- --rows manifest,token --peers gateway --aa --compare HEAD~5

Rows:
${list(rows.map(({ name, about }) => [name, about]))}

Peers:
${list(Object.entries(peers).map(([name, { about }]) => [name, about]))}

Rates of proxies end where the core that the registry shares with the load does: where busy is far below 100 %, the
processor time, not the rate, says what the gate costs. Exit code: 1 when a reply was wrong, 2 when nothing can be measured.
`;
}

/**
 * The options, or what is wrong with them.
 * @param {readonly string[]} args
 * @param {{ rows: readonly string[], peers: readonly string[] }} known
 */
export function readOptions(args, known) {
  /** @type {any} */
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options: /** @type {any} */ (flags) }));
  } catch (error) {
    return { ok: false, message: error.message };
  }
  const listOf = (text, all) => text?.split(',') ?? all;
  const isQuick = values.quick === true;
  const options = {
    ...values,
    rows: listOf(values.rows, isQuick ? quickRows : known.rows),
    peers: listOf(values.peers, known.peers),
    rounds: Number(values.rounds ?? (isQuick ? 3 : 5)),
    seconds: Number(values.seconds ?? (isQuick ? 0.4 : 1)),
    node: values.node ?? process.execPath,
    read: values.read?.split(','),
  };
  for (const what of ['rows', 'peers']) {
    const unknown = options[what].find((name) => !known[what].includes(name));
    if (unknown !== undefined)
      return { ok: false, message: `"${unknown}" is none of the ${what}: ${known[what].join(', ')}` };
  }
  if (!Number.isInteger(options.rounds) || options.rounds < 1)
    return { ok: false, message: '--rounds is a whole number from 1' };
  if (!(options.seconds > 0 && options.seconds <= 30))
    return { ok: false, message: '--seconds is more than 0 and at most 30' };
  return { ok: true, options };
}
