-- Runs a list of commands as one step, optionally under a lease.
-- KEYS[1] (optional): the lease; ARGV[1] is then its token, and nothing is written if it differs.
-- ARGV (rest): for each command its word count, then its words. Returns 1, or 0 if not the holder.
local at = 1
if #KEYS > 0 then
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  at = 2
end
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  local command = {}
  for i = 1, words do command[i] = ARGV[at + i] end
  redis.call(unpack(command))
  at = at + words + 1
end
return 1
