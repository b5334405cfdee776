-- Puts notifications into the outbox, each at most once for ever.
-- KEYS[1]: the set of channels; then for each: outbox:{channel}, notification:{id}, receipt:{id}.
-- ARGV, for each: channel, id, due, json. Returns how many were new.
local new = 0
for i = 0, (#KEYS - 1) / 3 - 1 do
  local queue, note, receipt = KEYS[2 + 3 * i], KEYS[3 + 3 * i], KEYS[4 + 3 * i]
  if redis.call('EXISTS', note, receipt) == 0 then
    redis.call('HSET', note, 'json', ARGV[4 + 4 * i])
    redis.call('ZADD', queue, ARGV[3 + 4 * i], ARGV[2 + 4 * i])
    redis.call('SADD', KEYS[1], ARGV[1 + 4 * i])
    new = new + 1
  end
end
return new
