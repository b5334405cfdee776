-- Runs a list of commands as one step, optionally under a lease.
-- KEYS[1], ARGV[1]: the lease and its token: nothing is written if they differ. Without a token
-- there is no lease, and the key is any of those written to.
-- ARGV (rest): for each command its word count, then its words. Returns 1, or 0 if not the holder.
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local at = 2
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  local command = {}
  for i = 1, words do command[i] = ARGV[at + i] end
  redis.call(unpack(command))
  at = at + words + 1
end
return 1
