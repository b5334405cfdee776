-- Make the due set agree with the configuration, for one batch of feeds.
-- KEYS  due
-- ARGV  prefix, then for each feed: id, host, site to hold ("" for internal hosts),
--       digest of its address, when to poll it first
-- A feed keeps its persisted due time; an ended feed (due at infinity) wakes when its address changes.
-- One that has moved for good keeps the place that its polls gave it.
local prefix = ARGV[1]
local added = 0
for at = 2, #ARGV, 5 do
  local id, host, site, key, first = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local state = prefix .. 'feed:' .. id .. ':state'
  local old = redis.call('HMGET', state, 'host', 'site', 'source_key', 'next_due', 'moved_to')
  local moved = old[3] == key and old[5] and old[5] ~= ''
  if not moved and (old[1] ~= host or old[2] ~= site) then
    redis.call('HSET', state, 'host', host, 'site', site)
  end
  local score = redis.call('ZSCORE', KEYS[1], id)
  if not score then
    redis.call('PERSIST', state)
    redis.call('PERSIST', prefix .. 'feed:' .. id .. ':seen')
    redis.call('ZADD', KEYS[1], (old[3] == key and old[4]) or first, id)
    added = added + 1
  elseif old[3] and old[3] ~= '' and old[3] ~= key then
    redis.call('ZADD', KEYS[1], first, id)
  end
end
return added
