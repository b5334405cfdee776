-- Stop polling feeds that are no longer configured; what is known of them fades away.
-- KEYS  due
-- ARGV  prefix, seconds to keep, ids...
for at = 3, #ARGV do
  redis.call('ZREM', KEYS[1], ARGV[at])
  redis.call('HDEL', ARGV[1] .. 'paused', ARGV[at])
  redis.call('EXPIRE', ARGV[1] .. 'feed:' .. ARGV[at] .. ':state', ARGV[2])
  redis.call('EXPIRE', ARGV[1] .. 'feed:' .. ARGV[at] .. ':seen', ARGV[2])
end
return #ARGV - 2
