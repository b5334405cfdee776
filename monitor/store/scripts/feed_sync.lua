-- Make the due set agree with the configuration and with what the settings allow, for one batch.
-- KEYS  due
-- ARGV  prefix, now, longest wait that the settings allow, seconds a claim or a queue may add,
--       then for each feed: id, host, site to hold ("" for internal hosts), digest of its address,
--       when to poll it first
-- Replies {added, put right}.
-- A feed keeps its persisted due time; an ended feed (due at infinity) wakes when its address changes.
-- A paused feed is due at infinity as well, until its pause is over.
-- One that has moved for good keeps the place that its polls gave it.
-- A due time is put right if a clock that ran ahead wrote it: either the poll before it lies in the
-- future (then its wait counts from now), or nothing that is known of the feed explains it.
local prefix, now = ARGV[1], tonumber(ARGV[2])
local longest, slack = tonumber(ARGV[3]), tonumber(ARGV[4])
local CLOCKS_DIFFER = 60
local added, put_right = 0, 0

-- Until when a feed may rest, and when it should be polled if it is due later than that.
local function allowed(last_poll, next_due, site)
  local wait = math.min(math.max(0, next_due - last_poll), longest)
  if last_poll > now + CLOCKS_DIFFER then return now + wait, now + wait end
  local latest = math.max(last_poll + wait, now + slack)
  local hold = prefix .. 'host:' .. site .. ':hold'
  local held = site ~= '' and redis.call('GET', hold)
  if held then
    latest = math.max(latest, math.min(tonumber(held), now + redis.call('PTTL', hold) / 1000) + slack)
  end
  return latest, math.max(now, last_poll + wait)
end

for at = 5, #ARGV, 5 do
  local id, host, site, key, first = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local state = prefix .. 'feed:' .. id .. ':state'
  local old = redis.call('HMGET', state, 'host', 'site', 'source_key', 'next_due', 'moved_to', 'last_poll')
  local moved = old[3] == key and old[5] and old[5] ~= ''
  if not moved and (old[1] ~= host or old[2] ~= site) then
    redis.call('HSET', state, 'host', host, 'site', site)
  end
  local score = redis.call('ZSCORE', KEYS[1], id)
  if not score then
    redis.call('PERSIST', state)
    redis.call('PERSIST', prefix .. 'feed:' .. id .. ':seen')
    score = (old[3] == key and old[4]) or first
    redis.call('ZADD', KEYS[1], score, id)
    added = added + 1
  elseif old[3] and old[3] ~= '' and old[3] ~= key then
    score = first
    redis.call('ZADD', KEYS[1], first, id)
  end
  local paused = redis.call('HGET', prefix .. 'paused', id)
  if paused and tonumber(paused) <= now then
    redis.call('HDEL', prefix .. 'paused', id)
    redis.call('ZADD', KEYS[1], now, id)
  elseif paused then
    redis.call('ZADD', KEYS[1], '+inf', id)
  elseif score ~= 'inf' then
    local latest, instead = allowed(tonumber(old[6]) or 0, tonumber(old[4]) or 0, old[2] or site)
    if tonumber(score) > latest then
      redis.call('ZADD', KEYS[1], string.format('%.3f', instead), id)
      put_right = put_right + 1
    end
  end
end
return {added, put_right}
