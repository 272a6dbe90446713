/**
 * Marks of repositories across gateways: one key each, in which those stand who are writing. While somebody does, nobody
 * has a mark; a gateway that dies leaves its repository without one until its write must have ended.
 */
import { randomUUID } from 'node:crypto';
import type { Mark, RepositoryMarks, Unavailable } from '../../ports.ts';
import type { RedisConnection } from './connection.ts';
import { markKey } from './keys.ts';
import { script } from './redis-script.ts';

type MarkRead = Mark | undefined | Unavailable;

interface Asked {
  readonly answer: Promise<MarkRead>;
  readonly settle: (mark: MarkRead) => void;
}

/** Milliseconds that a mark lives which nobody changes: then all is asked for once more. */
const idleMs = 3_600_000;
const retryMs = 1000;

/** `longestWriteMs`: no write lasts longer. `lingerMs`: how long one may go on whose end nobody saw. */
export function createRedisRepositoryMarks(
  connection: Pick<RedisConnection, 'calls'>,
  longestWriteMs: number,
  lingerMs = 60_000,
): RepositoryMarks {
  const calls = connection.calls();
  /** Not sent yet: all who ask in one turn of the event loop get one answer, which is younger than their question. */
  let waiting: Map<string, Asked> | undefined;

  async function ask(repository: string): Promise<MarkRead> {
    const answer = await calls.run(readMark, [markKey(repository)], [randomUUID(), idleMs]);
    if (!answer.ok) return answer;
    const mark = String(answer.reply);
    return mark.includes('|') ? undefined : mark;
  }

  function sendAll(): void {
    const asked = waiting;
    waiting = undefined;
    for (const [repository, { settle }] of asked ?? []) void ask(repository).then(settle);
  }

  async function change(repository: string, writer: string, forMs: number) {
    return calls.run(changeMark, [markKey(repository)], [randomUUID(), writer, forMs, idleMs]);
  }

  /** Until it is told: without it the repository has no mark for as long as a write may take. */
  async function end(repository: string, writer: string): Promise<void> {
    if ((await change(repository, writer, 0)).ok) return;
    const until = performance.now() + longestWriteMs;
    const again = async (): Promise<void> => {
      if ((await change(repository, writer, 0)).ok || performance.now() > until) return;
      setTimeout(() => void again(), retryMs).unref();
    };
    setTimeout(() => void again(), retryMs).unref();
  }

  return {
    read(repository) {
      if (waiting === undefined) {
        waiting = new Map();
        setImmediate(sendAll);
      }
      const known = waiting.get(repository);
      if (known !== undefined) return known.answer;
      let settle: Asked['settle'] = () => {};
      const answer = new Promise<MarkRead>((resolve) => (settle = resolve));
      waiting.set(repository, { answer, settle });
      return answer;
    },
    async around(repository, task, isOver = () => true) {
      const writer = randomUUID();
      const begun = await change(repository, writer, longestWriteMs);
      if (!begun.ok) {
        // It may have been recorded all the same.
        void end(repository, writer);
        return begun;
      }
      let goesOn = false;
      try {
        const value = await task();
        goesOn = !isOver(value);
        return { ok: true, value };
      } finally {
        // Untold, it ends later still.
        if (goesOn) await change(repository, writer, lingerMs);
        else await end(repository, writer);
      }
    },
  };
}

/** KEYS: the mark. ARGV: a new one, milliseconds that it lives. Returns what is there, writers included, or was made. */
const readMark = script('ReadMark')`
local mark = redis.call('GET', KEYS[1])
if mark then return mark end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`;

/**
 * KEYS: the mark. ARGV: a new one, the writer, milliseconds that its write may take (0: it has ended), milliseconds that
 * an idle mark lives. A writer that was never heard of again is forgotten when its time is over.
 */
const changeMark = script('ChangeMark')`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last = 0
local mark = ARGV[1]
local function writes(writer, ends)
  mark = mark .. '|' .. writer .. '@' .. string.format('%.0f', ends)
  last = math.max(last, ends)
end
for writer, ends in string.gmatch(redis.call('GET', KEYS[1]) or '', '|([^@|]*)@(%d+)') do
  if writer ~= ARGV[2] and tonumber(ends) > now then writes(writer, tonumber(ends)) end
end
if ARGV[3] ~= '0' then writes(ARGV[2], now + tonumber(ARGV[3])) end
redis.call('SET', KEYS[1], mark, 'PX', last > 0 and string.format('%.0f', last - now) or ARGV[4])
return 1`;
