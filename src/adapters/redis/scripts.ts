/** Steps on sessions, tag locks and robots’ uses. Keys and their meaning: keys.ts. Replies are read where the script is run. */
import { revocationsChannel, sessionsKey, sessionsPrefix } from './keys.ts';
import { script } from './redis-script.ts';

/** In the order of `sessionFields`; missing fields are nil. */
export const sessionFields = [
  'id',
  'account',
  'service',
  'created',
  'lastUsed',
  'address',
  'userAgent',
  'outside',
  'kind',
  'expires',
  'label',
  'reach',
] as const;

const fieldList = sessionFields.map((field) => `'${field}'`).join(', ');

/** Above every score that is a time, below where a double stops counting in ones. */
const markerScore = '9000000000000000';

const sessions = `
local prefix, all, revoked = '${sessionsPrefix}', '${sessionsKey}', '${sessionsPrefix}revoked'
local ended = '${sessionsPrefix}ended'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function atLeast(key, ttl)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
end

local function finish(token)
  local key = prefix .. 'token:' .. token
  local names = redis.call('HMGET', key, 'idName', 'accountName')
  redis.call('ZREM', all, token)
  if not names[1] then return nil end
  local session = redis.call('HMGET', key, ${fieldList})
  redis.call('DEL', key, prefix .. 'id:' .. names[1])
  redis.call('ZREM', prefix .. 'account:' .. names[2], token)
  return session, names[1]
end

-- No longer than it may, however it is used; false when that is over.
local function lives(token, idName, accountName, ttl)
  local key = prefix .. 'token:' .. token
  local ends = tonumber(redis.call('HGET', key, 'expires') or '')
  if ends then ttl = math.min(ttl, math.floor(ends) - now) end
  if ttl <= 0 then
    finish(token)
    return false
  end
  redis.call('PEXPIRE', key, ttl)
  redis.call('SET', prefix .. 'id:' .. idName, token, 'PX', ttl)
  for _, index in ipairs({ all, prefix .. 'account:' .. accountName }) do
    redis.call('ZADD', index, now + ttl, token)
    redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
    atLeast(index, ttl)
  end
  return true
end

-- Entries are names, those of accounts with the instant: name@instant.
local function remember(entries, ttl, marker)
  for _, past in ipairs(redis.call('ZRANGEBYSCORE', revoked, '-inf', now)) do redis.call('HDEL', ended, past) end
  redis.call('ZREMRANGEBYSCORE', revoked, '-inf', now)
  for _, entry in ipairs(entries) do
    local name, at = string.match(entry, '^([^@]*)@?(%d*)$')
    redis.call('ZADD', revoked, 'GT', now + ttl, name)
    if at ~= '' and tonumber(at) > tonumber(redis.call('HGET', ended, name) or '0') then redis.call('HSET', ended, name, at) end
  end
  redis.call('ZREMRANGEBYSCORE', revoked, ${markerScore}, '+inf')
  redis.call('ZADD', revoked, ${markerScore}, '#' .. marker)
  atLeast(revoked, ttl)
  atLeast(ended, ttl)
  -- An account of Redis without rights to the channel loses speed, not the revocation.
  redis.pcall('PUBLISH', '${revocationsChannel}', string.format('%.0f', ttl) .. ' ' .. table.concat(entries, ' '))
end
`;

/** ARGV: token hash, id name, account name, idle ms, then field, value, field, value. */
export const openSession = script('OpenSession')`${sessions}
local key = prefix .. 'token:' .. ARGV[1]
redis.call('DEL', key)
redis.call('HSET', key, 'idName', ARGV[2], 'accountName', ARGV[3], unpack(ARGV, 5))
lives(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]))
return 1`;

/** ARGV: token hash. Returns the session's fields, or nil. */
export const findSession = script('FindSession')`${sessions}
local key = prefix .. 'token:' .. ARGV[1]
local idName = redis.call('HGET', key, 'idName')
if not idName then return nil end
local revokedUntil = redis.call('ZSCORE', revoked, idName)
if revokedUntil and tonumber(revokedUntil) > now then return nil end
return redis.call('HMGET', key, ${fieldList})`;

