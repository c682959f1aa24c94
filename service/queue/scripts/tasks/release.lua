-- Release entries: any worker reclaims them at its next check.
-- ARGV: prefix, group, worker, why their tasks failed or nothing if they did not start, then stream,
-- entry and task of each. Returns how many were released.
-- They stay pending, with a long idle time. A task that did not start counts as never delivered; one
-- that failed keeps its count of deliveries, so that it is not tried for ever.
local group, worker, reason = ARGV[2], ARGV[3], ARGV[4]
local back = 0
for i = 5, #ARGV, 3 do
  local stream, entry, name = ARGV[i], ARGV[i + 1], key('work', ARGV[i + 2])
  local pending = redis.call('XPENDING', stream, group, entry, entry, 1)[1]
  if pending and pending[2] == worker then
    local deliveries = reason == '' and 0 or pending[4]
    redis.call('XCLAIM', stream, group, worker, 0, entry,
      'IDLE', 86400000, 'RETRYCOUNT', deliveries, 'JUSTID')
    if redis.call('HGET', name, 'state') == 'running' then
      redis.call('HSET', name, 'state', 'queued')
      if reason ~= '' then redis.call('HSET', name, 'error', reason) end
    end
    back = back + 1
  end
end
if back > 0 then count('returned', back) end
return back
