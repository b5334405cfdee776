-- Claim feeds that are due, and their hosts, for one poller.
-- KEYS  due, stories stream, vectors stream, state of the lanes
-- ARGV  prefix, now, limit, lease seconds, host spacing seconds, backlog limit
-- Replies {backlog} when far too many stories wait, else {-1, id, due, id, due, ...}.
-- A feed is not polled while many of its own stories wait (in `lane:{id}`). Once the backlog is at
-- its limit only feeds of which none waits are polled, so that no feed can keep others from it.
-- A claimed feed falls due again when its lease runs out. A feed whose host is busy, was asked a
-- moment ago, or wants to be left alone, is moved to about when its turn comes. The feeds that
-- wait for one host stand in line by the time they first fell due (`line:{host}`), and whenever
-- the host is free its line is served first: on a crowded host none is passed over for ever.
local prefix, now, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local lease, spacing = tonumber(ARGV[4]), tonumber(ARGV[5])
local most = tonumber(ARGV[6])
local vectors = redis.call('XLEN', KEYS[3])
local backlog = vectors + redis.call('XLEN', KEYS[2])
  + tonumber(redis.call('HGET', KEYS[4], 'waiting') or 0)
if vectors >= most or backlog >= 2 * most then return {backlog} end
local of_one_feed = backlog >= most and 1 or math.min(most, 1000)
local LATER = 30

local LINE_MS = 86400000

-- An instant that a key holds, which expires `over` ms later. The store's own clock bounds it: one
-- that a clock running ahead wrote must not keep a host to itself for hours.
local function bounded(value, key, over)
  local left = (redis.call('PTTL', key) - over) / 1000
  if value > now + left + 60 then return now + left end
  return value
end

-- The feed that has waited longest for this host; those that left it meanwhile are taken out.
local function head_of(line, host)
  while true do
    local first = redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')
    if #first == 0 then return nil end
    local there = redis.call('ZSCORE', KEYS[1], first[1])
    local home = redis.call('HGET', prefix .. 'feed:' .. first[1] .. ':state', 'host')
    if there and home == host then return first[1], first[2] end
    redis.call('ZREM', line, first[1])
  end
end

-- Put a feed in line (keeping the time it first fell due) and return its place, 0 for the first.
local function stand(line, id, due)
  redis.call('ZADD', line, 'NX', due, id)
  redis.call('PEXPIRE', line, LINE_MS)
  return redis.call('ZRANK', line, id)
end

local reply, claimed, held_back, taken_now = {-1}, 0, {}, {}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'WITHSCORES', 'LIMIT', 0, limit * 4 + 200)
for at = 1, #due, 2 do
  if claimed >= limit then break end
  local id = due[at]
  if not taken_now[id] then
    local place = redis.call('HMGET', prefix .. 'feed:' .. id .. ':state', 'host', 'site')
    local host, site = place[1] or id, place[2] or ''
    local slot, line = prefix .. 'host:' .. host, prefix .. 'line:' .. host
    local hold = prefix .. 'host:' .. site .. ':hold'
    local hold_value = site ~= '' and redis.call('GET', hold)
    local held = hold_value and bounded(tonumber(hold_value), hold, 1000) or 0
    local slot_value = redis.call('GET', slot)
    local busy_until = slot_value and bounded(tonumber(string.sub(slot_value, 3)), slot, 60000) or 0
    if tonumber(redis.call('HGET', prefix .. 'paused', id) or 0) > now then
      redis.call('ZADD', KEYS[1], '+inf', id)
    elseif redis.call('LLEN', prefix .. 'lane:' .. id) >= of_one_feed then
      redis.call('ZADD', KEYS[1], now + LATER, id)
    elseif held > now then
      held_back[site] = (held_back[site] or 0) + 1
      redis.call('ZADD', KEYS[1], held + held_back[site] * spacing, id)
    elseif busy_until > now then
      local ahead = stand(line, id, due[at + 1])
      local later = busy_until + spacing * ahead
      if string.sub(slot_value, 1, 1) == 'b' then
        -- At work now: come back when it may be done rather than when its whole lease is over.
        later = now + math.max(spacing, 0.2) * (ahead + 1)
      end
      redis.call('ZADD', KEYS[1], later, id)
    else
      local first, since = head_of(line, host)
      if first and first ~= id and tonumber(since) < tonumber(due[at + 1]) then
        local ahead = stand(line, id, due[at + 1])
        redis.call('ZADD', KEYS[1], now + spacing * ahead, id)
      else
        first, since = id, redis.call('ZSCORE', line, id) or due[at + 1]
      end
      redis.call('ZREM', line, first)
      local polled = prefix .. 'feed:' .. first .. ':state'
      redis.call('HSET', polled, 'claimed', string.format('%.3f', now + lease))
      redis.call('HDEL', polled, 'pushed')
      redis.call('SET', slot, 'b ' .. string.format('%.3f', now + lease), 'PX', math.ceil(lease * 1000) + 60000)
      redis.call('ZADD', KEYS[1], string.format('%.3f', now + lease), first)
      taken_now[first] = true
      reply[#reply + 1] = first
      reply[#reply + 1] = since
      claimed = claimed + 1
    end
  end
end
return reply