/** How many there are. */
export const countSessions = script('CountSessions')`${sessions}
redis.call('ZREMRANGEBYSCORE', all, '-inf', now)
return redis.call('ZCARD', all)`;

/** ARGV: token hash, idle ms, then field, value of what changes. Returns the session's fields, or nil. */
export const useSession = script('UseSession')`${sessions}
local key = prefix .. 'token:' .. ARGV[1]
local names = redis.call('HMGET', key, 'idName', 'accountName')
if not names[1] then return nil end
local revokedUntil = redis.call('ZSCORE', revoked, names[1])
if revokedUntil and tonumber(revokedUntil) > now then
  finish(ARGV[1])
  return nil
end
redis.call('HSET', key, unpack(ARGV, 3))
if not lives(ARGV[1], names[1], names[2], tonumber(ARGV[2])) then return nil end
return redis.call('HMGET', key, ${fieldList})`;

/**
 * ARGV: `token`, `id` or `account`; its hash or name; ms to remember; a new marker; how many sessions at most. Returns how
 * many the account still has, then the fields of every session that ended.
 */
export const revokeSessions = script('RevokeSessions')`${sessions}
local kind, name, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local tokens, idNames, answer = {}, {}, { 0 }
if kind == 'token' then
  tokens[1] = name
elseif kind == 'id' then
  -- Also when the session is not here (any more): access tokens may still carry its id.
  idNames[1] = name
  tokens[1] = redis.call('GET', prefix .. 'id:' .. name) or nil
else
  local index = prefix .. 'account:' .. name
  tokens = redis.call('ZRANGE', index, 0, ARGV[5] - 1)
  redis.call('ZREMRANGEBYRANK', index, 0, ARGV[5] - 1)
  answer[1] = redis.call('ZCARD', index)
end
for _, token in ipairs(tokens) do
  local session, idName = finish(token)
  if session then
    answer[#answer + 1] = session
    if idName ~= idNames[1] then idNames[#idNames + 1] = idName end
  end
end
if #idNames > 0 then remember(idNames, ttl, ARGV[4]) end
return answer`;

/** ARGV: a new marker, then entry (see `remember`), ms to remember, entry, … Ends these sessions again and records their revocation. */
export const reassertRevocations = script('ReassertRevocations')`${sessions}
for at = 2, #ARGV, 2 do
  local token = redis.call('GET', prefix .. 'id:' .. ARGV[at])
  if token then finish(token) end
  remember({ ARGV[at] }, tonumber(ARGV[at + 1]), ARGV[1])
end
return 1`;

/**
 * ARGV: the marker of the last answer. Returns the marker, the number of connected replicas and, when the marker is
 * another one, a flat list of entry (see `remember`), ms to remember, …, else nil.
 */
export const pollRevocations = script('PollRevocations')`${sessions}
local replicas = 0
local info = redis.pcall('INFO', 'replication')
if type(info) == 'string' then replicas = tonumber(string.match(info, 'connected_slaves:(%d+)')) or 0 end
local marker = redis.call('ZREVRANGEBYSCORE', revoked, '+inf', ${markerScore}, 'LIMIT', 0, 1)[1] or ''
if marker == ARGV[1] then return { marker, replicas } end
local found, entries = redis.call('ZRANGEBYSCORE', revoked, '(' .. string.format('%.0f', now), '(${markerScore}', 'WITHSCORES'), {}
for at = 1, #found, 2 do
  local instant = redis.call('HGET', ended, found[at])
  entries[at] = instant and found[at] .. '@' .. instant or found[at]
  entries[at + 1] = found[at + 1] - now
end
return { marker, replicas, entries }`;

/**
 * ARGV: account name, its owner's id, when the password was last set or nothing, ms to remember, name of the ended account
 * and the instant as `remember` takes them, a new marker. Of somebody with one account further: their name, the account in
 * clear, and what their source said. Returns 1 when it was another owner or an older password: what was issued has ended
 * then; and the account in clear that has ended because they had it before, or nothing.
 */
