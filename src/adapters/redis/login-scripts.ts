/** Steps on failed logins. They only count: how long somebody must wait is decided in identity/login-delays.ts. Keys: keys.ts. */
import { failuresMs, knownGoodMs, listedFrom, maxFingerprints, maxWorst, turnMs } from '../bounds.ts';
import { loginsPrefix, worstKey } from './keys.ts';
import { script } from './redis-script.ts';

/** KEYS, everywhere: pair, network, site, account, good. */
const logins = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local listedFrom = { ${listedFrom.pair}, ${listedFrom.network}, ${listedFrom.site}, ${listedFrom.account} }

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
  if label == '' or count < listedFrom[kind] then return end
  redis.call('ZADD', '${worstKey}', now, string.sub(key, ${loginsPrefix.length + 1}) .. '\\n' .. label)
  redis.call('PEXPIRE', '${worstKey}', ${failuresMs})
  redis.call('ZREMRANGEBYRANK', '${worstKey}', 0, -${maxWorst + 1})
end
`;

/**
 * ARGV: fingerprint. Returns count, age in ms of pair, network, site and account, then for how many ms more it is known good, and
 * 1 or 0 for known wrong.
 */
export const lookFailures = script('LookFailures')`${logins}
local answer = {}
for at = 1, 4 do
  answer[#answer + 1], answer[#answer + 2] = failures(KEYS[at])
end
answer[9] = math.max(0, redis.call('PTTL', KEYS[5]))
local wrong = redis.call('HGET', KEYS[1], 'wrong') or ''
answer[10] = string.find(wrong, ARGV[1], 1, true) and 1 or 0
return answer`;

/** ARGV: fingerprint, then what lists call pair, network, site and account ('': not listed). Returns the counts; a mistake made before counts once. */
export const countFailure = script('CountFailure')`${logins}
local wrong = redis.call('HGET', KEYS[1], 'wrong') or ''
local isNew = not string.find(wrong, ARGV[1], 1, true)
local counts = {}
for at = 1, 4 do
  local count = failures(KEYS[at])
  if isNew then
    count = count + 1
    set(KEYS[at], count, now)
    list(KEYS[at], at, count, ARGV[at + 1])
  end
  counts[at] = count
end
if isNew then redis.call('HSET', KEYS[1], 'wrong', string.sub(ARGV[1] .. wrong, 1, #ARGV[1] * ${maxFingerprints})) end
return counts`;

/** Forgives the failures of the pair, on all four, and keeps when that was. */
export const forgiveFailures = script('ForgiveFailures')`${logins}
local own = failures(KEYS[1])
redis.call('DEL', KEYS[1])
if own > 0 then
  for at = 2, 4 do
    local count, age = failures(KEYS[at])
    if count > 0 then set(KEYS[at], count - own, now - age) end
  end
end
redis.call('SET', KEYS[5], string.format('%.0f', now), 'PX', ${knownGoodMs})
return 1`;

/** KEYS: good. ARGV: for how many ms more it is. Of when it was, nothing is known. */
export const rememberGood = script('RememberGood')`return redis.call('SET', KEYS[1], '0', 'NX', 'PX', ARGV[1])`;

/**
 * KEYS: records of one kind; of pairs each with its good. ARGV: the number of the kind, then for each record the count that
 * it has at least, the age in ms of its last failure, and what lists call it. A pair that has been forgiven since stays so.
 */
export const raiseFailures = script('RaiseFailures')`${logins}
local kind = tonumber(ARGV[1])
local step = kind == 1 and 2 or 1
for at = 1, #KEYS / step do
  local key = KEYS[at * step - step + 1]
  local count, age = failures(key)
  local least, leastAge = tonumber(ARGV[at * 3 - 1]), tonumber(ARGV[at * 3])
  local forgiven = kind == 1 and tonumber(redis.call('GET', KEYS[at * 2]) or '') or 0
  local latest = count > 0 and math.min(age, leastAge) or leastAge
  if now - leastAge > forgiven and (least > count or latest < age) then
    count = math.max(least, count)
    set(key, count, now - latest)
    list(key, kind, count, ARGV[at * 3 + 1])
  end
end
return 1`;

/** Returns what lists call it, count and age in ms of each record with many failures, the latest first. */
export const listFailures = script('ListFailures')`${logins}
local answer = {}
for _, member in ipairs(redis.call('ZREVRANGEBYSCORE', '${worstKey}', '+inf', now - ${failuresMs})) do
  local name, label = string.match(member, '^([^\\n]*)\\n(.*)$')
  local count, age = failures('${loginsPrefix}' .. name)
  local kind = string.match(name, '^%a+')
  if count > 0 then
    for _, value in ipairs({ kind, label, count, age }) do answer[#answer + 1] = value end
  end
end
return answer`;

/** KEYS: turn. ARGV: 1 to take it. Returns ms until the next one, 0: now. */
export const takeTurn = script('TakeTurn')`${logins}
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or '')
local left = at and math.min(${turnMs}, at + ${turnMs} - now) or 0
if left > 0 then return left end
if ARGV[1] == '1' then
  redis.call('HSET', KEYS[1], 'at', string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], ${turnMs})
end
return 0`;
