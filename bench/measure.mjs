/** The rounds: peers take turns in each, so that what disturbs the machine hits all alike. */
import { startPeer } from './peers.mjs';
import { summarise } from './statistics.mjs';
import { rows as allRows } from './rows.mjs';

/** A transfer of 100 MB, and 64 clients, take what they take: the first round of everything is not counted. */
const warmSeconds = 0.3;
/** Code that Node has not compiled yet is not what is measured. */
const firstLoadSeconds = 2;

/** The peers that run, started when they are first needed. */
export class Team {
  #lab;
  #running = new Map();

  /** @param {import('./peers.mjs').Lab} lab */
  constructor(lab) {
    this.#lab = lab;
  }

  /**
   * @param {string} name
   * @param {string} variant
   */
  async get(name, variant = '') {
    const key = `${name} ${variant}`;
    const held = this.#running.get(key);
    if (held !== undefined) return held;
    const peer = await startPeer(this.#lab, name, { variant });
    try {
      await peer.logIn();
      await warm(this.#lab, peer);
    } catch (error) {
      await peer.program.stop();
      throw error;
    }
    this.#running.set(key, peer);
    return peer;
  }

  /** Ends what the next rows do without. */
  async dismiss(variant) {
    for (const [key, peer] of this.#running) {
      if (!key.endsWith(` ${variant}`)) continue;
      this.#running.delete(key);
      await peer.program.stop();
    }
  }
}

async function warm(lab, peer) {
  const row = allRows.find(({ name }) => name === 'head');
  await row?.load?.(peer, firstLoadSeconds, await row.check?.(peer), lab);
}

/** One load, with what it cost the measured process and its helpers. */
async function loaded(lab, row, peer, seconds) {
  const checked = await row.check?.(peer);
  const { program, helpers } = peer;
  for (const each of [program, ...helpers]) each.emptyLog();
  const cpuOf = (all) => all.reduce((sum, each) => sum + each.processorSeconds(), 0);
  const [own, others, begun] = [cpuOf([program]), cpuOf(helpers), performance.now()];
  const { count, bytes, seconds: took, p50 } = await row.load(peer, seconds, checked, lab);
  const wall = (performance.now() - begun) / 1000;
  const used = cpuOf([program]) - own;
  const helped = cpuOf(helpers) - others;
  const isBytes = row.unit === 'MB/s';
  // Seconds per GB, else milliseconds per request or image.
  const amount = isBytes ? bytes / 1e9 : count / 1000;
  const value = isBytes ? bytes / 1e6 / took : count / took;
  return { value, p50, cpu: used / amount, helpers: helped / amount, busy: used / wall };
}

/**
 * A row of all its peers: rounds in turns. A peer that answers wrongly is left out, with what it did.
 * @param {import('./peers.mjs').Lab} lab
 * @param {Team} team
 * @param {import('./rows.mjs').Row} row
 * @param {{ peers: readonly string[], rounds: number, seconds: number }} options
 */
export async function measured(lab, team, row, { peers, rounds, seconds }) {
  const names = peers.filter((name) => row.isFor(name.split('@')[0]));
  const problems = new Map();
  const seen = new Map(names.map((name) => [name, []]));
  const attempt = async (name, action) => {
    if (problems.has(name)) return;
    try {
      await action();
    } catch (error) {
      problems.set(name, error.message);
    }
  };
  const round = async (name, length) => {
    if (row.once !== undefined) return { value: await row.once(lab, name) };
    return loaded(lab, row, await team.get(name, row.variant), length);
  };
  for (const name of names) await attempt(name, () => round(name, Math.min(warmSeconds, seconds)));
  for (let n = 0; n < rounds; n++) {
    for (const name of names) await attempt(name, async () => seen.get(name).push(await round(name, seconds)));
  }
  if (row.variant !== undefined) await team.dismiss(row.variant);
  const figures = names.map((name) => [
    name,
    problems.has(name) ? { problem: problems.get(name) } : summarise(seen.get(name)),
  ]);
  return { name: row.name, about: row.about, unit: row.unit, peers: Object.fromEntries(figures) };
}
