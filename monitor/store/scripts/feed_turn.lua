-- Take a host's turn for one request besides the feeds themselves: a page, an article.
-- KEYS  host slot, site hold
-- ARGV  now, lease seconds
-- Replies 0 when taken, the milliseconds to wait while the host is busy or was asked a moment ago,
-- -1 while its site wants to be left alone.
local now, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
if tonumber(redis.call('GET', KEYS[2]) or 0) > now then return -1 end
local slot = redis.call('GET', KEYS[1])
local wait = slot and tonumber(string.sub(slot, 3)) - now or 0
if wait <= 0 then
  redis.call('SET', KEYS[1], 'b ' .. string.format('%.3f', now + lease), 'PX', math.ceil(lease * 1000) + 60000)
  return 0
end
-- At work now: ask again soon, it may be done long before its lease is over.
if string.sub(slot, 1, 1) == 'b' then wait = math.min(wait, 0.5) end
return math.ceil(wait * 1000)
