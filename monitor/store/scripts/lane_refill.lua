-- Move waiting stories from the feeds' lanes into the embedder's stream, a few of each feed in turn.
-- KEYS  stories stream, lanes (feed -> its turn), state of the lanes
-- ARGV  prefix, consumer group, how many may stand in the stream unread, how many of one feed
-- Replies the number moved.
-- Start-time fair queueing (Goyal, Vin, Cheng 1996): a lane's turn grows by what was taken from it,
-- so the feed that has had least comes first, and one that begins to wait comes before all others.
-- Within a lane the newest go first; those that are moved together keep their order.
local prefix, group = ARGV[1], ARGV[2]
local room, share = tonumber(ARGV[3]), tonumber(ARGV[4])
local pending = redis.pcall('XPENDING', KEYS[1], group)
local read = type(pending) == 'table' and not pending.err and tonumber(pending[1]) or 0
room = room - (redis.call('XLEN', KEYS[1]) - read)
if room <= 0 then return 0 end

local moved = 0
local turn = tonumber(redis.call('HGET', KEYS[3], 'turn') or 0)
local heads = redis.call('ZRANGE', KEYS[2], 0, room - 1, 'WITHSCORES')
for at = 1, #heads, 2 do
  if room <= 0 then break end
  local id, mine = heads[at], tonumber(heads[at + 1])
  local lane = prefix .. 'lane:' .. id
  local taken = redis.call('RPOP', lane, math.min(room, share)) or {}
  for n = #taken, 1, -1 do redis.call('XADD', KEYS[1], '*', 'story', taken[n]) end
  turn = math.max(turn, mine)
  if redis.call('EXISTS', lane) == 1 then
    redis.call('ZADD', KEYS[2], math.max(mine, turn) + #taken, id)
  else
    redis.call('ZREM', KEYS[2], id)
  end
  moved, room = moved + #taken, room - #taken
end
if moved > 0 then
  redis.call('HINCRBY', KEYS[3], 'waiting', -moved)
  redis.call('HSET', KEYS[3], 'turn', turn)
end
if redis.call('ZCARD', KEYS[2]) == 0 then redis.call('DEL', KEYS[3]) end
return moved
