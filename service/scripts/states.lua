-- The states of many jobs at once, without their places in the lane.
-- ARGV: prefix, milliseconds, jobs. What is done is kept at least that long from now: whoever asks
-- after a batch is going to fetch it, and its first pictures must not be gone before its last.
local states = {}
for i = 3, #ARGV do
  local job = ARGV[i]
  local facts = redis.call('HMGET', key('job', job), 'state', 'work')
  local state, work = facts[1] or 'expired', facts[2]
  if state == 'queued' then
    state = redis.call('HGET', key('work', work), 'state') or 'expired'
    if state ~= 'running' and state ~= 'expired' then state = 'queued' end
  elseif state == 'done' then
    outlive(key('job', job), ARGV[2])
    outlive(key('work', work), ARGV[2])
    outlive(key('upload', job), ARGV[2])
  end
  states[i - 2] = state
end
return states
