/** Steps on budgets (GCRA, as limits/gcra.ts) and on the list of gateways. Keys and their meaning: keys.ts. */
import { maxOwing, owingPart } from '../bounds.ts';
import { gatewaysKey, owingKey } from './keys.ts';
import { script } from './redis-script.ts';

const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
`;

const budgets = `${clock}
-- A number of 16 digits is exact; the usual notation rounds it.
local function keep(key, untilUs)
  redis.call('SET', key, string.format('%.0f', untilUs), 'PX', math.max(1, math.ceil((untilUs - now) / 1000)))
end
`;

/**
 * Requests one after the other, each as a whole. KEYS: the counters of all of them, at last the list of those that owe much.
 * ARGV for each request: how many counters are its own, then for each of these its name, µs of one request, burst, 1 when it
 * is enforced, µs that the caller knows it to owe. Returns for each request 1 or 0 for admitted, then for each of its
 * counters 1 or 0 for room and the µs it owes.
 */
export const chargeBudgets = script('ChargeBudgets')`${budgets}
local owing = KEYS[#KEYS]
local answer, key, arg = {}, 0, 0
local function charge(count)
  local known = redis.call('MGET', unpack(KEYS, key + 1, key + count))
  local admitted, before, debts, next = 1, {}, {}, {}
  for at = 1, count do
    local value = arg + at * 5
    local interval, burst = tonumber(ARGV[value - 3]), tonumber(ARGV[value - 2])
    local full = interval * burst
    before[at] = math.max((tonumber(known[at] or '') or 0) - now, 0)
    debts[at] = math.min(math.max(before[at], tonumber(ARGV[value])), full)
    next[at] = debts[at] + interval
    if next[at] > full then
      next[at] = nil
      if ARGV[value - 1] == '1' then admitted = 0 end
    end
  end
  answer[#answer + 1] = admitted
  for at = 1, count do
    local value = arg + at * 5
    local name, full = ARGV[value - 4], ARGV[value - 3] * ARGV[value - 2]
    if admitted == 1 and next[at] then debts[at] = next[at] end
    -- Also of a refused request: what the caller knew, and that a limit which was made smaller asks back no more than it is.
    if debts[at] ~= before[at] then keep(KEYS[key + at], now + debts[at]) end
    -- Of a refused request too: what was raised after an outage is on no list yet.
    if debts[at] >= full * ${owingPart} then
      redis.call('ZADD', owing, now + debts[at], name)
      if redis.call('PTTL', owing) < debts[at] / 1000 then redis.call('PEXPIRE', owing, math.ceil(debts[at] / 1000)) end
      redis.call('ZREMRANGEBYSCORE', owing, '-inf', now)
      redis.call('ZREMRANGEBYRANK', owing, 0, -${maxOwing + 1})
    elseif debts[at] ~= before[at] then
      redis.call('ZREM', owing, name)
    end
    answer[#answer + 1] = next[at] and 1 or 0
    answer[#answer + 1] = debts[at]
  end
end
while key < #KEYS - 1 do
  local count = tonumber(ARGV[arg + 1])
  arg = arg + 1
  charge(count)
  key, arg = key + count, arg + count * 5
end
return answer`;

/** KEYS: counters. Returns the µs that each owes. */
export const readBudgets = script('ReadBudgets')`${clock}
local debts = {}
for at, fullAt in ipairs(redis.call('MGET', unpack(KEYS))) do
  debts[at] = math.max((tonumber(fullAt or '') or 0) - now, 0)
end
return debts`;

/** KEYS: counters. ARGV: the µs that each owes at least. */
export const raiseBudgets = script('RaiseBudgets')`${budgets}
local known = redis.call('MGET', unpack(KEYS))
for at, key in ipairs(KEYS) do
  local least = now + ARGV[at]
  if least > now and (tonumber(known[at] or '') or 0) < least then keep(key, least) end
end
return 1`;

/** Returns name, µs owed, name, µs owed, … of counters that owed much, those that owe longest first. */
export const listOwing = script('ListOwing')`${clock}
local found = redis.call('ZREVRANGEBYSCORE', '${owingKey}', '+inf', '(' .. string.format('%.0f', now), 'WITHSCORES')
local answer = {}
for at = 1, #found, 2 do
  answer[at] = found[at]
  answer[at + 1] = found[at + 1] - now
end
return answer`;

/** ARGV: this gateway, ms after which a silent one is gone. Returns how many there are, and the clock of Redis in ms. */
export const greetGateways = script('GreetGateways')`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', '${gatewaysKey}', now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', '${gatewaysKey}', '-inf', now - ARGV[2])
-- Of before the clock went back; whoever lives greets again.
redis.call('ZREMRANGEBYSCORE', '${gatewaysKey}', '(' .. now, '+inf')
redis.call('PEXPIRE', '${gatewaysKey}', ARGV[2])
return { redis.call('ZCARD', '${gatewaysKey}'), now }`;

/** ARGV: this gateway. */
export const leaveGateways = script('LeaveGateways')`return redis.call('ZREM', '${gatewaysKey}', ARGV[1])`;
