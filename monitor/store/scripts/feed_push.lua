-- A hub says that a feed has something new: poll it soon, but never sooner than its least interval.
-- KEYS  due, state
-- ARGV  id, now, least interval, seconds
-- Replies 1, or 0 if the feed is not polled at all.
-- In the middle of a poll it only leaves word for the commit, which has the next poll follow.
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score then return 0 end
local now, least = tonumber(ARGV[2]), tonumber(ARGV[3])
local claimed = tonumber(redis.call('HGET', KEYS[2], 'claimed') or 0)
if claimed > now then
  redis.call('HSET', KEYS[2], 'pushed', ARGV[3])
  return 1
end
local last = math.min(tonumber(redis.call('HGET', KEYS[2], 'last_poll') or 0), now)
local due = math.max(now, last + least)
if due < tonumber(score) then redis.call('ZADD', KEYS[1], string.format('%.3f', due), ARGV[1]) end
return 1
