/**
 * Steps on what is remembered of tags. Keys and their meaning: keys.ts. A move is a line, `at digest "account"`; those of a
 * tag are the lines of one field, the latest first.
 */
import { script } from './redis-script.ts';

const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = now - ARGV[1]
local function text(number) return string.format('%.0f', number) end
local function at(line) return tonumber(string.match(line, '^%d+')) or 0 end
local function digest(line) return string.match(line, '^%d+ (%S+)') end
local function first(lines) return string.match(lines, '^[^\\n]*') end
`;

/**
 * KEYS: moves, written, pulled. ARGV: how long all is kept, how many tags, how many moves; then of each note its kind, time,
 * tag or digest, and what is kept of a move. Times that lie in the future are now. Returns the number of entries, when the
 * repository was last heard of, and when it was last written to.
 */
export const noteTags = script('NoteTags')`
${clock}
local moves, written, pulled = KEYS[1], KEYS[2], KEYS[3]
local heard = 0

local function forget(tag)
  redis.call('HDEL', moves, tag)
  redis.call('ZREM', written, tag)
end

local function write(tag, when, kept)
  local all, placed = {}, false
  local new = text(when) .. ' ' .. kept
  for line in string.gmatch(redis.call('HGET', moves, tag) or '', '[^\\n]+') do
    if not placed and when >= at(line) then
      all[#all + 1] = new
      placed = true
    end
    all[#all + 1] = line
  end
  if not placed then all[#all + 1] = new end
  local few = {}
  for _, line in ipairs(all) do
    if #few < tonumber(ARGV[3]) and (#few == 0 or digest(few[#few]) ~= digest(line)) then few[#few + 1] = line end
  end
  redis.call('HSET', moves, tag, table.concat(few, '\\n'))
  redis.call('ZADD', written, at(few[1]), tag)
end

local function gone(tag, when)
  if (tonumber(redis.call('ZSCORE', written, tag) or '') or 0) > when then return end
  forget(tag)
  redis.call('ZREM', pulled, tag)
end

for place = 4, #ARGV, 4 do
  local kind, when, name, kept = ARGV[place], math.min(tonumber(ARGV[place + 1]), now), ARGV[place + 2], ARGV[place + 3]
  heard = math.max(heard, when)
  if kind == 'written' then write(name, when, kept)
  elseif kind == 'pulled' then redis.call('ZADD', pulled, 'GT', when, name)
  elseif kind == 'tag-gone' then gone(name, when)
  else
    local all = redis.call('HGETALL', moves)
    for field = 1, #all, 2 do
      if digest(all[field + 1]) == name then gone(all[field], when) end
    end
  end
end

for _, tag in ipairs(redis.call('ZRANGEBYSCORE', written, '-inf', since)) do forget(tag) end
local more = redis.call('ZCARD', written) - ARGV[2]
if more > 0 then
  for _, tag in ipairs(redis.call('ZRANGE', written, 0, more - 1)) do forget(tag) end
end
redis.call('ZREMRANGEBYSCORE', pulled, '-inf', since)
redis.call('ZREMRANGEBYRANK', pulled, 0, -ARGV[2] - 1)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
local last = redis.call('ZREVRANGE', written, 0, 0, 'WITHSCORES')
return { redis.call('ZCARD', written) + redis.call('ZCARD', pulled), text(heard), last[2] and text(last[2]) or '' }`;

/**
 * KEYS: heard, written, entries. ARGV: how long all is kept, how many repositories, how many entries of all; then of each
 * repository its name, when it was heard of, when it was written to ('': never), its entries. Returns the names of those that
 * left.
 */
export const indexTags = script('IndexTags')`
${clock}
local heard, written, entries = KEYS[1], KEYS[2], KEYS[3]
local all = tonumber(redis.call('HGET', entries, 'all') or '0')
local left = {}

local function count(name, number)
  all = all + number - (tonumber(redis.call('HGET', entries, name) or '') or 0)
  if number > 0 then redis.call('HSET', entries, name, number) else redis.call('HDEL', entries, name) end
end

local function drop(name)
  count(name, 0)
  redis.call('ZREM', heard, name)
  redis.call('ZREM', written, name)
end

for place = 4, #ARGV, 4 do
  local name, when, last, number = ARGV[place], ARGV[place + 1], ARGV[place + 2], tonumber(ARGV[place + 3])
  if number == 0 then drop(name)
  else
    count(name, number)
    redis.call('ZADD', heard, 'GT', when, name)
    if last == '' then redis.call('ZREM', written, name) else redis.call('ZADD', written, last, name) end
  end
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', heard, '-inf', since)) do drop(name) end
while all > tonumber(ARGV[3]) or redis.call('ZCARD', heard) > tonumber(ARGV[2]) do
  local name = redis.call('ZRANGE', heard, 0, 0)[1]
  if not name then break end
  drop(name)
  left[#left + 1] = name
end
redis.call('HSET', entries, 'all', text(all))
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
return left`;

/** KEYS: moves, written, pulled. */
export const dropTags = script('DropTags')`
return redis.call('DEL', unpack(KEYS))`;

/** KEYS: moves, written, pulled. ARGV: how long all is kept, how many are wanted. Returns tags and their last moves in turn. */
export const newestTags = script('NewestTags')`
${clock}
local found = {}
local tags = redis.call('ZREVRANGEBYSCORE', KEYS[2], '+inf', '(' .. text(since), 'LIMIT', 0, ARGV[2])
for _, tag in ipairs(tags) do
  found[#found + 1] = tag
  found[#found + 1] = first(redis.call('HGET', KEYS[1], tag) or '')
end
return found`;

/** KEYS: moves, written, pulled. ARGV: how long all is kept, tags. Returns the moves of each, and when it was pulled, or ''. */
export const readTags = script('ReadTags')`
${clock}
local found = {}
for place = 2, #ARGV do
  local lines = {}
  for line in string.gmatch(redis.call('HGET', KEYS[1], ARGV[place]) or '', '[^\\n]+') do
    if at(line) > since then lines[#lines + 1] = line end
  end
  local pulled = tonumber(redis.call('ZSCORE', KEYS[3], ARGV[place]) or '') or 0
  found[#found + 1] = table.concat(lines, '\\n')
  found[#found + 1] = pulled > since and text(pulled) or ''
end
return found`;

/** KEYS: heard, written, entries. ARGV: how long all is kept, names. Returns when each was last written to, or ''. */
export const lastTagWrites = script('LastTagWrites')`
${clock}
local found = {}
for place = 2, #ARGV do
  local written = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[place]) or '') or 0
  found[#found + 1] = written > since and text(written) or ''
end
return found`;
