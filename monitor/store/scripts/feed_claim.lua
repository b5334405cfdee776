-- Claim feeds that are due, and their hosts, for one poller.
-- KEYS  due, stories stream
-- ARGV  prefix, now, limit, lease seconds, host spacing seconds, backlog limit
-- Replies {backlog} when too many stories wait, else {-1, id, due, id, due, ...}.
-- A claimed feed falls due again when its lease runs out. A feed whose host is busy, was asked a
-- moment ago, or wants to be left alone, is moved to when its turn comes.
local prefix, now, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local lease, spacing = tonumber(ARGV[4]), tonumber(ARGV[5])
local backlog = redis.call('XLEN', KEYS[2])
if backlog >= tonumber(ARGV[6]) then return {backlog} end

local reply, claimed, waiting = {-1}, 0, {}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'WITHSCORES', 'LIMIT', 0, limit * 4 + 200)
for at = 1, #due, 2 do
  if claimed >= limit then break end
  local id = due[at]
  local place = redis.call('HMGET', prefix .. 'feed:' .. id .. ':state', 'host', 'site')
  local host, site = place[1] or id, place[2] or ''
  local slot = prefix .. 'host:' .. host
  local held = site ~= '' and tonumber(redis.call('GET', prefix .. 'host:' .. site .. ':hold') or 0) or 0
  local later
  if held > now then
    waiting[site] = (waiting[site] or 0) + 1
    later = held + waiting[site] * spacing
  else
    local taken = redis.call('GET', slot)
    if taken then
      local kind, til = string.sub(taken, 1, 1), tonumber(string.sub(taken, 3))
      if til > now then
        waiting[host] = (waiting[host] or 0) + 1
        if kind == 'b' then
          -- At work now: queue up behind it rather than behind its whole lease.
          later = now + math.max(spacing, 0.2) * waiting[host]
        else
          later = til + spacing * (waiting[host] - 1)
        end
      end
    end
  end
  if later then
    redis.call('ZADD', KEYS[1], later, id)
  else
    redis.call('SET', slot, 'b ' .. string.format('%.3f', now + lease), 'PX', math.ceil(lease * 1000) + 60000)
    redis.call('ZADD', KEYS[1], string.format('%.3f', now + lease), id)
    reply[#reply + 1] = id
    reply[#reply + 1] = due[at + 1]
    claimed = claimed + 1
  end
end
return reply
