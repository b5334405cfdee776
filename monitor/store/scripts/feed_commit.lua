-- Commit one poll: what was seen, the stories that follow, the state that covers both, the next
-- due time and the host's freedom, all or nothing.
-- KEYS  state, seen, due, host slot, site hold, the feed's lane, lanes, state of the lanes
-- ARGV  id, expected version, new version, next due,
--       host free at, host slot ttl ms, hold until ("" for none), hold ttl ms,
--       f, f/2 x (state field, value), lines of "entry key, space, record", m, m x key to forget,
--       s, s x story, "1" if one of them is news and not just what was there before
-- Replies 1, or 0 if another poller committed first (then only the host is freed).
local lease = string.match(redis.call('GET', KEYS[4]) or '', '^b (.+)$')
redis.call('SET', KEYS[4], 'f ' .. ARGV[5], 'PX', ARGV[6])
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[2] then return 0 end

local at = 9
local fields = tonumber(ARGV[at])
redis.call('HSET', KEYS[1], unpack(ARGV, at + 1, at + fields))
at = at + fields + 1
for key, record in string.gmatch(ARGV[at], '(%S+) ([^\n]*)') do
  redis.call('HSET', KEYS[2], key, record)
end
at = at + 1
for _ = 1, tonumber(ARGV[at]) do
  redis.call('HDEL', KEYS[2], ARGV[at + 1])
  at = at + 1
end
at = at + 1
local stories = tonumber(ARGV[at])
for _ = 1, stories do
  redis.call('RPUSH', KEYS[6], ARGV[at + 1])
  at = at + 1
end
if stories > 0 then
  -- The feed's turn, see lane_refill.lua: news comes before whatever waits, first come first served;
  -- what was there before us comes after it.
  local arrivals = redis.call('HINCRBY', KEYS[8], 'arrivals', 1) % 100000
  redis.call('HINCRBY', KEYS[8], 'waiting', stories)
  local turn = tonumber(redis.call('HGET', KEYS[8], 'turn') or 0)
  turn = turn + (ARGV[at + 1] == '1' and -0.5 or 1000) + arrivals / 1000000
  local mine = redis.call('ZSCORE', KEYS[7], ARGV[1])
  if not mine or turn < tonumber(mine) then redis.call('ZADD', KEYS[7], turn, ARGV[1]) end
end
redis.call('HSET', KEYS[1], 'version', ARGV[3])
-- A claim makes its feed due when the lease ends; one that is due sooner was pushed meanwhile, and
-- the push may tell of more than this poll saw. XX: a feed taken out meanwhile stays out.
local due = redis.call('ZSCORE', KEYS[3], ARGV[1])
local pushed = redis.call('HGET', KEYS[1], 'pushed')
redis.call('HDEL', KEYS[1], 'pushed', 'claimed')
if not (lease and due and tonumber(due) < tonumber(lease)) then
  local next_due = ARGV[4]
  if pushed and next_due ~= '+inf' then
    next_due = math.min(tonumber(next_due), tonumber(ARGV[5]) + tonumber(pushed))
  end
  redis.call('ZADD', KEYS[3], 'XX', next_due, ARGV[1])
end
if ARGV[7] ~= '' then redis.call('SET', KEYS[5], ARGV[7], 'PX', ARGV[8]) end
return 1
