/** Steps on failed logins. They only count: how long somebody must wait is decided in token/login-delays.ts. Keys: keys.ts. */
import { failuresMs, knownGoodMs, listedFrom, maxFingerprints, maxWorst } from '../limit-bounds.ts';
import { loginsPrefix, worstKey } from './keys.ts';
import type { RedisScript } from './redis-script.ts';

/** KEYS, everywhere: pair, network, account, good. */
const logins = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local listedFrom = { ${listedFrom.pair}, ${listedFrom.network}, ${listedFrom.account} }

local function failures(key)
  local found = redis.call('HMGET', key, 'count', 'at')
  return tonumber(found[1] or '') or 0, math.max(0, now - (tonumber(found[2] or '') or now))
end

local function set(key, count, at)
  if count <= 0 then
    redis.call('DEL', key)
  else
    redis.call('HSET', key, 'count', count, 'at', string.format('%.0f', at))
    redis.call('PEXPIRE', key, math.max(1, math.ceil(at + ${failuresMs} - now)))
  end
end

local function list(key, kind, count, label)
  if count < listedFrom[kind] then return end
  redis.call('ZADD', '${worstKey}', now, string.sub(key, ${loginsPrefix.length + 1}) .. '\\n' .. label)
  redis.call('PEXPIRE', '${worstKey}', ${failuresMs})
  redis.call('ZREMRANGEBYRANK', '${worstKey}', 0, -${maxWorst + 1})
end
`;

/** ARGV: fingerprint. Returns count, age in ms of pair, network and account, then 1 or 0 for known good and for known wrong. */
export const lookFailures: RedisScript = {
  name: 'portcullisLookFailures',
  lua: `${logins}
local answer = {}
for at = 1, 3 do
  answer[#answer + 1], answer[#answer + 2] = failures(KEYS[at])
end
answer[7] = redis.call('EXISTS', KEYS[4])
local wrong = redis.call('HGET', KEYS[3], 'wrong') or ''
answer[8] = string.find(wrong, ARGV[1], 1, true) and 1 or 0
return answer`,
};

/** ARGV: fingerprint, then what lists call pair, network and account. Returns the counts; a mistake made before counts once. */
export const countFailure: RedisScript = {
  name: 'portcullisCountFailure',
  lua: `${logins}
local wrong = redis.call('HGET', KEYS[3], 'wrong') or ''
local isNew = not string.find(wrong, ARGV[1], 1, true)
local counts = {}
for at = 1, 3 do
  local count = failures(KEYS[at])
  if isNew then
    count = count + 1
    set(KEYS[at], count, now)
    list(KEYS[at], at, count, ARGV[at + 1])
  end
  counts[at] = count
end
if isNew then redis.call('HSET', KEYS[3], 'wrong', string.sub(ARGV[1] .. wrong, 1, #ARGV[1] * ${maxFingerprints})) end
return counts`,
};

/** Forgives the failures of the pair, on all three. */
export const forgiveFailures: RedisScript = {
  name: 'portcullisForgiveFailures',
  lua: `${logins}
local own = failures(KEYS[1])
redis.call('DEL', KEYS[1])
if own > 0 then
  for at = 2, 3 do
    local count, age = failures(KEYS[at])
    if count > 0 then set(KEYS[at], count - own, now - age) end
  end
end
redis.call('SET', KEYS[4], '1', 'PX', ${knownGoodMs})
return 1`,
};

/** KEYS: records. ARGV for each: the count that it has at least, and the age in ms of its last failure. */
export const raiseFailures: RedisScript = {
  name: 'portcullisRaiseFailures',
  lua: `${logins}
for at, key in ipairs(KEYS) do
  local count, age = failures(key)
  local least, leastAge = tonumber(ARGV[at * 2 - 1]), tonumber(ARGV[at * 2])
  if least > count then set(key, least, now - (count > 0 and math.min(age, leastAge) or leastAge)) end
end
return 1`,
};

/** Returns what lists call it, count and age in ms of each record with many failures, the latest first. */
export const listFailures: RedisScript = {
  name: 'portcullisListFailures',
  lua: `${logins}
local answer = {}
for _, member in ipairs(redis.call('ZREVRANGEBYSCORE', '${worstKey}', '+inf', now - ${failuresMs})) do
  local name, label = string.match(member, '^([^\\n]*)\\n(.*)$')
  local count, age = failures('${loginsPrefix}' .. name)
  local kind = string.match(name, '^%a+')
  if count > 0 then
    for _, value in ipairs({ kind, label, count, age }) do answer[#answer + 1] = value end
  end
end
return answer`,
};

export const loginScripts: readonly RedisScript[] = [
  lookFailures,
  countFailure,
  forgiveFailures,
  raiseFailures,
  listFailures,
];