export const ownName = script('OwnName')`${sessions}
local id, changed, ttl, person, account, outside = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[7], ARGV[8], ARGV[9]
local key, gone = prefix .. 'owner:' .. ARGV[1], {}
local before = redis.call('HMGET', key, 'id', 'changed')
local isOther = before[1] and before[1] ~= id
local isNewer = before[2] and changed ~= '' and tonumber(changed) > tonumber(before[2])
if isOther then redis.call('DEL', key) end
redis.call('HSET', key, 'id', id)
if changed ~= '' and (isOther or isNewer or not before[2]) then redis.call('HSET', key, 'changed', changed) end
local former = ''
if person then
  local one = prefix .. 'person:' .. person
  local had = redis.call('HMGET', one, 'name', 'ended', 'account')
  if had[1] and had[1] ~= ARGV[1] and redis.call('HGET', prefix .. 'owner:' .. had[1], 'id') == id then
    former = had[3]
    gone[1] = had[2] .. '@' .. string.match(ARGV[5], '@(%d+)$')
    redis.call('DEL', prefix .. 'owner:' .. had[1])
  end
  redis.call('HSET', one, 'name', ARGV[1], 'ended', string.match(ARGV[5], '^[^@]*'), 'account', account)
  redis.call('PEXPIRE', one, ttl)
  redis.call('HSET', key, 'outside', outside)
end
redis.call('PEXPIRE', key, ttl)
if isOther or isNewer then gone[#gone + 1] = ARGV[5] end
if #gone > 0 then remember(gone, ttl, ARGV[6]) end
return { (isOther or isNewer) and 1 or 0, former }`;

/** ARGV: account name. Returns its owner's id, when the password was last set, and what their source said. */
export const readOwner = script('ReadOwner')`
return redis.call('HMGET', '${sessionsPrefix}owner:' .. ARGV[1], 'id', 'changed', 'outside')`;

/** ARGV: account name or nothing, how many at most. Returns the token hashes of live sessions, most recently used first. */
export const listSessions = script('ListSessions')`${sessions}
local index = ARGV[1] == '' and all or prefix .. 'account:' .. ARGV[1]
return redis.call('ZREVRANGEBYSCORE', index, '+inf', '(' .. string.format('%.0f', now), 'LIMIT', 0, ARGV[2])`;

/** ARGV: token hashes. Returns the fields of each. */
export const readSessions = script('ReadSessions')`
local found = {}
for at, token in ipairs(ARGV) do
  found[at] = redis.call('HMGET', '${sessionsPrefix}token:' .. token, ${fieldList})
end
return found`;

/** KEYS: tags. ARGV: holder, lease ms. 1 when the holder has all of them now, 0 when it got none. */
export const takeTags = script('TakeTags')`
for _, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  if holder and holder ~= ARGV[1] then return 0 end
end
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
return 1`;

/** As `takeTags`, only for a holder that still has all of them: 1, or 0 when one is lost. */
export const keepTags = script('KeepTags')`
local kept = 1
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('PEXPIRE', key, ARGV[2]) else kept = 0 end
end
return kept`;

/** KEYS: tags. ARGV: holder. */
export const releaseTags = script('ReleaseTags')`
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
return 1`;

/** KEYS: uses. ARGV: ms to keep them, then one time for each key. A time never goes back, nor beyond the clock of Redis. */
export const markRobotUses = script('MarkRobotUses')`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for at, key in ipairs(KEYS) do
  local used = math.min(tonumber(ARGV[at + 1]), now)
  local known = tonumber(redis.call('GET', key) or '') or 0
  redis.call('SET', key, string.format('%.0f', math.max(used, known)), 'PX', ARGV[1])
end
return 1`;

/** KEYS: uses. Returns the time of each, or nil. */
export const readRobotUses = script('ReadRobotUses')`return redis.call('MGET', unpack(KEYS))`;
