-- Take a host's turn for one request besides the feeds themselves: a page, an article.
-- KEYS  host slot, site hold
-- ARGV  now, lease seconds
-- Replies 0 when taken, the milliseconds to wait while the host is busy or was asked a moment ago,
-- -1 while its site wants to be left alone.
local now, lease = tonumber(ARGV[1]), tonumber(ARGV[2])

-- Seconds until an instant that a key holds, which expires `over` ms later; see feed_claim.lua.
local function left(value, key, over)
  local longest = (redis.call('PTTL', key) - over) / 1000
  if value > now + longest + 60 then return longest end
  return value - now
end

local hold, slot = redis.call('GET', KEYS[2]), redis.call('GET', KEYS[1])
if hold and left(tonumber(hold), KEYS[2], 1000) > 0 then return -1 end
local wait = slot and left(tonumber(string.sub(slot, 3)), KEYS[1], 60000) or 0
if wait <= 0 then
  redis.call('SET', KEYS[1], 'b ' .. string.format('%.3f', now + lease), 'PX', math.ceil(lease * 1000) + 60000)
  return 0
end
-- At work now: ask again soon, it may be done long before its lease is over.
if string.sub(slot, 1, 1) == 'b' then wait = math.min(wait, 0.5) end
return math.ceil(wait * 1000)
