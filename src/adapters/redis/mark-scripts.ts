/** Steps on the marks of repositories. */
import { script } from './redis-script.ts';

/** KEYS: the mark. ARGV: a new one, milliseconds that it lives. Returns what is there, writers included, or was made. */
export const readMark = script('ReadMark')`
local mark = redis.call('GET', KEYS[1])
if mark then return mark end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`;

/**
 * KEYS: the mark. ARGV: a new one, the writer, milliseconds that its write may take (0: it has ended), milliseconds that
 * an idle mark lives. A writer that was never heard of again is forgotten when its time is over.
 */
export const changeMark = script('ChangeMark')`
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
