-- Hand entries back that were taken and not begun: the next look of any worker finds them.
-- ARGV: prefix, group, worker, then lane, entry and work of each. Returns how many went back.
-- They stay pending, as idle as can be and as if never delivered: their turn is not lost.
local group, worker = ARGV[2], ARGV[3]
local back = 0
for i = 4, #ARGV, 3 do
  local stream, entry, work = lane_key(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  local pending = redis.call('XPENDING', stream, group, entry, entry, 1)[1]
  if pending and pending[2] == worker then
    redis.call('XCLAIM', stream, group, worker, 0, entry,
      'IDLE', 86400000, 'RETRYCOUNT', 0, 'JUSTID')
    if redis.call('HGET', key('work', work), 'state') == 'running' then
      redis.call('HSET', key('work', work), 'state', 'queued')
    end
    back = back + 1
  end
end
return back
