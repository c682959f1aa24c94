-- End expired and lost jobs, also if no client asks for them. Every API process calls it repeatedly.
-- ARGV: prefix, group, milliseconds to keep a result and a dead letter, first position in the list
-- of unfinished jobs, how many to check.
-- Returns the next position, how many jobs expired, and how many were lost since the start.
local group, ttl, dead_ttl = ARGV[2], ARGV[3], ARGV[4]
local place, most = tonumber(ARGV[5]), tonumber(ARGV[6])
local expired = expire_due(group, ttl, 1000)
refund_due()
trim_dead(dead_ttl)
local jobs = redis.call('ZRANGE', prefix .. 'deadlines', place, place + most - 1)
for _, job in ipairs(jobs) do
  if not current_state(group, job, ttl) then mark_lost(job, ttl) end
end
local total = redis.call('HGET', prefix .. 'metrics', 'lost') or '0'
return {#jobs < most and 0 or place + most, expired, tonumber(total)}
