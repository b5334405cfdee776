-- Commit one poll: what was seen, the stories that follow, the state that covers both, the next
-- due time and the host's freedom, all or nothing.
-- KEYS  state, seen, due, stories stream, host slot, site hold
-- ARGV  id, expected version, new version, next due,
--       host free at, host slot ttl ms, hold until ("" for none), hold ttl ms,
--       f, f/2 x (state field, value), lines of "entry key, space, record", m, m x key to forget,
--       s, s x story
-- Replies 1, or 0 if another poller committed first (then only the host is freed).
local lease = string.match(redis.call('GET', KEYS[5]) or '', '^b (.+)$')
redis.call('SET', KEYS[5], 'f ' .. ARGV[5], 'PX', ARGV[6])
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
for _ = 1, tonumber(ARGV[at]) do
  redis.call('XADD', KEYS[4], '*', 'story', ARGV[at + 1])
  at = at + 1
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
if ARGV[7] ~= '' then redis.call('SET', KEYS[6], ARGV[7], 'PX', ARGV[8]) end
return 1
